"""What the scheduler counts: totals that only grow, and how long a sequence takes. Reads no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from flashsight.engine.pictures import PictureState
from flashsight.engine.sequence import Kind, Sequence

_FIRST_GUESS_SECONDS = 2.0
_NEWEST_WEIGHT = 0.2
_SHORTEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the start.

    `prefix_hits` of `prefix_asked` prompt tokens came from the prefix cache. `encoder_calls` are batches;
    `pictures_recalled` came from host memory or disk instead. A picture is a hit if its features were there when its
    sequence was admitted; if the prefix cache has its tokens it is not asked for. Prewarmed sequences are among the
    finished. `drafts_held` of `drafts_made` guessed tokens were right.
    """

    finished: int = 0
    prewarmed: int = 0
    aborted: int = 0
    failed: int = 0
    refused: int = 0
    preemptions: int = 0
    encoder_calls: int = 0
    pictures_encoded: int = 0
    pictures_recalled: int = 0
    picture_hits: int = 0
    picture_misses: int = 0
    prefix_hits: int = 0
    prefix_asked: int = 0
    drafts_made: int = 0
    drafts_held: int = 0


@dataclass(slots=True)
class Tally:
    """Running totals and the observed service time, a mean that forgets."""

    counts: dict[str, int] = field(default_factory=dict)
    mean_service_seconds: float = _FIRST_GUESS_SECONDS

    def add(self, name: str, count: int = 1) -> None:
        """Count; `name` is a field of Totals."""
        self.counts[name] = self.counts.get(name, 0) + count

    def totals(self) -> Totals:
        """The totals as they stand."""
        return Totals(**self.counts)

    def record_pictures(self, states: Iterable[PictureState]) -> None:
        """Count how the pictures of a newly admitted sequence were found."""
        for state in states:
            self.add("picture_hits" if state is PictureState.ENCODED else "picture_misses")

    def record_prefix(self, sequence: Sequence) -> None:
        """Count what the prefix cache gave a sequence before its first chunk."""
        self.add("prefix_hits", sequence.num_prompt_cached)
        self.add("prefix_asked", sequence.num_prompt)

    def record_finish(self, sequence: Sequence, now: float) -> None:
        """Count a finished sequence, and learn from an answer how long one takes."""
        self.add("finished")
        self.add("prewarmed", sequence.kind is Kind.PREWARM)
        if sequence.kind is Kind.ANSWER and sequence.admitted_at is not None:
            service_seconds = max(0.0, now - sequence.admitted_at)
            self.mean_service_seconds += _NEWEST_WEIGHT * (service_seconds - self.mean_service_seconds)

    def seconds_until_served(self, num_waiting: int, *, num_served_at_once: int) -> float:
        """Time until everyone who waits now has had a turn, by the observed service time."""
        seconds = self.mean_service_seconds * num_waiting / max(1, num_served_at_once)
        return min(max(seconds, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
