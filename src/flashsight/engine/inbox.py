"""What other threads tell the engine's thread, in order. Knows nothing of what the messages cause."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Condition

from flashsight.core.errors import FlashSightError
from flashsight.core.types import PictureKey
from flashsight.engine.request import Request
from flashsight.engine.sequence import SequenceId


@dataclass(frozen=True, slots=True)
class Submit:
    """A new request."""

    request: Request


@dataclass(frozen=True, slots=True)
class Abort:
    """Nobody waits for this sequence any more."""

    sequence_id: SequenceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A picture has left its decoding thread; times in seconds of the engine's clock."""

    key: PictureKey
    outcome: object = field(repr=False)
    """uint8 pixels [height, width, 3], or the FlashSightError that ends whoever needs them."""
    started_at: float
    ended_at: float

    @property
    def error(self) -> FlashSightError | None:
        """Why there are no pixels, if there are none."""
        return self.outcome if isinstance(self.outcome, FlashSightError) else None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread: when all that was submitted is answered (drain), or at once."""

    drain: bool


@dataclass(frozen=True, slots=True)
class Nudge:
    """There is work for an idle moment."""


Message = Submit | Abort | Decoded | Stop | Nudge


class Inbox:
    """Messages in the order of arrival. The engine's thread sleeps in `take` when it has nothing to do."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._condition = Condition()
        self._is_closed = False

    def post(self, message: Message) -> bool:
        """Leave a message and wake the engine. False if nobody will ever read it."""
        with self._condition:
            if self._is_closed:
                return False
            self._messages.append(message)
            self._condition.notify()
            return True

    def take(self, *, wait: bool) -> list[Message]:
        """Return all messages; with `wait`, sleep until there is one."""
        if not wait and not self._messages:
            return []
        with self._condition:
            while wait and not self._messages:
                self._condition.wait()
            return self._drained()

    def is_quiet_for(self, seconds: float) -> bool:
        """Wait so long for a message; True if none has come."""
        with self._condition:
            return not self._condition.wait_for(lambda: bool(self._messages), seconds)

    def close(self) -> list[Message]:
        """Take no more messages; return those that nobody has read."""
        with self._condition:
            self._is_closed = True
            return self._drained()

    def _drained(self) -> list[Message]:
        messages = list(self._messages)
        self._messages.clear()
        return messages
