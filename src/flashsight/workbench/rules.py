"""How answers are held against a gold table, read from TOML: names, kinds, tolerance, synonyms, opposites.

The package's own tables stand in `tables/rules.toml`; a file of the user's adds to them. Knows no picture and no run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from flashsight.core.errors import ConfigError
from flashsight.workbench.words import name_key, value_key

Kind = Literal["category", "label", "labels", "number", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TABLES = Path(__file__).parent / "tables"
SECTIONS = ("columns", "kinds", "tolerance", "synonyms", "opposites")
NEGATIONS = ("不", "不够", "无", "没有", "非")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one evaluation; every table is as in `tables/rules.toml`."""

    columns: Mapping[str, Sequence[str]]
    kinds: Mapping[str, Kind]
    tolerance: Mapping[str, float]
    synonyms: Mapping[str, Mapping[str, Sequence[str]]]
    opposites: Mapping[str, Sequence[str]]

    @cached_property
    def _standing_for(self) -> Mapping[str, Mapping[str, str]]:
        return {
            field: {value_key(word): value_key(first) for first, others in groups.items() for word in (first, *others)}
            for field, groups in self.synonyms.items()
        }

    def canonical(self, field: str, value: object) -> str:
        """The one spelling of a field's value after normalisation and synonyms."""
        key = value_key(str(value))
        own = self._standing_for.get(field, {})
        return own[key] if key in own else self._standing_for.get("any", {}).get(key, key)

    def tolerance_of(self, field: str) -> float:
        """How far a number of this field may be off, as a share of the gold number."""
        return self.tolerance.get(field, self.tolerance.get("any", 0.0))

    def kind_of(self, field: str, schema: Mapping[str, Any] | None) -> Kind:
        """How a field is judged: by its entry, else by its type in the schema; a plain string is a label."""
        if field in self.kinds:
            return self.kinds[field]
        described = (schema or {}).get("properties", {}).get(field, {})
        types = described.get("type") if isinstance(described, Mapping) else None
        named = {types} if isinstance(types, str) else set(types or ())
        if "array" in named:
            return "labels"
        return "number" if named & {"number", "integer"} else "label"

    def names_of(self, field: str) -> set[str]:
        """The keys of all names that a column of this field may have."""
        return {name_key(name) for name in (field, *self.columns.get(field, ()))}


def read_rules(file: Path | None = None) -> Rules:
    """Read the package's rules and, on top of them, the user's. Raises ConfigError, naming the entry at fault."""
    tables = _tables_of(TABLES / "rules.toml")
    if file is not None:
        for section, entries in _tables_of(file).items():
            _lay_over(tables[section], entries)
    return Rules(**tables)


def read_toml(file: Path, sections: Sequence[str]) -> dict[str, Any]:
    """Read a TOML file whose tables are named here. Raises ConfigError for anything else."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError:
        raise ConfigError(f"{file} cannot be read; name a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    for section, entries in tables.items():
        if section not in sections:
            raise ConfigError(f"{file} has an unknown table [{section}]; known are {', '.join(sections)}")
        if not isinstance(entries, dict):
            raise ConfigError(f"{section} in {file} must be a table: [{section}]")
    return tables


def _tables_of(file: Path) -> dict[str, Any]:
    tables = read_toml(file, SECTIONS)
    for section, entries in tables.items():
        for name, value in entries.items():
            _check(file, section, name, value)
    return tables


def _check(file: Path, section: str, name: str, value: object) -> None:
    where = f"{section}.{name} in {file}"
    if section == "kinds" and value not in KINDS:
        raise ConfigError(f"{where} must be one of {', '.join(KINDS)}, got {value!r}")
    if section == "tolerance" and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ConfigError(f"{where} must be a share of at least 0, such as 0.01, got {value!r}")
    if section in ("columns", "opposites") and not _is_words(value):
        raise ConfigError(f'{where} must be a list of words: ["…", "…"], got {value!r}')
    if section == "synonyms" and not (isinstance(value, dict) and all(map(_is_words, value.values()))):
        raise ConfigError(f'{where} must be a table of lists of words: "红" = ["红色", "red"]')


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for name, value in above.items():
        old = below.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _lay_over(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            below[name] = [*old, *value]
        else:
            below[name] = value
