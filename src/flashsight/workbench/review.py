"""What reviewing the most doubtful answers first is worth, counted on a gold set. Reads margins, asks nobody.

A reviewed picture counts as right. The curve tells, for each share of pictures reviewed, what share of all fields is
right then; equal doubts are reviewed in no particular order, which is told by their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashsight.workbench.charts import Series, as_percent, line_chart
from flashsight.workbench.records import Result, Run, RunError
from flashsight.workbench.rules import Rules
from flashsight.workbench.sections import JudgedCase
from flashsight.workbench.statistics import CONFIDENCE, RESAMPLES, Figure, mean_share

NO_ANSWER = 2.0
"""The doubt of a picture without an answer: more than any margin makes."""

_GRID = np.linspace(0.0, 1.0, 51)

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """The curve of one run. accuracy: without review. needed: share to review for the target, by doubt.

    in_random_order: the share that it takes without any order. curve: (reviewed, right, low, high). distribution: whose
    probabilities the margins are of, as `distribution_of`.
    """

    run: str
    num: int
    accuracy: Figure
    target: float
    needed: Figure
    in_random_order: float
    curve: tuple[tuple[float, float, float, float], ...]
    distribution: str

    @property
    def is_order_of_use(self) -> bool:
        """Whether the interval tells that the order by doubt takes less review than none."""
        return self.needed.high is not None and self.needed.high < self.in_random_order

    def as_dict(self) -> dict[str, Any]:
        """The review for JSON."""
        return {
            "run": self.run,
            "pictures": self.num,
            "attribute_accuracy": self.accuracy.as_dict(),
            "target": self.target,
            "review_needed": self.needed.as_dict(),
            "review_needed_in_random_order": round(self.in_random_order, 6),
            "curve": [[round(value, 6) for value in point] for point in self.curve],
            "probabilities": self.distribution,
        }

    def chart(self, *, title: str, x_label: str, y_label: str, names: tuple[str, str]) -> str:
        """The curve with its band against random order, as SVG; names: of the two lines."""
        by_doubt = Series(
            name=names[0],
            points=[(x, y) for x, y, _, _ in self.curve],
            band=[(x, low, high) for x, _, low, high in self.curve],
        )
        start = self.curve[0][1]
        at_random = Series(name=names[1], points=[(0.0, start), (1.0, 1.0)], is_dashed=True)
        bottom = min(low for _, _, low, _ in self.curve)
        return line_chart(
            [by_doubt, at_random],
            title=title,
            x_label=x_label,
            y_label=y_label,
            x_range=(0.0, 1.0),
            y_range=(min(bottom, 0.95), 1.0),
            x_words=as_percent,
            y_words=as_percent,
            marks=[(self.needed.value, self.target)] if self.needed.value else (),
        )


def doubts_of(run: Run, rules: Rules) -> dict[str, float]:
    """The doubt of each case that has one, 1 less its least margin; failures have NO_ANSWER.

    A field that words something freely has many right wordings and low margins: it counts only where there is no other.
    Empty for a run whose margins were not kept.
    """
    margins = {one.id: one.margins for one in run.doubts()}
    if not any(margins.values()):
        return {}
    schema = run.manifest.schema
    found = {}
    for result in run.results():
        kept = _short(margins.get(result.id, {}), lambda name: rules.kind_of(name, schema) == "text")
        if result.error is not None or result.parsed is None:
            found[result.id] = NO_ANSWER
        elif kept:
            found[result.id] = 1.0 - min(kept.values())
    return found


def by_doubt(results: Sequence[Result], doubts: Mapping[str, float]) -> list[Result]:
    """The most doubtful first; what has no doubt of its own comes last, in the order of the run."""
    return sorted(results, key=lambda result: -doubts.get(result.id, -1.0))


def distribution_of(run: Run) -> str:
    """Whose probabilities a run's margins are of."""
    if run.manifest.model.url is None:
        return "of the tokens that the schema allows, before the temperature"
    return "as the other server tells them; many leave the schema out of account"


def review(
    run: Run, cases: Sequence[JudgedCase], doubts: Mapping[str, float], *, target: float, seed: int = 0
) -> Review:
    """Count what review takes. Raises RunError where no judged picture has both a margin and a judged field."""
    used = [case for case in cases if case.fields and case.id in doubts]
    if not used:
        raise RunError(
            f"{run.folder} has no margins for the pictures of the gold table; run `flashsight batch` with a schema anew"
        )
    doubt_N = np.array([doubts[case.id] for case in used])
    right_N = np.array([float(np.mean([one.is_right for one in case.fields.values()])) for case in used])
    accuracy = mean_share(right_N.tolist(), seed=seed)
    drawn = np.random.default_rng(seed).integers(0, len(used), (RESAMPLES // 4, len(used)))
    curves = np.array([_curve(doubt_N[at], right_N[at]) for at in drawn])
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(curves, [tail, 1 - tail], axis=0)
    shares = [_share_for(curve, target) for curve in curves]
    low, high = np.quantile(shares, [tail, 1 - tail])
    curve = _curve(doubt_N, right_N)
    needed = Figure(
        value=_share_for(curve, target), low=float(low), high=float(high), num=len(used), method="bootstrap"
    )
    start = float(curve[0])
    return Review(
        run=str(run.folder),
        num=len(used),
        accuracy=accuracy,
        target=target,
        needed=needed,
        in_random_order=max(0.0, (target - start) / (1 - start)) if start < 1 else 0.0,
        curve=tuple(
            (float(x), float(y), float(a), float(b)) for x, y, a, b in zip(_GRID, curve, lows, highs, strict=True)
        ),
        distribution=distribution_of(run),
    )


def _short(margins: Mapping[str, float], is_text: Callable[[str], bool]) -> Mapping[str, float]:
    return {name: margin for name, margin in margins.items() if not is_text(name)} or margins


def _curve(doubt_N: Floats, right_N: Floats) -> Floats:
    """The share of right fields at each place of the grid, the most doubtful reviewed first."""
    _, group_N = np.unique(-doubt_N, return_inverse=True)
    sizes, sums = np.bincount(group_N), np.bincount(group_N, weights=right_N)
    reviewed = np.concatenate([[0.0], np.cumsum(sizes)]) / len(doubt_N)
    right = np.concatenate([[right_N.sum()], right_N.sum() + np.cumsum(sizes - sums)]) / len(doubt_N)
    return np.interp(_GRID, reviewed, right)


def _share_for(curve: Floats, target: float) -> float:
    """The least share whose curve reaches the target, between places of the grid by a straight line."""
    at = int(np.argmax(curve >= target - 1e-12))
    if at == 0:
        return 0.0
    step = (target - curve[at - 1]) / (curve[at] - curve[at - 1])
    return float(_GRID[at - 1] + step * (_GRID[at] - _GRID[at - 1]))
