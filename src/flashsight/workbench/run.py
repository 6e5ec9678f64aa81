"""A run: cases through the asker, each kept as it ends, until all have. Goes on where an earlier process stopped.

begin()  writes cases.jsonl, then manifest.json: from then on the folder is a run
go()     asks what the journal doesn't have yet, so many at a time
finish() brings the journal into the order of the cases (`workbench.order`)
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from flashsight.core.errors import FlashSightError
from flashsight.workbench.ask import Asker
from flashsight.workbench.journal import Journal
from flashsight.workbench.order import write_in_order
from flashsight.workbench.pace import Part, add_part
from flashsight.workbench.progress import Progress
from flashsight.workbench.records import Case, Manifest, Run, RunError, to_line
from flashsight.workbench.whole import cannot_write, write_whole

Watch = Callable[[Progress], None]


class RunStopped(FlashSightError):
    """A run could not go on; what was answered is kept. Carries the code of what stopped it."""


@dataclass(frozen=True, slots=True)
class Work:
    """The cases to ask, and for each case that repeats an earlier one's bytes and prompt, the id of that one."""

    asked: tuple[Case, ...]
    first_of: dict[str, str]


def begin(folder: Path, manifest: Manifest, cases: Iterable[Case]) -> Run:
    """Make a folder a run. Raises RunError if it holds anything else, or cannot be written."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; name a folder for --out")
    if folder.is_dir() and any(_is_foreign(path.name) for path in folder.iterdir()):
        raise RunError(f"{folder} holds other files and is no run; name an empty or a new folder for --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    write_whole(folder / "cases.jsonl", (to_line(case) for case in cases))
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2) + "\n"
    write_whole(folder / "manifest.json", [text])
    return Run(folder, manifest)


def _is_foreign(name: str) -> bool:
    """What a process leaves that dies before the folder is a run may be written over."""
    return name != "cases.jsonl" and not name.endswith(".new")


def resume(run: Run, wanted: Manifest) -> Run:
    """Go on with a run. RunError if it asked something else, or about other cases, saying what differs."""
    ours, theirs = asdict(wanted), asdict(run.manifest)
    names = ("model", "prompt", "schema_sha256", "sampling", "thinking", "evidence", "near_once", "media")
    differing = [name.removesuffix("_sha256") for name in names if ours[name] != theirs[name]]
    if ours["source"]["path"] != theirs["source"]["path"]:
        differing.append("source")
    elif wanted.num_cases != run.manifest.num_cases:
        differing.append(f"number of cases ({run.manifest.num_cases}, now {wanted.num_cases})")
    if differing:
        raise RunError(
            f"{run.folder} is a run with another {', '.join(differing)}; "
            "ask as it was asked, or name another folder for --out"
        )
    return run


def plan_work(cases: Sequence[Case]) -> Work:
    """Leave out repetitions; put cases that begin with the same picture side by side, so that caches serve them."""
    first_by_content: dict[tuple[object, ...], str] = {}
    first_of: dict[str, str] = {}
    asked = []
    for case in cases:
        hashes = tuple(picture.sha256 for picture in case.pictures)
        first = case.id
        if hashes and None not in hashes:
            first = first_by_content.setdefault((case.prompt, *hashes), case.id)
        if first == case.id and case.same_as is not None:
            first = first_of.get(case.same_as, case.same_as)
        if first == case.id:
            asked.append(case)
        else:
            first_of[case.id] = first
    places: dict[object, int] = {}
    for place, case in enumerate(asked):
        places.setdefault(_opening(case), place)
    return Work(tuple(sorted(asked, key=lambda case: places[_opening(case)])), first_of)


def _opening(case: Case) -> object:
    return case.pictures[0].sha256 or case.id if case.pictures else case.id


class BatchRun:
    """One process's part of a run."""

    def __init__(self, run: Run, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self._clock = clock
        self._cases = tuple(run.cases())
        self._work = plan_work(self._cases)
        self._num_copies: dict[str, int] = {}
        for first in self._work.first_of.values():
            self._num_copies[first] = self._num_copies.get(first, 0) + 1
        self._num_asked = self._num_pictures = 0

    async def go(self, asker: Asker, *, in_flight: int, watch: Watch = lambda progress: None) -> None:
        """Ask until every case has ended, at most `in_flight` at a time, then put the results in order.

        Raises RunStopped when it cannot go on; asking again goes on from there. Being cancelled loses only the answers
        under way.
        """
        if self.run.is_complete:
            return
        journal = Journal(self.run.folder / "journal.jsonl")
        try:
            await self._ask_all(asker, journal, in_flight, watch)
            self._finish(journal)
        except FlashSightError as error:
            saved = sum(1 + self._num_copies.get(case.id, 0) for case in self._work.asked if case.id in journal)
            onward = "the same command goes on from there"
            if error.code == "invalid_schema" and not saved:
                onward = "with another schema it is another run: name another folder for --out"
            raise RunStopped(
                f"{error.message}. {saved} of {len(self._cases)} cases are saved in {self.run.folder}; {onward}",
                code=error.code,
            ) from None
        finally:
            journal.close()
        (self.run.folder / "journal.jsonl").unlink(missing_ok=True)

    async def _ask_all(self, asker: Asker, journal: Journal, in_flight: int, watch: Watch) -> None:
        left = [case for case in self._work.asked if case.id not in journal]
        num_before = len(self._cases) - sum(1 + self._num_copies.get(case.id, 0) for case in left)
        began_at = self._clock()
        num_done = num_before

        def report() -> None:
            watch(
                Progress(
                    num_cases=len(self._cases),
                    num_before=num_before,
                    num_done=num_done,
                    num_failed=journal.num_failed,
                    num_asked=self._num_asked,
                    num_pictures=self._num_pictures,
                    num_left_to_ask=len(left) - self._num_asked,
                    seconds=self._clock() - began_at,
                )
            )

        async def worker(cases: Iterator[Case]) -> None:
            nonlocal num_done
            for case in cases:
                result, timing, doubt = await asker.ask(case)
                journal.append(result, timing, doubt)
                self._num_asked += 1
                self._num_pictures += len(case.pictures)
                num_done += 1 + self._num_copies.get(case.id, 0)
                report()

        report()
        queue = iter(left)
        try:
            await _all_or_none([asyncio.create_task(worker(queue)) for _ in range(min(in_flight, len(left)))])
        finally:
            self._keep_pace(self._clock() - began_at, in_flight)

    def _keep_pace(self, seconds: float, in_flight: int) -> None:
        if self._num_pictures:
            part = Part(num_pictures=self._num_pictures, seconds=round(seconds, 3), in_flight=in_flight)
            with suppress(OSError):  # a full disk is told by the journal, which matters
                add_part(self.run.folder, part)

    def _finish(self, journal: Journal) -> None:
        write_in_order(self.run.folder, self._cases, self._work.first_of, journal)


async def _all_or_none(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all; the first error ends the others and is raised."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
