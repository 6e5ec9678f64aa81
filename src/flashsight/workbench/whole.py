"""Files that are there whole or not at all, and what to say where the disk takes no more. Knows no content."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from flashsight.workbench.extras import library
from flashsight.workbench.records import RunError

_PLAIN = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""Text stays text: what a model or a table wrote never becomes a formula or a link."""


@contextmanager
def opened_whole(file: Path, *, encoding: str | None = "utf-8") -> Iterator[IO[Any]]:
    """A file to write that takes the place of `file` once the block has ended and it is on the disk.

    encoding None: bytes. A path that is not UTF-8 is written as JSON escapes it, so that it is read back as it was.
    After an error nothing of it is left: on a full disk that is room too. Raises RunError where it cannot be written.
    """
    unfinished = file.with_name(file.name + ".new")
    how: dict[str, Any] = {"mode": "wb"} if encoding is None else {"mode": "w", "encoding": encoding, "newline": ""}
    try:
        with unfinished.open(**how, errors=None if encoding is None else "backslashreplace") as written:
            yield written
            written.flush()
            os.fsync(written.fileno())
        unfinished.replace(file)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(file, error) from None
        raise


def write_whole(file: Path, lines: Iterable[str]) -> None:
    """Write a text file. Raises RunError as `opened_whole`."""
    with opened_whole(file) as written:
        written.writelines(lines)


@contextmanager
def new_workbook(file: Path) -> Iterator[Any]:
    """A workbook of xlsxwriter to fill, written as .xlsx once the block has ended.

    It grows in memory, so that a full disk finds no half of it. Raises RunError as `opened_whole`, ConfigError without
    the extra `workbench`.
    """
    xlsxwriter, grown = library("xlsxwriter"), io.BytesIO()
    try:
        with xlsxwriter.Workbook(grown, _PLAIN) as book:
            yield book
    except xlsxwriter.exceptions.XlsxWriterException as error:
        raise RunError(f"{file} cannot be written as Excel: {error}") from None
    with opened_whole(file, encoding=None) as written:
        written.write(grown.getbuffer())


def cannot_write(file: Path, error: OSError) -> RunError:
    """The error of a file that cannot be written, with the way to go on."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"the disk is full at {file}; free some space", code="disk_full")
    return RunError(f"{file} cannot be written ({os.strerror(error.errno or errno.EIO)}); check its folder")
