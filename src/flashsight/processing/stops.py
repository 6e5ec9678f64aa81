"""Stop strings over a stream of text. Knows no tokens."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Cuts one answer at the stop string that is complete first (the longest of those complete at the same character).

    The text joined is the same however the stream was cut into pieces. What may still become a stop is held back.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Empty stop strings are ignored: they would end every answer before it begins."""
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.is_stopped = False

    def push(self, text: str) -> str:
        """Return the text that may be shown now; empty for ever once `is_stopped`."""
        if self.is_stopped:
            return ""
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            return self._release(min(found)[1], keep=False)
        return self._release(len(self._held) - self._hopeful())

    def finish(self) -> str:
        """Return what was held back in vain."""
        return "" if self.is_stopped else self._release(len(self._held))

    def _hopeful(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0

    def _release(self, end: int, *, keep: bool = True) -> str:
        shown, self._held = self._held[:end], self._held[end:] if keep else ""
        return shown
