"""A gold table: what is right for each picture, whatever its columns are called. Knows no answer.

The row of names is the first of the top ten that names the picture's column. Rows whose picture cell is merged belong
to one picture and their cells are gathered. Names that find no partner are listed, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flashsight.workbench.rules import Rules
from flashsight.workbench.sheets import Row, Sheet, TableError, read_sheets
from flashsight.workbench.words import name_key, value_key

PICTURE, GROUP = "picture", "group"
HEADER_ROWS = 10
SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldCase:
    """What is right for one picture. cells: per field the filled cells, one a row. line: its first row in the sheet.

    others: the filled cells of the columns that no field has, by the column's name.
    """

    picture: str
    line: int
    cells: Mapping[str, tuple[str, ...]]
    group: str | None = None
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldTable:
    """A gold table with its columns found. headers: field -> the column's own name. unknown: columns of no field."""

    file: str
    sheet: str
    cases: tuple[GoldCase, ...]
    headers: Mapping[str, str]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """Which gold case belongs to which id of a run, and what found no partner.

    ambiguous: gold names that fit several ids; they count for none.
    """

    by_id: Mapping[str, GoldCase]
    gold_only: tuple[str, ...] = ()
    run_only: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_gold(file: Path, fields: Iterable[str], rules: Rules, *, sheet: str | None = None) -> GoldTable:
    """Read a gold table for these fields. Raises TableError for a wrong sheet, no picture column, a picture twice."""
    chosen, header_at = find_sheet(file, read_sheets(file), rules, sheet)
    columns = find_columns(file, chosen.rows[header_at], tuple(fields), rules)
    headers = {name: chosen.rows[header_at][at] or "" for name, at in columns.items()}
    unknown = [name for at, name in enumerate(chosen.rows[header_at]) if name and at not in columns.values()]
    cases = _cases(file, chosen, header_at, columns)
    if not cases:
        raise TableError(f"{file} has names of columns and no row below them; fill in a row per picture")
    return GoldTable(file=str(file), sheet=chosen.name, cases=tuple(cases), headers=headers, unknown=tuple(unknown))


def find_sheet(file: Path, sheets: Sequence[Sheet], rules: Rules, name: str | None) -> tuple[Sheet, int]:
    """The sheet to read and where its row of names is."""
    if not any(sheet.rows for sheet in sheets):
        raise TableError(f"{file} is empty; the first row names the columns, one of them the picture's")
    named = {value_key(sheet.name): sheet for sheet in sheets}
    if name is not None and value_key(name) not in named:
        raise TableError(f"{file} has no sheet {name!r}; it has {_listed(sheet.name for sheet in sheets)}")
    chosen = named[value_key(name)] if name is not None else sheets[0]
    if (at := _header_row(chosen, rules)) is not None:
        return chosen, at
    others = [sheet.name for sheet in sheets if _header_row(sheet, rules) is not None]
    if others:
        raise TableError(f"sheet {chosen.name!r} of {file} has no picture column; add --sheet {others[0]!r}")
    known = _listed((PICTURE, *rules.columns.get(PICTURE, ())))
    names = _listed(cell for cell in chosen.rows[0] if cell)
    raise TableError(
        f"{file} has no picture column among {names}; call it one of {known}, or add its name to [columns] of --rules",
        code="no_key_column",
    )


def _header_row(sheet: Sheet, rules: Rules) -> int | None:
    known = rules.names_of(PICTURE)
    for at, row in enumerate(sheet.rows[:HEADER_ROWS]):
        if any(cell and name_key(cell) in known for cell in row):
            return at
    return None


def find_columns(file: Path, header: Row, fields: Sequence[str], rules: Rules) -> dict[str, int]:
    """Where each field's column is, the picture's first. Raises TableError where several fit one field."""
    found: dict[str, int] = {}
    for field_name in dict.fromkeys((PICTURE, *fields, GROUP)):
        exact, other = name_key(field_name), rules.names_of(field_name)
        keys = {at: name_key(cell) for at, cell in enumerate(header) if cell and at not in found.values()}
        places = [at for at, key in keys.items() if key == exact] or [at for at, key in keys.items() if key in other]
        if len(places) > 1:
            names = _listed(header[at] or "" for at in places)
            raise TableError(f"{file} has several columns for {field_name}: {names}; keep one of them")
        if places:
            found[field_name] = places[0]
    return found


def _cases(file: Path, sheet: Sheet, header_at: int, columns: Mapping[str, int]) -> list[GoldCase]:
    gathered: list[tuple[int, str, list[Row]]] = []
    for at in range(header_at + 1, len(sheet.rows)):
        row, key_at = sheet.rows[at], columns[PICTURE]
        picture = row[key_at]
        if not any(row):
            continue
        if picture is None:
            line = f"row {sheet.first_row + at} of {file}"
            raise TableError(f"{line} names no picture; fill the cell in, or merge it with the one above")
        if (at, key_at) in sheet.merged and gathered:
            gathered[-1][2].append(row)
        else:
            gathered.append((sheet.first_row + at, picture, [row]))
    _refuse_twice(file, [(picture, line) for line, picture, _ in gathered])
    header = sheet.rows[header_at]
    others = {name: at for at, name in enumerate(header) if name and at not in columns.values()}
    fields = {name: at for name, at in columns.items() if name != PICTURE}
    cases = []
    for number, picture, rows in gathered:
        cells = _filled(rows, fields)
        group = next(iter(cells.get(GROUP, ())), None)
        cases.append(GoldCase(picture=picture, line=number, cells=cells, group=group, others=_filled(rows, others)))
    return cases


def _filled(rows: Sequence[Row], columns: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    cells = {name: tuple(dict.fromkeys(cell for row in rows if (cell := row[at]))) for name, at in columns.items()}
    return {name: texts for name, texts in cells.items() if texts}


def _refuse_twice(file: Path, pictures: Sequence[tuple[str, int]]) -> None:
    lines: dict[str, list[int]] = {}
    for picture, line in pictures:
        lines.setdefault(_path_key(picture), []).append(line)
    twice = [f"{key} (rows {', '.join(map(str, at))})" for key, at in lines.items() if len(at) > 1]
    if twice:
        raise TableError(
            f"{file} has pictures more than once: {_listed(twice)}; keep one row each", code="duplicate_key"
        )


def pair(table: GoldTable, ids: Mapping[str, Sequence[str]]) -> Pairing:
    """Pair gold cases with a run's ids, each with the paths of its pictures.

    A gold name fits an id that equals it, or a picture's path, its file name, or that without its ending: the first of
    these that fits at all decides, so `001` finds `shop/001.jpg`. Raises TableError where two rows fit one id.
    """
    find = index_ids(ids)
    by_id: dict[str, GoldCase] = {}
    gold_only, ambiguous = [], {}
    for case in table.cases:
        fitting = find(case.picture)
        if len(fitting) > 1:
            ambiguous[case.picture] = tuple(fitting)
        elif not fitting:
            gold_only.append(case.picture)
        elif fitting[0] in by_id:
            lines = f"{by_id[fitting[0]].line} and {case.line}"
            raise TableError(f"rows {lines} of {table.file} both mean {fitting[0]}; keep one", code="duplicate_key")
        else:
            by_id[fitting[0]] = case
    run_only = tuple(one for one in ids if one not in by_id)
    return Pairing(by_id=by_id, gold_only=tuple(gold_only), run_only=run_only, ambiguous=ambiguous)


def index_ids(ids: Mapping[str, Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """Return what finds the ids that a name in a table fits, as `pair` says."""
    steps = [_index(ids, forms) for forms in (_full, _file_name, _stem)]

    def find(name: str) -> Sequence[str]:
        key = _path_key(name)
        return next((step[key] for step in steps if key in step), ())

    return find


def _index(ids: Mapping[str, Sequence[str]], forms: Callable[[str], tuple[str, ...]]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for one, paths in ids.items():
        for key in dict.fromkeys(form for name in (one, *paths) for form in forms(name)):
            index.setdefault(key, []).append(one)
    return index


def _path_key(name: str) -> str:
    return value_key(name.replace("\\", "/").removeprefix("./"))


def _full(name: str) -> tuple[str, ...]:
    return (_path_key(name),)


def _file_name(name: str) -> tuple[str, ...]:
    return (PurePosixPath(_path_key(name)).name,)


def _stem(name: str) -> tuple[str, ...]:
    path = PurePosixPath(_path_key(name))
    return path.stem, str(path.with_suffix("")) if path.name else path.stem


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest
