"""The schema that every answer of a run fits: built in, or a file that the user changes. Compiles nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError

_BUILT_IN = Path(__file__).parent / "schemas"


def built_in_schemas() -> tuple[str, ...]:
    """Names that stand for schemas of the package."""
    return tuple(sorted(path.stem for path in _BUILT_IN.glob("*.json")))


def read_schema(name: str) -> Mapping[str, Any]:
    """The JSON schema under a built-in name or in a file. Raises ConfigError for what is neither."""
    file = _BUILT_IN / f"{name}.json" if name in built_in_schemas() else Path(name)
    try:
        schema = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError:
        known = ", ".join(built_in_schemas())
        raise ConfigError(f"the schema {name!r} is no file and none of the built-in ones: {known}") from None
    except ValueError as error:
        raise ConfigError(f"the schema file {file} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ConfigError(f"the schema in {file} must be a JSON object")
    return schema


def sha256_of_text(text: str) -> str:
    """sha256 in hex of the text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_schema(schema: Mapping[str, Any] | None) -> str | None:
    """sha256 in hex of the schema as compact JSON with sorted keys: how it is laid out in its file plays no part."""
    if schema is None:
        return None
    return sha256_of_text(json.dumps(schema, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
