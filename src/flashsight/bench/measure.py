"""What is measured of one answer and of many, and the table that shows it. Takes times in, starts no clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One answer: seconds from sending the request to its first token and to its end, and its tokens."""

    first_seconds: float
    total_seconds: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def token_seconds(self) -> float | None:
        """Time per output token after the first (TPOT); None for a single token."""
        if self.completion_tokens < 2:
            return None
        return (self.total_seconds - self.first_seconds) / (self.completion_tokens - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A workload on one system: medians and 95th percentiles, in milliseconds, and rates per second."""

    system: str
    workload: str
    num_answers: int
    num_failed: int
    prompt_tokens: int
    ttft_p50_ms: float
    ttft_p95_ms: float
    tpot_ms: float
    tokens_per_second: float
    answers_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON takes it."""
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values don't exceed (nearest rank); 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarise(system: str, workload: str, answers: Sequence[Measured], wall_seconds: float, num_failed: int) -> Row:
    """Sum up the answers that a workload gave within wall_seconds."""
    first = [answer.first_seconds * 1e3 for answer in answers]
    per_token = [seconds * 1e3 for answer in answers if (seconds := answer.token_seconds) is not None]
    return Row(
        system=system,
        workload=workload,
        num_answers=len(answers),
        num_failed=num_failed,
        prompt_tokens=answers[0].prompt_tokens if answers else 0,
        ttft_p50_ms=percentile(first, 0.5),
        ttft_p95_ms=percentile(first, 0.95),
        tpot_ms=statistics.median(per_token) if per_token else 0.0,
        tokens_per_second=sum(answer.completion_tokens for answer in answers) / wall_seconds,
        answers_per_second=len(answers) / wall_seconds,
    )


COLUMNS = (
    ("system", "system"),
    ("workload", "workload"),
    ("num_answers", "n"),
    ("num_failed", "failed"),
    ("prompt_tokens", "prompt"),
    ("ttft_p50_ms", "TTFT p50 ms"),
    ("ttft_p95_ms", "p95 ms"),
    ("tpot_ms", "TPOT ms"),
    ("tokens_per_second", "tokens/s"),
    ("answers_per_second", "answers/s"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [" | ".join(head for _, head in COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(_cell(getattr(row, name)) for name, _ in COLUMNS) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return str(value)
