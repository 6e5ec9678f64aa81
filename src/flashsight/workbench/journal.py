"""The journal of a run: one finished case a line, appended, found again after any death of the process.

A line counts once its newline is there; what a death left of a last line is cut off. Lines reach the kernel at once, so
that killing the process loses none; they reach the disk at least once a second, which is what a power cut may cost.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flashsight.workbench.records import Doubt, Result, RunError, Timing, known, read_lines, result_of, to_line
from flashsight.workbench.whole import cannot_write

SYNC_SECONDS = 1.0


class Journal:
    """One process writes it at a time. Keeps only where each line begins in memory."""

    def __init__(self, file: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Open or make the file; cut off a torn last line. RunError when another process is writing it."""
        self.file = file
        self.num_failed = 0
        self._clock = clock
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise RunError(f"another process is writing the run in {file.parent}; wait for it, or stop it") from None
        self._length = self._repair()
        self._places = self._index()
        self._synced_at = clock()

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._places

    def __len__(self) -> int:
        return len(self._places)

    def append(self, result: Result, timing: Timing, doubt: Doubt | None = None) -> None:
        """Keep a finished case. RunError when the disk takes no more; what was there before stays whole."""
        line = to_line({"result": result, "timing": timing, "doubt": doubt}).encode(errors="backslashreplace")
        try:
            written = os.pwrite(self._handle, line, self._length)
            if written < len(line):
                raise OSError(errno.ENOSPC, "short write")
            if self._clock() - self._synced_at >= SYNC_SECONDS:
                self._sync()
        except OSError as error:
            os.ftruncate(self._handle, self._length)
            raise cannot_write(self.file, error) from None
        self._places[result.id] = self._length
        self._length += len(line)
        self.num_failed += result.error is not None

    def read(self, case_id: str) -> tuple[Result, Timing]:
        """Return what was kept of a case."""
        row = self._row(case_id)
        return result_of(row["result"]), known(Timing, row["timing"])

    def doubt(self, case_id: str) -> Doubt | None:
        """Return how sure the model was of a case, where that was kept."""
        kept = self._row(case_id).get("doubt")
        return known(Doubt, kept) if kept else None

    def _row(self, case_id: str) -> dict[str, Any]:
        with self.file.open("rb") as lines:
            lines.seek(self._places[case_id])
            row: dict[str, Any] = json.loads(lines.readline())
        return row

    def close(self) -> None:
        """Bring everything to the disk and let others write."""
        try:
            self._sync()
        finally:
            os.close(self._handle)

    def _sync(self) -> None:
        os.fsync(self._handle)
        self._synced_at = self._clock()

    def _repair(self) -> int:
        """Cut off what follows the last newline; return the length that is left, in bytes."""
        length = os.fstat(self._handle).st_size
        end, step = length, 1 << 16
        while end > 0:
            start = max(0, end - step)
            found = os.pread(self._handle, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end != length:
            os.ftruncate(self._handle, end)
        return end

    def _index(self) -> dict[str, int]:
        places: dict[str, int] = {}
        place = 0
        with self.file.open("rb") as lines:
            for row, line in zip(read_lines(self.file), lines, strict=True):
                places[row["result"]["id"]] = place
                self.num_failed += row["result"].get("error") is not None
                place += len(line)
        return places
