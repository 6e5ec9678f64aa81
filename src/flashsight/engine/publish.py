"""Carries events from the engine's thread to the event loops that wait for them. Knows no tensor and no schedule.

One wake-up per step and event loop, however many sequences the step moved.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from flashsight.core.types import TokenEvent
from flashsight.engine.sequence import SequenceId

Letter = TokenEvent | Exception

FIRST_OUT_SECONDS = 0.0005
"""How long an event loop takes to send a first token if nobody else wants the interpreter's lock."""


class Ticket:
    """The caller's end of one sequence: letters arrive in order, on the caller's event loop.

    An exception is the last letter, and so is an event with a finish.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sequence_id: SequenceId) -> None:
        self.loop = loop
        self.sequence_id = sequence_id
        self.is_over = False
        """The last letter has arrived."""
        self._letters: deque[Letter] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def next(self) -> TokenEvent:
        """Wait for the next event; raise the error that ended the sequence, if one did."""
        while not self._letters:
            self._waiter = self.loop.create_future()
            await self._waiter
        letter = self._letters.popleft()
        if isinstance(letter, Exception):
            raise letter
        return letter

    def receive(self, letter: Letter) -> None:
        """Take a letter; called on the event loop."""
        self._letters.append(letter)
        self.is_over = isinstance(letter, Exception) or letter.finish is not None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Outbox:
    """Collects the letters of a step and sends them with one call per event loop. Used by the engine's thread only."""

    def __init__(self) -> None:
        self._letters: dict[asyncio.AbstractEventLoop, list[tuple[Ticket, Letter]]] = {}
        self._has_first = False

    def put(self, ticket: Ticket, letter: Letter) -> None:
        """Hold a letter until the next flush."""
        self._has_first |= isinstance(letter, TokenEvent) and letter.stats is not None
        self._letters.setdefault(ticket.loop, []).append((ticket, letter))

    def flush(self) -> list[Ticket]:
        """Send what is held; return the tickets whose event loop is gone, for nobody reads their answers any more."""
        lost: list[Ticket] = []
        for loop, letters in self._letters.items():
            try:
                loop.call_soon_threadsafe(_deliver, letters)
            except RuntimeError:
                lost.extend(ticket for ticket, _ in letters)
        self._letters = {}
        return lost

    def let_pass(self) -> None:
        """Leave the interpreter to the event loops for a moment if a first token has just gone out to them.

        For whoever has time, as while the device computes: else each of their calls waits for the lock.
        """
        if self._has_first:
            time.sleep(FIRST_OUT_SECONDS)
        self._has_first = False


def _deliver(letters: list[tuple[Ticket, Letter]]) -> None:
    for ticket, letter in letters:
        ticket.receive(letter)
