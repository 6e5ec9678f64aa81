"""The SQLite file of a run's ratings: what is said is only ever added to, so that every change can be told.

Several raters may write at once, from several processes: the file is in WAL mode, each line is one transaction, and
whoever comes second waits. Knows no answer and no page.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from flashsight.workbench.rating_records import RatingError, RatingRow, Said

VERSION, APPLICATION = 1, 0x46535254
PATIENCE_SECONDS = 10.0
"""How long a line waits for another one to be written."""

Chosen = Literal["first", "second", "same"]

_TABLES = """
CREATE TABLE rating (
  number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, item TEXT NOT NULL,
  picture_sha256 TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, rater TEXT NOT NULL,
  score INTEGER CHECK (score BETWEEN 1 AND 5), tags TEXT NOT NULL, is_accepted INTEGER NOT NULL,
  corrected TEXT, edit_distance INTEGER, at TEXT NOT NULL, undoes INTEGER UNIQUE REFERENCES rating (number));
CREATE INDEX rating_of ON rating (run, rater, item, number);
CREATE TABLE side (
  run TEXT NOT NULL, second TEXT NOT NULL, item TEXT NOT NULL, rater TEXT NOT NULL, is_swapped INTEGER NOT NULL,
  PRIMARY KEY (run, second, item, rater));
CREATE TABLE choice (
  number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, second TEXT NOT NULL, item TEXT NOT NULL,
  rater TEXT NOT NULL, chosen TEXT CHECK (chosen IN ('first', 'second', 'same')), at TEXT NOT NULL);
CREATE INDEX choice_of ON choice (run, second, rater, item, number);
"""
_TURNS = """
CREATE TABLE IF NOT EXISTS turn (
  run TEXT NOT NULL, second TEXT NOT NULL, item TEXT NOT NULL, rater TEXT NOT NULL, turn INTEGER NOT NULL,
  PRIMARY KEY (run, second, item, rater))
"""
"""The latest turn of what each rater said of an item; second is empty for a rating. Older files have no such table."""


class RatingStore:
    """The ratings of one run in its file. Opens the file for each call: safe from any thread and process."""

    def __init__(self, file: Path, run: str) -> None:
        """run: as `ratings.run_id`. Nothing is written before something is said."""
        self.file = file
        self.run = run

    def add(
        self,
        *,
        item: str,
        picture_sha256: str,
        prompt_sha256: str,
        rater: str,
        said: Said,
        edit_distance: int | None,
        turn: int | None = None,
    ) -> RatingRow:
        """Keep what a rater says of an item; it takes the place of what the same rater said before.

        Saying what holds already changes nothing: a page that cannot know whether it was heard may say it again.
        turn: grows with whatever a rater says. A request may be overtaken, as that of a page which is left is by the
        next page's: a word of an earlier turn than the item's latest changes nothing. Returns what holds.
        """
        values = (self.run, item, picture_sha256, prompt_sha256, rater, *_cells(said), edit_distance, _now(), None)
        with self._writing() as book:
            last = book.execute(
                "SELECT * FROM rating WHERE run = ? AND rater = ? AND item = ? ORDER BY number DESC LIMIT 1",
                (self.run, rater, item),
            ).fetchone()
            is_overtaken = not _is_in_turn(book, (self.run, "", item, rater), turn)
            if last is not None and (is_overtaken or _row(last).said == said):
                return _row(last)
            return _row(_added(book, values))

    def undo(self, rater: str, *, turn: int | None = None) -> tuple[str, RatingRow | None] | None:
        """Take back what a rater said last and has not taken back yet.

        turn: as in `add`; what was said in a later one stays. Returns the item and what holds for it now (None:
        nothing); None if there is nothing to take back.
        """
        with self._writing() as book:
            last = book.execute(
                "SELECT * FROM rating WHERE run = ? AND rater = ? AND undoes IS NULL AND number NOT IN "
                "(SELECT undoes FROM rating WHERE undoes IS NOT NULL) ORDER BY number DESC LIMIT 1",
                (self.run, rater),
            ).fetchone()
            if last is None:
                return None
            taken = _row(last)
            if not _is_in_turn(book, (self.run, "", taken.item, rater), turn):
                return None
            before = book.execute(
                "SELECT * FROM rating WHERE run = ? AND rater = ? AND item = ? AND number < ? "
                "ORDER BY number DESC LIMIT 1",
                (self.run, rater, taken.item, taken.number),
            ).fetchone()
            old = _row(before) if before is not None else None
            said = old.said if old is not None else Said()
            distance = old.edit_distance if old is not None else None
            hashes = (taken.picture_sha256, taken.prompt_sha256)
            values = (self.run, taken.item, *hashes, rater, *_cells(said), distance, _now(), taken.number)
            now = _row(_added(book, values))
        return taken.item, None if now.said.is_nothing else now

    def current(self, rater: str | None = None) -> list[RatingRow]:
        """What holds now, one row a rater and item, in the order it was said; of one rater, or of all."""
        with self._reading() as book:
            rows = book.execute(
                "SELECT * FROM rating WHERE number IN "
                "(SELECT max(number) FROM rating WHERE run = ? GROUP BY item, rater) "
                "AND (? IS NULL OR rater = ?) ORDER BY number",
                (self.run, rater, rater),
            ).fetchall()
        return [kept for row in rows if not (kept := _row(row)).said.is_nothing]

    def history(self) -> list[RatingRow]:
        """Everything that was ever said of this run, what was changed or taken back included."""
        with self._reading() as book:
            rows = book.execute("SELECT * FROM rating WHERE run = ? ORDER BY number", (self.run,)).fetchall()
        return [_row(row) for row in rows]

    def side(self, second: str, item: str, rater: str, *, drawn: bool) -> bool:
        """Whether this rater sees this item's two rounds swapped: as kept, else as `drawn`, which is kept now."""
        key = (self.run, second, item, rater)
        with self._writing() as book:
            book.execute("INSERT OR IGNORE INTO side VALUES (?, ?, ?, ?, ?)", (*key, drawn))
            found = book.execute(
                "SELECT is_swapped FROM side WHERE run = ? AND second = ? AND item = ? AND rater = ?", key
            ).fetchone()
        return bool(found[0])

    def sides(self, second: str, rater: str) -> dict[str, bool]:
        """Whether this rater sees the two rounds swapped, for each item that he has seen."""
        with self._reading() as book:
            rows = book.execute(
                "SELECT item, is_swapped FROM side WHERE run = ? AND second = ? AND rater = ?",
                (self.run, second, rater),
            ).fetchall()
        return {item: bool(is_swapped) for item, is_swapped in rows}

    def choose(self, second: str, item: str, rater: str, chosen: Chosen | None, *, turn: int | None = None) -> None:
        """Keep which of two rounds a rater prefers for an item; None takes it back. turn: as in `add`."""
        with self._writing() as book:
            if not _is_in_turn(book, (self.run, second, item, rater), turn):
                return
            book.execute(
                "INSERT INTO choice (run, second, item, rater, chosen, at) VALUES (?, ?, ?, ?, ?, ?)",
                (self.run, second, item, rater, chosen, _now()),
            )

    def choices(self, second: str) -> dict[tuple[str, str], Chosen]:
        """What each (item, rater) prefers now between this run and `second`."""
        with self._reading() as book:
            rows = book.execute(
                "SELECT item, rater, chosen FROM choice WHERE run = ? AND second = ? ORDER BY number",
                (self.run, second),
            ).fetchall()
        latest = {(item, rater): chosen for item, rater, chosen in rows}
        return {key: chosen for key, chosen in latest.items() if chosen is not None}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self.file.exists():
            with self._told(), closing(self._open("rw")) as book:
                book.execute("BEGIN")
                if not _is_empty(book):  # else another process is about to say the first word
                    self._check(book)
                    yield book
                    return
        with closing(sqlite3.connect(":memory:")) as nothing:
            _make(nothing)
            yield nothing

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._told(), closing(self._open("rwc")) as book:
            _share(book)
            book.execute("BEGIN IMMEDIATE")
            try:
                if _is_empty(book):
                    _make(book)
                self._check(book)
                book.execute(_TURNS)
                yield book
                book.execute("COMMIT")
            except BaseException:
                if book.in_transaction:
                    book.execute("ROLLBACK")
                raise

    def _open(self, mode: str) -> sqlite3.Connection:
        if mode == "rw" and not os.access(self.file.parent, os.W_OK):
            mode = "ro&immutable=1"  # nobody can write there, SQLite's own notes included
        address = f"{self.file.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)

    def _check(self, book: sqlite3.Connection) -> None:
        if book.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise RatingError(f"{self.file} is another program's database; move it away")
        if _version(book) != VERSION:
            raise RatingError(
                f"{self.file} is of version {_version(book)}, not {VERSION}; use the FlashSight that made it"
            )
        found = book.execute("SELECT run = ? FROM rating ORDER BY 1 DESC LIMIT 1", (self.run,)).fetchone()
        if found is not None and not found[0]:
            raise RatingError(
                f"{self.file} holds ratings of another run than the one in its folder; move it back to its own run"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._in_words(error) from None

    def _in_words(self, error: sqlite3.Error) -> RatingError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return RatingError(
                f"{self.file} is locked by another program; close it there, then rate again", code="ratings_locked"
            )
        if code == sqlite3.SQLITE_FULL:
            return RatingError(f"the disk is full at {self.file}; free some space, then rate again", code="disk_full")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            return RatingError(f"{self.file} cannot be read or written; check the rights of its folder")
        return RatingError(f"{self.file} is damaged or no database of ratings; restore it, or move it away")


def _share(book: sqlite3.Connection) -> None:
    """Bring the file into WAL mode, once in its life. SQLite does not wait at this step for whoever is at it too."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while book.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            book.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _is_empty(book: sqlite3.Connection) -> bool:
    return not book.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _make(book: sqlite3.Connection) -> None:
    for statement in filter(str.strip, _TABLES.split(";")):
        book.execute(statement)
    book.execute(f"PRAGMA application_id = {APPLICATION}")
    book.execute(f"PRAGMA user_version = {VERSION}")


def _version(book: sqlite3.Connection) -> int:
    return int(book.execute("PRAGMA user_version").fetchone()[0])


def _added(book: sqlite3.Connection, values: tuple[Any, ...]) -> tuple[Any, ...]:
    number = book.execute("INSERT INTO rating VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid
    return (number, *values)


def _is_in_turn(book: sqlite3.Connection, about: tuple[str, str, str, str], turn: int | None) -> bool:
    """Whether nothing of a later turn was heard about it; the turn is the latest one then. None: always."""
    if turn is None:
        return True
    changed = book.execute(
        "INSERT INTO turn VALUES (?, ?, ?, ?, ?) ON CONFLICT (run, second, item, rater) "
        "DO UPDATE SET turn = excluded.turn WHERE excluded.turn >= turn.turn",
        (*about, turn),
    )
    return changed.rowcount > 0


def _cells(said: Said) -> tuple[Any, ...]:
    return said.score, json.dumps(said.tags, ensure_ascii=False), said.is_accepted, said.corrected


def _row(cells: tuple[Any, ...]) -> RatingRow:
    number, run, item, picture, prompt, rater, score, tags, accepted, corrected, distance, at, undoes = cells
    said = Said(score=score, tags=tuple(json.loads(tags)), is_accepted=bool(accepted), corrected=corrected)
    return RatingRow(
        number=number,
        run=run,
        item=item,
        picture_sha256=picture,
        prompt_sha256=prompt,
        rater=rater,
        said=said,
        edit_distance=distance,
        at=at,
        undoes=undoes,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
