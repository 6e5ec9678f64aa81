"""Who waits for room, for other threads to read. Moves nobody."""

from __future__ import annotations

from collections.abc import Mapping

from flashsight.core.line import Waiting
from flashsight.engine.request import Request
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.sequence import SequenceId


class Line:
    """The line as of the last step. `waiting` is replaced, never changed, so any thread may read it."""

    def __init__(self) -> None:
        self.waiting: tuple[Waiting, ...] = ()
        self._num_moves = 0

    def renew(self, scheduler: Scheduler, requests: Mapping[SequenceId, Request]) -> bool:
        """Look again, if anybody has come or gone since; True if so. On the engine's thread only."""
        if scheduler.queue.num_moves == self._num_moves:
            return False
        self._num_moves = scheduler.queue.num_moves
        num_running = scheduler.snapshot().num_running
        self.waiting = tuple(
            Waiting(
                request_id=requests[sequence.id].request_id,
                salt=sequence.salt,
                position=position,
                seconds=scheduler.tally.seconds_until_served(position, num_served_at_once=num_running),
            )
            for position, sequence in enumerate(scheduler.queue.line(), start=1)
        )
        return True
