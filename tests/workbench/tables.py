"""Tables written for a test: by xlsxwriter, which shares no code with what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import xlsxwriter

Rows = Sequence[Sequence[object]]


def write_workbook(file: Path, sheets: Mapping[str, Rows], merges: Mapping[str, str] | None = None) -> Path:
    """Sheets of rows; merges: range of the first sheet -> its text."""
    book = xlsxwriter.Workbook(str(file))
    pages = []
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        pages.append(page)
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)
    for place, text in (merges or {}).items():
        pages[0].merge_range(place, text)
    book.close()
    return file
