"""Reads a table file as rows of text: Excel, OpenDocument, CSV. Knows what a merged cell is, and no column by name."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import unescape

from flashsight.core.errors import ConfigError
from flashsight.workbench.extras import library

WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
TEXTS = (".csv", ".tsv")
MAX_BYTES = 64 * 1024 * 1024

Row = tuple[str | None, ...]


class TableError(ConfigError):
    """A table cannot be read or does not say what it must."""

    code = "bad_table"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of one sheet as text, empty ones None; cells that a merged cell covers repeat its text.

    `first_row` is the number that Excel shows beside rows[0]. `merged` holds the (row, column) places in `rows` that
    repeat the text above them.
    """

    name: str
    rows: tuple[Row, ...]
    first_row: int = 1
    merged: frozenset[tuple[int, int]] = frozenset()


def read_sheets(file: Path) -> list[Sheet]:
    """Every sheet of a file that has a cell; a CSV is one sheet. Raises TableError with what to do."""
    if not file.is_file():
        raise TableError(f"{file} does not exist; name an Excel or CSV file")
    if file.stat().st_size > MAX_BYTES:
        raise TableError(f"{file} has more than {MAX_BYTES // 2**20} MiB; keep pictures out of the table")
    if file.suffix.lower() in TEXTS:
        return [Sheet(file.name, _text_rows(file))]
    if file.suffix.lower() in WORKBOOKS:
        return _workbook_sheets(file)
    raise TableError(f"{file} is no table; its name must end in one of {', '.join(WORKBOOKS + TEXTS)}")


def _text_rows(file: Path) -> tuple[Row, ...]:
    content = file.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError:
            raise TableError(f"{file} is neither UTF-8 nor GB18030; save it as 'CSV UTF-8'") from None
    polars = library("polars")
    tab = file.suffix.lower() == ".tsv" or ("\t" in text and "," not in text)
    try:
        frame = polars.read_csv(
            io.BytesIO(text.encode()), has_header=False, infer_schema=False, separator="\t" if tab else ","
        )
    except polars.exceptions.NoDataError:
        return ()
    except polars.exceptions.PolarsError:
        raise TableError(f"{file} is damaged: a row has more cells than the first, or a quote is not closed") from None
    return tuple(tuple(_cell(cell) for cell in row) for row in frame.rows())


def _workbook_sheets(file: Path) -> list[Sheet]:
    fastexcel = library("fastexcel")
    library("polars")
    try:
        book = fastexcel.read_excel(file)
        frames = [
            (name, book.load_sheet(name, header_row=None, dtypes="string").to_polars()) for name in book.sheet_names
        ]
    except fastexcel.FastExcelError:
        raise TableError(f"{file} cannot be read as a workbook; open it in Excel and save it again as .xlsx") from None
    merges = _merges(file) if zipfile.is_zipfile(file) else {}
    sheets = []
    for name, frame in frames:
        rows = [[_cell(cell) for cell in row] for row in frame.rows()]
        first_row, first_column, ranges = merges.get(name, (1, 1, ()))
        filled = _spread(rows, [_shifted(one, first_row, first_column) for one in ranges])
        sheets.append(Sheet(name, tuple(map(tuple, rows)), first_row, frozenset(filled)))
    return [sheet for sheet in sheets if sheet.rows]


def _cell(cell: object) -> str | None:
    return str(cell).strip() or None if cell is not None else None


_Range = tuple[int, int, int, int]  # top, left, bottom, right, from 0, ends included


def _spread(rows: list[list[str | None]], ranges: list[_Range]) -> set[tuple[int, int]]:
    filled = set()
    for top, left, bottom, right in ranges:
        if not (0 <= top < len(rows) and 0 <= left < len(rows[top])):
            continue
        for row in range(top, min(bottom, len(rows) - 1) + 1):
            for column in range(left, min(right, len(rows[row]) - 1) + 1):
                rows[row][column] = rows[top][left]
                filled.add((row, column))
        filled.discard((top, left))
    return filled


def _shifted(one: _Range, first_row: int, first_column: int) -> _Range:
    top, left, bottom, right = one
    return top - first_row + 1, left - first_column + 1, bottom - first_row + 1, right - first_column + 1


def _merges(file: Path) -> dict[str, tuple[int, int, tuple[_Range, ...]]]:
    """Per sheet of an .xlsx: the first used row and column, from 1, and the merged ranges."""
    with zipfile.ZipFile(file) as parts:
        names = set(parts.namelist())
        if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
            return {}
        targets = {
            _attribute(tag, "Id"): _attribute(tag, "Target")
            for tag in re.findall(r"<Relationship\s[^>]*>", _part(parts, "xl/_rels/workbook.xml.rels"))
        }
        found = {}
        for tag in re.findall(r"<(?:\w+:)?sheet\s[^>]*>", _part(parts, "xl/workbook.xml")):
            target = targets.get(_attribute(tag, "r:id"), "")
            path = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            if path in names:
                found[_attribute(tag, "name")] = _places(_part(parts, path))
    return found


def _part(parts: zipfile.ZipFile, name: str) -> str:
    with parts.open(name) as part:
        return part.read(MAX_BYTES).decode("utf-8", errors="replace")


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\s{re.escape(name)}="([^"]*)"', tag)
    return unescape(found[1], {"&quot;": '"', "&apos;": "'"}) if found else ""


def _places(xml: str) -> tuple[int, int, tuple[_Range, ...]]:
    used = [
        _place(cell) for cell in re.findall(r'<(?:\w+:)?c r="([A-Z]+\d+)"[^>]*?[^/]>\s*<(?:\w+:)?(?:v|is|f)\b', xml)
    ]
    first_row = min((row for row, _ in used), default=0) + 1
    first_column = min((column for _, column in used), default=0) + 1
    ranges = []
    for start, end in re.findall(r'<(?:\w+:)?mergeCell ref="([A-Z]+\d+):([A-Z]+\d+)"', xml):
        ranges.append((*_place(start), *_place(end)))
    return first_row, first_column, tuple(ranges)


def _place(cell: str) -> tuple[int, int]:
    letters = cell.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(cell[len(letters) :]) - 1, column - 1
