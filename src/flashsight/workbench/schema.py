"""The schema that every answer of a run fits: a preset's, or a file that the user changes. Compiles nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError
from flashsight.presets import load_presets


def read_schema(name: str, presets_folder: Path | None = None) -> Mapping[str, Any]:
    """The JSON schema of the preset of this name, or in a file. Raises ConfigError for what is neither."""
    known = {each: preset.schema for each, preset in load_presets(presets_folder).items() if preset.schema is not None}
    if name in known:
        return known[name]
    file = Path(name)
    try:
        schema = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError:
        raise ConfigError(
            f"the schema {name!r} is no file, and no preset of that name has one: {', '.join(known)}"
        ) from None
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
