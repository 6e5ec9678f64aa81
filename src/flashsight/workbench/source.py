"""What a run is about: a folder of pictures, or a table with their paths -> cases. Opens pictures only to hash them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from flashsight.core.errors import ConfigError
from flashsight.workbench.filenames import readable
from flashsight.workbench.records import Case, CasePicture
from flashsight.workbench.rows import TABLES, Row, normal, read_rows

PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".heic", ".heif")
UNREAD = (".tif", ".tiff", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".ai", ".pdf", ".dng", ".cr2", ".nef", ".arw")
"""Endings of pictures that are not read here: a folder that holds some says so."""

PICTURE_COLUMNS = (
    *("picture", "pictures", "image", "images", "image_path", "picture_path", "path", "file", "filename"),
    *("图片", "图片路径", "图片名", "图像", "路径", "文件", "文件名", "主图"),
)
ID_COLUMNS = ("id", "case", "case_id", "sku", "编号", "商品编号", "货号")
PROMPT_COLUMNS = ("prompt", "question", "提示词", "问题")

HASHING_THREADS = 4
_SEPARATORS = re.compile(r"[;|\n;]")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The cases and the folder that their pictures' paths are relative to. left_out: files by ending, of UNREAD."""

    path: Path
    root: Path
    cases: tuple[Case, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_source(path: Path, *, column: str | None = None, without: Path | None = None) -> Source:
    """Read a folder, a CSV, an Excel or a JSONL file.

    column: where a table keeps the paths. without: a folder to leave out.
    Raises ConfigError where there is nothing to ask about.
    """
    if path.is_dir():
        if column is not None:
            raise ConfigError(f"--column names a column of a table, but {path} is a folder; leave it out")
        names = _names_in_folder(path, without)
        left_out = Counter(suffix for name in names if (suffix := Path(name).suffix.lower()) in UNREAD)
        return Source(path=path, root=path, cases=tuple(_cases_in_folder(path, names)), left_out=left_out)
    if not path.is_file():
        raise ConfigError(
            f"there is no folder or table {path}; name a folder of pictures, or a {', '.join(TABLES)} file"
        )
    if path.suffix.lower() not in TABLES:
        raise ConfigError(f"{path} is no table that is known here; save it as one of {', '.join(TABLES)}")
    return Source(path=path, root=path.parent, cases=tuple(_cases_in_table(path, column)))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts as a person counts: picture_2 before picture_10."""
    pieces = _DIGITS.split(name.casefold())
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def with_hashes(
    cases: Sequence[Case], root: Path, *, seen: Callable[[int], None] = lambda num_pictures: None
) -> Iterator[Case]:
    """Yield the cases with their pictures' sha256, None for an unreadable one. `seen` is told the count so far."""
    paths = list(dict.fromkeys(picture.path for case in cases for picture in case.pictures))
    hashes: dict[str, str | None] = {}
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for path, found in zip(paths, pool.map(lambda path: sha256_of_file(root / path), paths), strict=True):
            hashes[path] = found
            seen(len(hashes))
    for case in cases:
        yield replace(case, pictures=tuple(replace(each, sha256=hashes[each.path]) for each in case.pictures))


def sha256_of_file(path: Path) -> str | None:
    """sha256 in hex of a file's bytes, None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _names_in_folder(folder: Path, without: Path | None) -> list[str]:
    """What is no folder, by path from there; hidden files and those below `without` are left out."""
    skipped = without.resolve() if without is not None else None
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in (*PICTURES, *UNREAD)
        and not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (skipped is None or skipped not in path.resolve().parents)
    ]


def _cases_in_folder(folder: Path, names: Sequence[str]) -> Iterator[Case]:
    found = sorted((name for name in names if Path(name).suffix.lower() in PICTURES), key=natural)
    if not found:
        raise ConfigError(f"there is no picture in {folder}; looked for {', '.join(PICTURES)}, in its folders too")
    taken = set(found)
    for name in found:
        words = readable(name)
        case_id = name if words == name else words if words not in taken else readable(name, encoding=None)
        taken.add(case_id)
        yield Case(id=case_id, pictures=(CasePicture(path=name),))


def _cases_in_table(file: Path, column: str | None) -> Iterator[Case]:
    rows = read_rows(file)
    if not rows:
        raise ConfigError(f"the table {file} has no rows; it needs a line of column names and one row a case")
    names = list(dict.fromkeys(name for row in rows for name in row))
    pictures = _picture_columns(file, names, column)
    key, prompt = _first(names, ID_COLUMNS), _first(names, PROMPT_COLUMNS)
    ids: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        case = _case(row, number, pictures=pictures, key=key, prompt=prompt)
        count = ids[case.id] = ids.get(case.id, 0) + 1
        if count > 1 and key is not None and key in row:
            raise ConfigError(f"the table {file} has the {key} {case.id!r} twice; each row needs its own")
        yield case if count == 1 else replace(case, id=f"{case.id}#{count}")


def _case(row: Row, number: int, *, pictures: Sequence[str], key: str | None, prompt: str | None) -> Case:
    used = next((name for name in pictures if name in row), None)
    paths = [path.strip().replace("\\", "/") for path in _SEPARATORS.split(row[used] if used else "") if path.strip()]
    named = row.get(key, "") if key is not None else ""
    special = {used, key, prompt}
    return Case(
        id=named or ";".join(paths) or f"row {number}",
        pictures=tuple(CasePicture(path=path) for path in paths),
        prompt=row.get(prompt) if prompt is not None else None,
        columns={name: text for name, text in row.items() if name not in special},
    )


def _picture_columns(file: Path, names: Sequence[str], column: str | None) -> list[str]:
    """The columns that may hold a row's paths: the first one that is filled does."""
    if column is not None:
        found = [name for name in names if name.casefold() == normal(column).casefold()]
        if not found:
            raise ConfigError(f"the table {file} has no column {column!r}; its columns: {', '.join(names)}")
        return found
    found = [name for wanted in PICTURE_COLUMNS for name in names if name.casefold() == wanted]
    if not found:
        raise ConfigError(f"no column of {file} is named like a picture's path ({', '.join(names)}); add --column NAME")
    return found


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_name = {name.casefold(): name for name in reversed(names)}
    return next((by_name[each] for each in wanted if each in by_name), None)
