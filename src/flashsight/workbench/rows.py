"""Rows of a table or of a JSONL file as text by column name. Knows no case and no picture."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flashsight.workbench.sheets import TEXTS, WORKBOOKS, TableError, read_sheets

Row = Mapping[str, str]

TABLES = (".jsonl", *TEXTS, *WORKBOOKS)


def read_rows(file: Path) -> list[Row]:
    """The rows as text without empty cells; a table's first sheet, whose first row names the columns.

    Raises TableError, a ConfigError, for a file that cannot be read as one.
    """
    rows = _jsonl_rows(file) if file.suffix.lower() == ".jsonl" else _sheet_rows(file)
    cleaned = ({normal(str(name)): as_text(value) for name, value in row.items() if name} for row in rows)
    return [kept for row in cleaned if (kept := {name: text for name, text in row.items() if text})]


def normal(text: str) -> str:
    """A column's name without full-width letters and space around it."""
    return unicodedata.normalize("NFKC", text).strip()


def as_text(value: Any) -> str:
    """A cell as a person reads it; several values of JSON are separated by semicolons."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(as_text(each) for each in value)
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False, default=str)


def _sheet_rows(file: Path) -> Iterable[Mapping[str, Any]]:
    sheets = read_sheets(file)
    if not sheets or not sheets[0].rows:
        return []
    header, *rows = sheets[0].rows
    names = [name or "" for name in header]
    return [dict(zip(names, row, strict=False)) for row in rows]


def _jsonl_rows(file: Path) -> Iterable[Mapping[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise TableError(f"{file} cannot be read; it must be JSON lines in UTF-8") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise TableError(f'line {number} of {file} is no JSON object; write {{"picture": "cup.jpg"}}')
        rows.append(row)
    return rows
