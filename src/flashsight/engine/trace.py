"""What the engine did when, for whoever looks at one request. Written by the engine's thread, read when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Lane = Literal["request", "decode", "encode", "prefill", "step"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that lasted; seconds of the engine's clock. lane: what kind of work. note: how much of it."""

    lane: Lane
    note: str
    started_at: float
    ended_at: float


class Trace:
    """Collects events. `wait` is called before a piece of work counts as ended: a GPU is asked to have finished it."""

    def __init__(self, *, clock: Callable[[], float], wait: Callable[[], object] = lambda: None) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._wait = wait

    def add(self, lane: Lane, note: str, started_at: float, ended_at: float) -> None:
        """Note what another thread has timed."""
        self.events.append(Event(lane, note, started_at, ended_at))

    def ended(self, lane: Lane, note: str, started_at: float) -> None:
        """Note what ends now."""
        self._wait()
        self.add(lane, note, started_at, self._clock())
