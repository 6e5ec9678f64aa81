"""From the journal, in the order that cases ended, to results and timings in the order of the cases.

Repetitions get their first's answer; cases whose pictures look the same but whose answers differ name each other. Holds
no more in memory than the looks of the pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flashsight.workbench.journal import Journal
from flashsight.workbench.look import alike
from flashsight.workbench.records import Case, Doubt, Result, Timing, to_line
from flashsight.workbench.whole import write_whole

LONG_TEXT = 24
"""Texts beyond this many characters are worded, not found: two of them may differ without disagreeing."""


def write_in_order(folder: Path, cases: Sequence[Case], first_of: Mapping[str, str], journal: Journal) -> None:
    """Write timings.jsonl, doubts.jsonl if anything was kept of it, then results.jsonl.

    first_of: the id whose answer a repetition shares. Raises RunError where they cannot be written.
    """
    disagreeing = _disagreeing([case for case in cases if case.id not in first_of], journal)
    write_whole(folder / "timings.jsonl", (to_line(_timing(case, first_of, journal)) for case in cases))
    if any(journal.doubt(case.id) for case in cases if case.id not in first_of):
        write_whole(folder / "doubts.jsonl", (to_line(_doubt(case, first_of, journal)) for case in cases))
    write_whole(folder / "results.jsonl", (to_line(_result(case, first_of, journal, disagreeing)) for case in cases))


def disagree(one: Result, other: Result) -> bool:
    """True if two answers say different things: a short field of JSON differs, or, without JSON, the text."""
    if one.error is not None or other.error is not None:
        return False
    if one.parsed is None or other.parsed is None:
        return one.answer != other.answer
    return any(
        _differ(one.parsed.get(name), other.parsed.get(name)) for name in one.parsed.keys() | other.parsed.keys()
    )


def _differ(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one != other and max(len(one), len(other)) <= LONG_TEXT
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) != sorted(map(str, other))
    return bool(one != other)


def _result(
    case: Case, first_of: Mapping[str, str], journal: Journal, disagreeing: Mapping[str, Sequence[str]]
) -> Result:
    first = first_of.get(case.id)
    result, _ = journal.read(first or case.id)
    looks_like = tuple(disagreeing.get(case.id, ()))
    return replace(
        result, id=case.id, pictures=case.pictures, columns=case.columns, duplicate_of=first, looks_like=looks_like
    )


def _timing(case: Case, first_of: Mapping[str, str], journal: Journal) -> Timing:
    if case.id in first_of:
        return Timing(id=case.id, total_ms=0.0, attempts=0)
    return journal.read(case.id)[1]


def _doubt(case: Case, first_of: Mapping[str, str], journal: Journal) -> Doubt:
    kept = journal.doubt(first_of.get(case.id, case.id))
    return Doubt(id=case.id, margins=kept.margins if kept is not None else {})


def _disagreeing(cases: Sequence[Case], journal: Journal) -> dict[str, list[str]]:
    """For each case, the others that look the same, were asked the same and were answered otherwise."""
    groups: dict[tuple[str | None, int], list[tuple[str, tuple[str, ...]]]] = {}
    for case in cases:
        looks = journal.read(case.id)[0].picture_hashes
        if looks:
            groups.setdefault((case.prompt, len(looks)), []).append((case.id, looks))
    found: dict[str, list[str]] = {}
    for one, other in _pairs(groups.values()):
        if disagree(journal.read(one)[0], journal.read(other)[0]):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def _pairs(groups: Iterable[Sequence[tuple[str, tuple[str, ...]]]]) -> Iterator[tuple[str, str]]:
    for group in groups:
        for one, other in alike([looks for _, looks in group]):
            yield group[one][0], group[other][0]
