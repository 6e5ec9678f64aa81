"""How far a run is, and when it will be done. Shows nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Counts of cases. num_before of num_done had ended before this process; a duplicate ends with its first.

    num_asked cases and their num_pictures pictures were answered by the model in `seconds`, by this process.
    """

    num_cases: int
    num_before: int
    num_done: int
    num_failed: int
    num_asked: int
    num_pictures: int
    num_left_to_ask: int
    seconds: float

    @property
    def pictures_per_second(self) -> float:
        """Over the whole time of this process; duplicates don't count."""
        return self.num_pictures / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_seconds(self) -> float | None:
        """Until the end, at the pace so far; None before the first answer."""
        if not self.num_asked:
            return None
        return self.num_left_to_ask * self.seconds / self.num_asked
