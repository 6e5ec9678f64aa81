"""Whose prompt is read next: every other step the oldest, and between them whoever has had least. Touches no tensor.

So a newcomer's prompt advances in every second step however many others one caller has sent, and the oldest does so
however many callers come after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Line

from flashsight.core.types import Salt
from flashsight.engine.plan import Chunk
from flashsight.engine.sequence import Phase, Sequence


class Turns:
    """Counts the prompt tokens of each caller for as long as one of its sequences is running."""

    def __init__(self) -> None:
        self._num_read: Counter[Salt] = Counter()
        self._is_oldest_next = True

    def order(self, running: Iterable[Sequence]) -> list[Sequence]:
        """Those that still read, in the order in which they may; `running` comes in order of rank."""
        running = list(running)
        for salt in self._num_read.keys() - {sequence.salt for sequence in running}:
            del self._num_read[salt]
        reading = [sequence for sequence in running if sequence.phase is not Phase.DECODE]
        if not self._is_oldest_next:
            reading.sort(key=lambda sequence: (sequence.kind, self._num_read[sequence.salt], sequence.number))
        return reading

    def note(self, chunks: Line[Chunk]) -> None:
        """These chunks of prompts were planned; if there were any, the next step has the other order."""
        for chunk in chunks:
            self._num_read[chunk.sequence.salt] += chunk.num_tokens
        if chunks:
            self._is_oldest_next = not self._is_oldest_next
