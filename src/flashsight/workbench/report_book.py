"""A report's figures as an Excel file: the same tables as on the page, each number in a cell of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flashsight.workbench.aigc import EXPLICIT, FIELD, label_of
from flashsight.workbench.report import Report
from flashsight.workbench.report_limits import said
from flashsight.workbench.report_tables import Cell, Measure, Table, review_table
from flashsight.workbench.report_words import word
from flashsight.workbench.whole import new_workbook

_FORMATS = {"share": "0.0%", "seconds": "0.000", "number": "#,##0"}
_PARTS = ("low", "high", "n")


def write_book(report: Report, file: Path) -> None:
    """Write .xlsx. Raises ConfigError without the extra `workbench`, RunError for a disk that takes no more."""
    with new_workbook(file) as book:
        made = datetime.fromisoformat(report.made)
        book.set_properties({"title": word("title", report.language), "comments": EXPLICIT, "created": made})
        book.set_custom_property(FIELD, label_of(report.runs[-1]), "text")
        _fill(book, report)


def _fill(book: Any, report: Report) -> None:
    tables = [_verdict_table(report), *report.tables, *report.rounds, report.speed]
    if report.savings is not None:
        tables.append(report.savings)
    if report.review is not None:
        tables.append(review_table(report.review, report.language))
    lines = Table(
        key="notes",
        title=word("limits", report.language),
        header=[word("limits", report.language)],
        rows=[[line] for line in (*report.limits, *report.steps, EXPLICIT)],
    )
    for number, table in enumerate((*tables, lines), 1):
        _write(book, f"{number} {table.key}", table)


def _verdict_table(report: Report) -> Table:
    language = report.language
    rows: list[Sequence[Cell]] = [
        [
            word(one.name, language),
            f"{'≤' if one.name == 'seconds' else '≥'} {said(one, one.goal)}",
            Measure(one.figure, "seconds" if one.name == "seconds" else "share"),
            word(one.light, language),
            word(one.why, language),
        ]
        for one in report.verdicts
    ]
    header = [word(key, language) for key in ("target", "goal", "result", "verdict")] + [""]
    return Table(key="verdicts", title=word("verdicts", language), header=header, rows=rows)


def _write(book: Any, name: str, table: Table) -> None:
    sheet = book.add_worksheet(name[:31])
    bold = book.add_format({"bold": True, "text_wrap": True})
    formats = {unit: book.add_format({"num_format": form}) for unit, form in _FORMATS.items()}
    sheet.write_string(0, 0, table.title, bold)
    measured = {at for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Measure)}
    header, places = _spread(table.header, measured)
    sheet.write_row(1, 0, header, bold)
    sheet.set_column(0, len(header) - 1, 16)
    for line, row in enumerate(table.rows, 2):
        for at, cell in enumerate(row):
            _put(sheet, line, places[at], cell, formats)
    sheet.freeze_panes(2, 1)


def _spread(header: Sequence[str], measured: set[int]) -> tuple[list[str], list[int]]:
    """A measured column takes four: its value, both ends of its interval and how many pictures."""
    names: list[str] = []
    places = []
    for at, name in enumerate(header):
        places.append(len(names))
        names += [name, *_PARTS] if at in measured else [name]
    return names, places


def _put(sheet: Any, line: int, column: int, cell: Cell, formats: dict[str, Any]) -> None:
    if isinstance(cell, str):
        sheet.write_string(line, column, cell)
    elif not isinstance(cell, Measure):
        sheet.write_number(line, column, cell)
    elif cell.figure is not None:
        ends = (cell.figure.value, cell.figure.low, cell.figure.high)
        for at, value in enumerate(ends):
            if value is not None:
                sheet.write_number(line, column + at, value, formats[cell.unit])
        sheet.write_number(line, column + 3, cell.figure.num)
