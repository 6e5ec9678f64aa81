"""Notices that other processes want the same cores, and lets torch compute on one thread for so long. Runs no model.

Threads of one product wait for each other a hundred times a step. Where the system puts one of them aside for some
milliseconds all wait, and a step takes up to a hundred times as long; one thread alone only gets its share.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Of computing, between two looks."""
CROWDED, FREE = 0.2, 0.08
"""Share of its time that the computing thread waits for a core: above the one it is crowded, below the other free."""


class Crowd:
    """Watches the thread that it is made on; `look` belongs behind each step of it."""

    def __init__(
        self,
        set_threads: Callable[[int], object],
        num_threads: int,
        *,
        scheduled: Path = Path("/proc/thread-self/schedstat"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """set_threads: torch.set_num_threads, which holds for the calling thread. scheduled: as Linux's sched-stats."""
        self._set_threads, self._num_threads = set_threads, num_threads
        self._scheduled, self._clock = scheduled, clock
        self._looked_at = clock()
        self._seen = self._times() if num_threads > 1 else None
        self.is_crowded = False

    @classmethod
    def around_torch(cls) -> Crowd:
        """One that sets torch's threads for the calling thread."""
        import torch

        return cls(torch.set_num_threads, torch.get_num_threads())

    def look(self) -> None:
        """Change the number of threads if others came or left; at most every LOOK_SECONDS of computing."""
        if self._seen is None or self._clock() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = self._clock()
        times = self._times()
        if times is None:
            return
        ran, waited = (now - before for now, before in zip(times, self._seen, strict=True))
        if ran + waited < LOOK_SECONDS * 1e9 / 2:
            return  # it slept most of the time, so look again when there is more to go by
        self._seen = times
        share = waited / (ran + waited)
        if not self.is_crowded and share > CROWDED:
            self._change(True, "other processes want the cores: computing on one thread")
        elif self.is_crowded and share < FREE:
            self._change(False, "the cores are free again: computing on all threads")

    def _change(self, is_crowded: bool, said: str) -> None:
        self.is_crowded = is_crowded
        self._set_threads(1 if is_crowded else self._num_threads)
        _log.info(said)

    def _times(self) -> tuple[int, int] | None:
        """Nanoseconds that this thread ran and that it waited for a core; None where the system does not tell."""
        try:
            ran, waited = self._scheduled.read_text().split()[:2]
            return int(ran), int(waited)
        except (OSError, ValueError):
            return None
