"""Closes connections whose request headers do not arrive in time. Reads none of them and answers nothing.

uvicorn waits for headers for ever: connections that each send a byte now and then would hold as many files open.
"""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SLOW_HEADERS_SECONDS = 20.0
"""From the connection, or from a request's first byte, to the end of its headers."""


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for headers; hand it to `uvicorn.Config(http=…)`."""

    _deadline: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._arm()

    def on_message_begin(self) -> None:
        """Wait for the rest of the headers."""
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Leave the body to whoever reads it."""
        self._disarm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(SLOW_HEADERS_SECONDS, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """An answer under way is finished first; uvicorn closes an idle connection by itself."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
