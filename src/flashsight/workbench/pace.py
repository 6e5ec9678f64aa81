"""How fast a run went: each process's part of it, kept in RUN/parts.jsonl. Plays no part in the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flashsight.workbench.records import Run, known, read_lines, to_line

PARTS_FILE = "parts.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process's part: pictures answered in so many seconds, at most in_flight cases at a time."""

    num_pictures: int
    seconds: float
    in_flight: int

    @property
    def pictures_per_second(self) -> float:
        """Over the whole part, loading left out."""
        return self.num_pictures / self.seconds if self.seconds > 0 else 0.0


def add_part(folder: Path, part: Part) -> None:
    """Keep a part. Raises OSError."""
    with (folder / PARTS_FILE).open("a", encoding="utf-8") as file:
        file.write(to_line(part))


def pace_of(run: Run) -> Part | None:
    """All parts of a run together; None where nothing was kept or answered."""
    if not (run.folder / PARTS_FILE).exists():
        return None
    parts = [known(Part, row) for row in read_lines(run.folder / PARTS_FILE, is_growing=True)]
    seconds, pictures = sum(part.seconds for part in parts), sum(part.num_pictures for part in parts)
    if not pictures or seconds <= 0:
        return None
    return Part(num_pictures=pictures, seconds=seconds, in_flight=max(part.in_flight for part in parts))
