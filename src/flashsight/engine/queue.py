"""Who is next to get room. Plain lines of sequences; knows nothing of blocks or budgets."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import chain, zip_longest

from flashsight.core.types import Salt
from flashsight.engine.sequence import Kind, Sequence


class WaitingQueue:
    """Preempted answers first, the oldest ahead; then new answers, one of each caller in turn; then prewarming."""

    def __init__(self) -> None:
        self._preempted: list[Sequence] = []
        self._callers: OrderedDict[Salt, deque[Sequence]] = OrderedDict()
        self._prewarms: list[Sequence] = []
        self.num_moves = 0
        """Times that somebody came or went."""

    def __iter__(self) -> Iterator[Sequence]:
        yield from self._preempted
        for line in self._callers.values():
            yield from line
        yield from self._prewarms

    def line(self) -> list[Sequence]:
        """Answers in the order in which they get room, if nobody else comes or goes."""
        rounds = chain.from_iterable(zip_longest(*self._callers.values()))
        return [*self._preempted, *(sequence for sequence in rounds if sequence is not None)]

    def count(self, kind: Kind) -> int:
        """Sequences of one kind that wait."""
        if kind is Kind.PREWARM:
            return len(self._prewarms)
        return len(self._preempted) + sum(map(len, self._callers.values()))

    def push(self, sequence: Sequence) -> None:
        """Put a new or a preempted sequence where it belongs."""
        self.num_moves += 1
        if sequence.kind is Kind.PREWARM:
            insort(self._prewarms, sequence, key=_number)
        elif sequence.num_preempted:
            insort(self._preempted, sequence, key=_number)
        else:
            self._callers.setdefault(sequence.salt, deque()).append(sequence)

    def head(self) -> Sequence | None:
        """Who is next."""
        return next(iter(self), None)

    def pop(self) -> Sequence:
        """Take the head out; its caller goes to the end of the round."""
        sequence = self.head()
        assert sequence is not None
        self.remove(sequence)
        if sequence.salt in self._callers and not sequence.num_preempted and sequence.kind is Kind.ANSWER:
            self._callers.move_to_end(sequence.salt)
        return sequence

    def last_of_greediest(self, salt: Salt) -> Sequence | None:
        """The newest answer of the caller who has most of them in line, if that is two more than `salt` has.

        Only answers that never ran count. Sending it away for one of `salt` makes the line more even.
        """
        line = max(self._callers.values(), key=len, default=None)
        if line is None or len(line) < len(self._callers.get(salt, ())) + 2:
            return None
        return line[-1]

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out wherever it stands."""
        self.num_moves += 1
        if sequence.kind is Kind.PREWARM:
            self._prewarms.remove(sequence)
        elif sequence.num_preempted:
            self._preempted.remove(sequence)
        else:
            line = self._callers[sequence.salt]
            line.remove(sequence)
            if not line:
                del self._callers[sequence.salt]


def _number(sequence: Sequence) -> int:
    return sequence.number
