"""Bounds what comes before a request: headers that do not arrive in time, or never end. Reads none of them.

uvicorn waits for headers for ever and takes any number of them: connections that each send a byte now and then would
hold as many files open, and one that sends nothing but headers would fill the memory.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flashsight.core.errors import RequestError
from flashsight.server.corked import Corked
from flashsight.server.errors import describe

SLOW_HEADERS_SECONDS = 20.0
"""From the connection, or from a request's first byte, to the end of its headers."""
MAX_HEADER_BYTES = 64 * 1024
"""Of a request's first line and headers together; what arrives in one piece with their end is looked at no more."""


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds for headers; hand it to `uvicorn.Config(http=…)`."""

    _deadline: TimerHandle | None = None
    _num_bytes = 0
    """Received since the last complete headers, while the next ones are still to come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        self._corked = Corked(transport, self.loop)
        super().connection_made(self._corked)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Refuse headers that do not end."""
        super().data_received(data)
        self._num_bytes = self._num_bytes + len(data) if self._deadline is not None else 0
        if self._num_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse("431 Request Header Fields Too Large", f"the headers exceed {MAX_HEADER_BYTES} bytes")

    def eof_received(self) -> None:
        """Send what is held: whoever says no more may still read, but the connection closes behind this."""
        self._corked.flush()
        super().eof_received()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the shape of every other error."""
        self._refuse("400 Bad Request", "this is no well-formed HTTP request")

    def on_message_begin(self) -> None:
        """Wait for the rest of the headers."""
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Leave the body to whoever reads it."""
        self._disarm()
        self._corked.expect_reply()
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

    def _refuse(self, status: str, sentence: str) -> None:
        body = json.dumps(describe(RequestError(sentence))[1]).encode()
        told = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(told.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _give_up(self) -> None:
        """An answer under way is finished first; uvicorn closes an idle connection by itself."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
