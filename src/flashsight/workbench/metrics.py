"""What is right, field by field: pure functions of gold cells and answers. Knows no picture, no file, no run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flashsight.workbench.rules import Kind, Rules
from flashsight.workbench.statistics import Figure, at_one_end, mean_share, resampled, share
from flashsight.workbench.words import number_of, parts_of

MISSING = "—"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One field of one picture. score: the F1 for `labels`, else 0 or 1. expected, got: as they were compared."""

    is_right: bool
    score: float
    expected: str
    got: str


def judge(field: str, kind: Kind, expected: Sequence[str], got: object, rules: Rules) -> Judgement:
    """Hold an answer's value against the gold cells of a field that is no text."""
    if kind == "number":
        return _judge_number(field, expected, got, rules)
    wanted, found = labels_of(field, expected, rules), labels_of(field, got, rules)
    whole = {rules.canonical(field, cell) for cell in expected}
    is_right = wanted == found or (isinstance(got, str) and rules.canonical(field, got) in whole and len(whole) == 1)
    score = f1(wanted, found) if kind == "labels" and not is_right else float(is_right)
    return Judgement(is_right=is_right, score=score, expected=_shown(wanted), got=_shown(found))


def f1(expected: frozenset[str], got: frozenset[str]) -> float:
    """Harmonic mean of precision and recall of two sets of labels; two empty sets agree."""
    if not expected and not got:
        return 1.0
    return 2 * len(expected & got) / (len(expected) + len(got))


def labels_of(field: str, value: object, rules: Rules) -> frozenset[str]:
    """The labels that a value or a list of values names, each in its one spelling."""
    if value is None:
        return frozenset()
    values = value if isinstance(value, list | tuple) else (value,)
    words = [part for one in values for part in parts_of(spelled(one))]
    return frozenset(rules.canonical(field, word) for word in words)


def spelled(value: object) -> str:
    """A value of an answer as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "、".join(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _judge_number(field: str, expected: Sequence[str], got: object, rules: Rules) -> Judgement:
    wanted, found = number_of(expected[0]) if len(expected) == 1 else None, number_of(got)
    shown_got = spelled(got) or MISSING
    if wanted is None or found is None:
        is_right = got is not None and rules.canonical(field, spelled(got)) == rules.canonical(field, expected[0])
        return Judgement(is_right=is_right, score=float(is_right), expected=expected[0], got=shown_got)
    room = rules.tolerance_of(field) * abs(wanted) + 1e-9 * max(1.0, abs(wanted))  # 1e-9: binary fractions
    is_right = abs(found - wanted) <= room
    return Judgement(is_right=is_right, score=float(is_right), expected=f"{wanted:g}", got=f"{found:g}")


def _shown(labels: frozenset[str]) -> str:
    return "、".join(sorted(labels)) or MISSING


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """How a category is told apart: recall and precision per gold class, their mean, and what was taken for what."""

    recall: Mapping[str, Figure]
    precision: Mapping[str, Figure]
    macro_recall: Figure
    confusion: Mapping[str, Mapping[str, int]]


def classes(judged: Sequence[Judgement], *, seed: int = 0) -> Classes:
    """Recall per class and confusion; an answer of no class at all stands in the column `—`."""
    pairs = [(one.expected, one.expected if one.is_right else one.got) for one in judged]
    names = sorted({expected for expected, _ in pairs})
    confusion = {
        name: dict(Counter(got for expected, got in pairs if expected == name).most_common()) for name in names
    }
    taken = Counter(got for _, got in pairs)
    recall = {name: share(confusion[name].get(name, 0), sum(confusion[name].values())) for name in names}
    precision = {name: share(confusion[name].get(name, 0), taken[name]) for name in names}

    def macro(places: Sequence[int]) -> float:
        totals, hits = Counter(pairs[at][0] for at in places), Counter(pairs[at][0] for at in places if _hit(pairs[at]))
        return sum(hits[name] / totals[name] for name in totals) / len(totals)

    macro_recall = at_one_end(resampled(len(pairs), macro, seed=seed))
    return Classes(recall=recall, precision=precision, macro_recall=macro_recall, confusion=confusion)


def _hit(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def attribute_accuracy(judged: Sequence[Sequence[bool]], *, seed: int = 0) -> Figure:
    """The share of right attributes per picture, averaged; drawn by picture, as its attributes hang together."""
    return mean_share([sum(picture) / len(picture) for picture in judged if picture], seed=seed)
