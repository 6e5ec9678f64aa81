"""A connection that sends what is written to it in one turn of the event loop as one piece. Knows no HTTP.

The head of a reply and its first bytes would else be two packets and two calls into the system, and between two calls
another thread may take the interpreter's lock. These two do not wait for the turn to end, as somebody waits for them.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_HELD_BYTES = 16 * 1024
"""What is more goes out at once, so that the inner transport can say when its reader is slow."""


class Corked(asyncio.Transport):
    """A transport around another one. Order and flow control are the inner one's own; closing sends what is held."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._inner, self._loop = inner, loop
        self._held: list[bytes | bytearray | memoryview] = []
        self._num_bytes = 0
        self._is_opening = False

    def expect_reply(self) -> None:
        """A head is written next: let it go with the first piece of its body, and no later."""
        self._is_opening = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it until this turn of the event loop is over; it must not change until then."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._num_bytes += len(data)
        if self._num_bytes > MOST_HELD_BYTES or (self._is_opening and len(self._held) == 2):
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held, self._num_bytes = self._held, [], 0
        self._is_opening = False
        if held and not self._inner.is_closing():
            self._inner.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._inner.close()

    def abort(self) -> None:
        """Close and throw away what is held."""
        self._held, self._num_bytes = [], 0
        self._inner.abort()

    def is_closing(self) -> bool:
        """Tell whether the connection is closed or about to be."""
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Ask the inner transport."""
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing more in for now."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Go on taking in."""
        self._inner.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._inner.set_protocol(protocol)
