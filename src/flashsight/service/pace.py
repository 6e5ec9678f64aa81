"""How fast pictures have been read lately, so that the time of the next can be told before asking. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flashsight.core.types import PromptStats, Usage
from flashsight.service.chat import Outcome

_NEWEST_WEIGHT = 0.2
_FEWEST_TOKENS = 64
"""A pass over fewer tokens costs about as much as one over this many, and would make every token look dear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds that a picture would take if no cache had it: decoding with encoding, and the prefill of its tokens."""

    picture_seconds: float
    prefill_seconds: float


class Pace:
    """Means that forget, of seconds per token. A ChatObserver and a LibraryObserver: hand it to both."""

    def __init__(self) -> None:
        self._picture_rate: float | None = None
        self._prefill_rate: float | None = None

    def ended(self, outcome: Outcome) -> None:
        """Learn from an answer."""
        if outcome.usage is not None:
            self._learn(outcome.usage)

    def prewarmed(self, outcome: str, stats: PromptStats | None) -> None:
        """Learn from a picture that was read ahead."""
        if stats is not None:
            self._learn(stats)

    def uploaded(self, num_bytes: int) -> None:
        """Learn nothing: taking bytes in is the network's pace."""

    def prewarm_used(self, when: Literal["ready", "in_flight"]) -> None:
        """Learn nothing: the answer itself tells."""

    def estimate(self, num_tokens: int) -> Estimate | None:
        """Tell what a picture of so many tokens would take; None until one has been read and its tokens computed."""
        if self._picture_rate is None or self._prefill_rate is None:
            return None
        return Estimate(
            picture_seconds=self._picture_rate * num_tokens, prefill_seconds=self._prefill_rate * num_tokens
        )

    def _learn(self, spent: Usage | PromptStats) -> None:
        is_new = spent.picture_level == "none" and spent.timings.encode_seconds > 0
        if is_new and spent.picture_tokens >= _FEWEST_TOKENS:
            seconds = spent.timings.decode_seconds + spent.timings.encode_seconds
            self._picture_rate = _mixed(self._picture_rate, seconds / spent.picture_tokens)
        num_computed = spent.prompt_tokens - spent.cached_tokens
        if num_computed >= _FEWEST_TOKENS and spent.timings.prefill_seconds > 0:
            self._prefill_rate = _mixed(self._prefill_rate, spent.timings.prefill_seconds / num_computed)


def _mixed(rate: float | None, newest: float) -> float:
    return newest if rate is None else rate + _NEWEST_WEIGHT * (newest - rate)
