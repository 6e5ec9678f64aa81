"""Cases whose pictures look the same as an earlier one's, found before anything is asked. Judges no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flashsight.core.errors import FlashSightError
from flashsight.processing.picture import decode
from flashsight.workbench.ask import LOOK_SIDE, BytesGate
from flashsight.workbench.look import alike, fingerprint
from flashsight.workbench.records import Case

AT_ONCE = 4


async def with_likeness(cases: Sequence[Case], root: Path, gate: BytesGate, *, max_bytes: int) -> list[Case]:
    """Return the cases, each that looks like an earlier one of the same prompt naming it in `same_as`.

    Likeness is as `workbench.look` has it, always to a case that is asked itself. A picture that cannot be read is like
    no other.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def looks_of(case: Case) -> tuple[str, ...]:
        async with slots:
            return tuple([await _look(root / picture.path, gate, max_bytes) for picture in case.pictures])

    looks = await asyncio.gather(*map(looks_of, cases))
    groups: dict[tuple[str | None, int], list[int]] = {}
    for at, case in enumerate(cases):
        if looks[at] and all(looks[at]):
            groups.setdefault((case.prompt, len(looks[at])), []).append(at)
    first_of: dict[int, int] = {}
    for places in groups.values():
        for one, other in alike([looks[at] for at in places]):
            if places[one] not in first_of:
                first_of.setdefault(places[other], places[one])
    return [replace(case, same_as=cases[first_of[at]].id) if at in first_of else case for at, case in enumerate(cases)]


async def _look(path: Path, gate: BytesGate, max_bytes: int) -> str:
    """The fingerprint of a picture's file; empty for one that is none."""
    try:
        content = await asyncio.to_thread(_read, path, max_bytes)
        media = await gate.admit_bytes(content, param=path.name)
        return fingerprint(await asyncio.to_thread(decode, media, shown=(LOOK_SIDE, LOOK_SIDE)))
    except (FlashSightError, OSError, ValueError):
        return ""


def _read(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(max_bytes + 1)
