"""Reads presets from TOML files: those of the package, then a person's own. A bad file is refused by name and line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError
from flashsight.presets.preset import Preset, PresetSampling, Worded

BUILT_IN = ("ticket", "homework", "inspection", "product", "safety", "screen", "difference", "moderation")
"""The presets of the package, in the order in which people see them."""

_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FIELDS = ("title", "hint", "prompt", "schema", "sampling")
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def load_presets(folder: Path | None = None) -> dict[str, Preset]:
    """Return all presets by name; a file in `folder` takes the place of the package's preset of the same name.

    Raises ConfigError naming the file and the line at fault.
    """
    files = {name: _HERE / f"{name}.toml" for name in BUILT_IN}
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError(f"presets_folder {folder} is not a folder; make it or correct it", param="presets_folder")
        files |= {file.stem: file for file in sorted(folder.glob("*.toml"))}
    return {name: read_preset(file) for name, file in files.items()}


def read_preset(file: Path) -> Preset:
    """Return the preset of one file; its name is the file's. Raises ConfigError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"the preset {file} cannot be read as UTF-8; check it and its permissions") from None
    source = _Source(file, text)
    if not _NAME.fullmatch(file.stem):
        raise source.fault((), "its file must be named with up to 32 small letters, digits and -, like meter.toml")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the preset {file} is not valid TOML: {error}") from None
    source.check_keys((), table, _FIELDS)
    return Preset(
        name=file.stem,
        title=_worded(source, table, "title", otherwise=file.stem),
        hint=_worded(source, table, "hint", otherwise=""),
        prompt=_worded(source, table, "prompt", otherwise=None),
        schema=_schema(source, table),
        sampling=_sampling(source, table),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's text, to name the line of what is wrong in it."""

    file: Path
    text: str

    def fault(self, path: Sequence[str], sentence: str) -> ConfigError:
        return ConfigError(f"the preset {self.file}, line {self._line_of(path)}: {sentence}")

    def check_keys(self, path: tuple[str, ...], table: Mapping[str, object], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                raise self.fault((*path, key), f"unknown key {'.'.join((*path, key))}; known are {', '.join(known)}")

    def _line_of(self, path: Sequence[str]) -> int:
        """Return the line of the key, or of the nearest table around it."""
        header: tuple[str, ...] = ()
        best, best_line = 0, 1
        for number, line in enumerate(self.text.splitlines(), start=1):
            if match := _HEADER.match(line):
                found = header = _steps(match[1])
            elif match := _KEY.match(line):
                found = (*header, *_steps(match[1]))
            else:
                continue
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, path, strict=False)))
            if common > best:
                best, best_line = common, number
        return best_line


def _steps(dotted: str) -> tuple[str, ...]:
    return tuple(step.strip().strip("\"'") for step in dotted.split("."))


def _worded(source: _Source, table: Mapping[str, Any], name: str, *, otherwise: str | None) -> Worded:
    """Read a text for both languages, or a table with zh and en; one of the two serves for both."""
    value = table.get(name, otherwise)
    if value is None:
        raise source.fault((), f'{name} is missing; write for example {name} = "请描述这张图片的内容"')
    if isinstance(value, str):
        value = {"zh": value, "en": value}
    if not isinstance(value, dict) or not value:
        raise source.fault((name,), f"{name} must be a text, or a table with zh and en")
    source.check_keys((name,), value, ("zh", "en"))
    for language, words in value.items():
        if not isinstance(words, str) or (name == "prompt" and not words.strip()):
            raise source.fault((name, language), f"{name}.{language} must be a text with at least one word")
    zh, en = (str(value.get(one, value.get(other))).strip() for one, other in (("zh", "en"), ("en", "zh")))
    return Worded(zh=zh, en=en)


def _schema(source: _Source, table: Mapping[str, Any]) -> Mapping[str, Any] | None:
    schema = table.get("schema")
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise source.fault(("schema",), "schema must be a table: a JSON schema")
    for path in _not_json(schema, ("schema",)):
        raise source.fault(path, f"{'.'.join(path)} has a value that JSON has not: a date, a time, inf or nan")
    return schema


def _not_json(value: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in _not_json(inner, (*path, key))]
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return [path]
    return []


def _sampling(source: _Source, table: Mapping[str, Any]) -> PresetSampling:
    given = table.get("sampling", {})
    if not isinstance(given, dict):
        raise source.fault(("sampling",), "sampling must be a table")
    source.check_keys(("sampling",), given, ("temperature", "top_p", "max_tokens"))
    for name, value in given.items():
        is_number = isinstance(value, int) if name == "max_tokens" else isinstance(value, int | float)
        low, high = {"temperature": (0, 2), "top_p": (0, 1), "max_tokens": (1, 2**31 - 1)}[name]
        if not is_number or isinstance(value, bool) or not low <= value <= high:
            kind = "an integer" if name == "max_tokens" else "a number"
            raise source.fault(("sampling", name), f"sampling.{name} must be {kind} from {low} to {high}")
    return PresetSampling(**given)
