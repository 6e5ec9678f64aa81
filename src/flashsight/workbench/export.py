"""A finished run as a CSV or an Excel file, one row a case. Decides nothing about the answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from flashsight.workbench.aigc import EXPLICIT, FIELD, label_of
from flashsight.workbench.evidence import draw_boxes
from flashsight.workbench.records import Result, Run, RunError, Timing
from flashsight.workbench.rows import as_text
from flashsight.workbench.thumbnails import small_picture
from flashsight.workbench.whole import new_workbook, opened_whole

THUMBNAIL = 96
"""Longest side of a picture in the Excel file, in pixels."""

_ROW_POINTS, _FORMULA = 74, ("=", "+", "-", "@", "\t", "\r")
_CELL_CHARACTERS = 32_767
_PLACED = {"object_position": 1, "x_offset": 3, "y_offset": 1}
"""Over its cell, moving and sorted with it: pictures inside a cell are `#VALUE!` in all but the newest Excel."""

_BEFORE, _AFTER = ("id", "picture"), ("error", "finish", "duplicate_of", "looks_like", "total_ms")


def columns_of(run: Run) -> list[str]:
    """The names of the columns: the case, its table's own ones, the schema's fields or the answer, how it ended."""
    own = list(dict.fromkeys(name for result in run.results() for name in result.columns))
    fields = _fields(run)
    return [*_BEFORE, *(_own_name(name, fields) for name in own), *(fields or ["answer"]), *_AFTER]


def rows_of(run: Run) -> Iterator[dict[str, str | float]]:
    """Yield each case as a row under `columns_of`."""
    fields = _fields(run)
    for result, timing in zip(run.results(), run.timings(), strict=True):
        yield _row(result, timing, fields)


def _fields(run: Run) -> list[str]:
    schema = run.manifest.schema
    return list(schema.get("properties", {})) if schema is not None else []


def _own_name(name: str, fields: Sequence[str]) -> str:
    """A column of the user's own table must not hide one of ours."""
    return f"{name} (table)" if name in {*_BEFORE, *fields, "answer", *_AFTER} else name


def _row(result: Result, timing: Timing, fields: Sequence[str]) -> dict[str, str | float]:
    parsed: Mapping[str, Any] = result.parsed or {}
    answer: dict[str, str | float] = {name: as_text(parsed.get(name)) for name in fields}
    own = {_own_name(name, fields): text for name, text in result.columns.items()}
    return {
        "id": result.id,
        "picture": ";".join(picture.shown for picture in result.pictures),
        **own,
        **(answer or {"answer": result.answer or ""}),
        "error": f"{result.error.code}: {result.error.message}" if result.error is not None else "",
        "finish": result.finish or "",
        "duplicate_of": result.duplicate_of or "",
        "looks_like": ";".join(result.looks_like),
        "total_ms": timing.total_ms,
    }


def write_csv(run: Run, file: Path) -> None:
    """Write UTF-8 with a mark that Excel needs to read it as such; no cell can act as a formula."""
    _check_complete(run)
    names = columns_of(run)
    with opened_whole(file, encoding="utf-8-sig") as written:
        table = csv.DictWriter(written, names, restval="")
        table.writeheader()
        for row in rows_of(run):
            table.writerow({name: harmless(value) for name, value in row.items()})


def write_excel(run: Run, file: Path) -> None:
    """Write .xlsx with thumbnails and the label of generated content. ConfigError without the extra `workbench`."""
    _check_complete(run)
    with new_workbook(file) as book:
        book.set_properties({"comments": EXPLICIT})
        book.set_custom_property(FIELD, label_of(run), "text")
        _fill(book, run)


def _fill(book: Any, run: Run) -> None:
    sheet = book.add_worksheet("results")
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    names = ["", *columns_of(run)]
    sheet.write_row(0, 0, names, bold)
    sheet.freeze_panes(1, 2)
    _lay_out(sheet)
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, len(names) - 1, 24, wrapped)
    places, label = {name: place for place, name in enumerate(names)}, label_of(run)
    for number, (result, row) in enumerate(zip(run.results(), rows_of(run), strict=True), 1):
        sheet.set_row(number, _ROW_POINTS)
        for name, value in row.items():
            if isinstance(value, str):
                sheet.write_string(number, places[name], value[:_CELL_CHARACTERS], wrapped)
            else:
                sheet.write_number(number, places[name], value, wrapped)
        thumbnail = _thumbnail(run, result, label)
        if thumbnail is not None:
            options = {"image_data": io.BytesIO(thumbnail), "description": result.id[:255]}
            sheet.insert_image(number, 0, f"{number}", _PLACED | options)
    sheet.autofilter(0, 0, max(1, run.manifest.num_cases), len(names) - 1)


def _lay_out(sheet: Any) -> None:
    """On paper: all columns side by side, their names on every page, the visible label at its foot."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer(f"&L{EXPLICIT}")


def _thumbnail(run: Run, result: Result, label: str) -> bytes | None:
    """A small picture with the answer's boxes; None for one that cannot be shown, which is an error in its row already.

    With boxes it is partly a model's work: a PNG that carries the label of generated content as text.
    """
    shown = small_picture(run.picture_file(result.pictures[0]), THUMBNAIL) if result.pictures else None
    if shown is None:
        return None
    (image, full_size), written = shown, io.BytesIO()
    boxes = [box for box in result.boxes if box["picture"] == 0]
    if boxes:
        draw_boxes(image, boxes, full_size)
        said = PngInfo()
        said.add_itxt(FIELD, label)
        image.save(written, "PNG", pnginfo=said, optimize=True)
    else:
        image.save(written, "JPEG", quality=80)
    return written.getvalue()


def _check_complete(run: Run) -> None:
    if not run.is_complete:
        raise RunError(f"the run in {run.folder} is not complete; let it end first, with the command that began it")


def harmless(value: str | float) -> str | float:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
