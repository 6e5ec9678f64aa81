"""What a run of the suite says: its figures beside marks and goals, and how far two runs agree. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flashsight.bench.suite import MARKS, Mark, Outcome

_HEADS = ("figure", "p50 (p95)", "goal", "reached", "vLLM tuned", "ratio", "transformers", "floor")


def beside_marks(outcome: Outcome) -> str:
    """Return the table of one run in Markdown. ratio: how many times better than the tuned vLLM."""
    return _table(_HEADS, [_cells(outcome, mark) for mark in MARKS])


def about_steps(outcome: Outcome) -> str:
    """Say in one line how the engine ran its steps, from its own numbers; nothing of servers that have none."""
    found = outcome.about.get("engine") or {}
    gaps = found.get("gaps_total", 0)
    idle = f", the device idle for {found['gap_microseconds_total'] / gaps:.0f} us between two" if gaps else ""
    return (
        f"{found['steps_total']:.0f} steps, {found.get('steps_ahead_total', 0):.0f} of them launched ahead, on "
        f"{'kernels of its own' if found.get('kernels_in_use') else 'torch kernels'} with "
        f"{found.get('forms_recorded', 0):.0f} forms recorded{idle}"
        if found
        else ""
    )


def _cells(outcome: Outcome, mark: Mark) -> tuple[str, ...]:
    value = outcome.value(mark)
    tuned = mark.vllm[1] if mark.vllm else None
    return (
        mark.title,
        "–" if value is None else _pair(*value),
        ("≥ " if mark.figure == "rate" else "≤ ") + _pair(mark.goal, mark.goal_p95),
        "–" if value is None else "yes" if reaches(mark, *value) else "no",
        _number(tuned),
        "–" if value is None or tuned is None else f"{_times_better(mark, value[0], tuned):.2f}x",
        _number(mark.transformers),
        _number(mark.floor),
    )


def reaches(mark: Mark, value: float, p95: float | None = None) -> bool:
    """True if a figure, and its 95th percentile where the goal names one, is as good as the goal."""
    if mark.figure == "rate":
        return value >= mark.goal
    return value <= mark.goal and (mark.goal_p95 is None or p95 is None or p95 <= mark.goal_p95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One figure in two runs. change: the second over the first, less one."""

    title: str
    first: float
    second: float

    @property
    def change(self) -> float:
        """0.05 stands for 5 % more."""
        return self.second / self.first - 1 if self.first else 0.0


def agreements(first: Outcome, second: Outcome) -> list[Agreement]:
    """The figures that both runs have."""
    pairs = [(mark, first.value(mark), second.value(mark)) for mark in MARKS]
    return [Agreement(title=mark.title, first=a[0], second=b[0]) for mark, a, b in pairs if a and b]


def side_by_side(rows: Sequence[Agreement], *, within: float) -> str:
    """Return the table of two runs in Markdown. within: the largest change that still counts as equal."""
    heads = ("figure", "first", "second", "change", f"within {within:.0%}")
    return _table(
        heads,
        [
            (row.title, _number(row.first), _number(row.second), f"{row.change:+.1%}", _yes(abs(row.change) <= within))
            for row in rows
        ],
    )


def _times_better(mark: Mark, value: float, tuned: float) -> float:
    if value == 0:
        return 0.0
    return value / tuned if mark.figure == "rate" else tuned / value


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _pair(value: float, p95: float | None) -> str:
    return _number(value) if p95 is None else f"{_number(value)} ({_number(p95)})"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 200 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(heads), " | ".join("---" for _ in heads), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
