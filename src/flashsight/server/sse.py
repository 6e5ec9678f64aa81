"""Server-sent events that end when the reader leaves, and a guard that does the same for whole answers. Knows no chat.

Leaving is noticed while waiting, not only while writing; a reader that takes nothing for a while is treated as gone.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flashsight.core.errors import FlashSightError, RequestError
from flashsight.core.telemetry import get_log
from flashsight.server.errors import describe

KEEP_ALIVE_SECONDS = 15.0
SLOW_READER_SECONDS = 60.0
SLOW_SENDER_SECONDS = 30.0
CLIENT_CLOSED_REQUEST = 499

Item = TypeVar("Item")

_log = get_log(__name__)


class ClientGone(Exception):
    """The client closed the connection, or reads too slowly; there is nobody to answer."""


class WhileConnected:
    """`async with WhileConnected(request.receive)`: cancels its body once the client has left, and raises ClientGone.

    The request's body must have been read whole before, so that all that can still arrive is the disconnect.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watcher = asyncio.create_task(self._watch())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.cancel()
        if self._is_gone:
            self._task.uncancel()
            if kind is asyncio.CancelledError:
                raise ClientGone from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._task.cancel()


async def read_body(request: Request) -> bytes:
    """Return the body; raise as `pieces_of` does."""
    return b"".join([piece async for piece in pieces_of(request)])


async def pieces_of(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the body; raise RequestError if the sender pauses beyond SLOW_SENDER_SECONDS, ClientGone if it left.

    Each piece is awaited once and under one clock: most bodies come whole, and are read for a first token.
    """
    is_more = True
    while is_more:
        try:
            async with asyncio.timeout(SLOW_SENDER_SECONDS):
                message = await request.receive()
        except TimeoutError:
            raise RequestError(
                f"the body stopped arriving for {SLOW_SENDER_SECONDS:.0f} s; send it again", code="body_timeout"
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        is_more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Made once: `json.dumps` makes one for each call that does not take its defaults."""


def event(payload: dict[str, Any]) -> bytes:
    """Return one SSE event with a JSON payload; a payload that has a type is sent under this name."""
    name = f"event: {payload['type']}\n".encode() if "type" in payload else b""
    return name + b"data: " + _JSON.encode(payload).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


class EventStream(Response, Generic[Item]):
    """Sends what `encode` makes of each item as an event; errors become an event; `[DONE]` is last.

    `open` waits for the first item, so that what can be refused is refused with a status of its own. It waits no longer
    than KEEP_ALIVE_SECONDS: then the headers go out, and comments keep proxies from closing a silent connection.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        items: AsyncGenerator[Item, None],
        encode: Callable[[Item], Iterator[dict[str, Any]]],
        *,
        encode_error: Callable[[dict[str, Any]], dict[str, Any]] = lambda told: {"error": told},
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._items = items
        self._encode, self._encode_error = encode, encode_error
        self._keep_alive_seconds = KEEP_ALIVE_SECONDS
        self._slow_reader_seconds = SLOW_READER_SECONDS
        self._first: asyncio.Task[Item | None] | None = None
        self._sent_at = 0.0

    async def open(self) -> None:
        """Wait for the first item; raise what it raises. On any error the items are closed."""
        loop = asyncio.get_running_loop()
        is_time = loop.create_future()
        self._first = asyncio.create_task(self._take_first(is_time))
        patience = loop.call_later(self._keep_alive_seconds, _settle, is_time)
        try:
            await is_time
            if self._first.done():
                self._first.result()
        except BaseException:
            await self._abandon()
            raise
        finally:
            patience.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it; return early when the reader is gone."""
        assert self._first is not None, "open() comes first"
        try:
            async with WhileConnected(receive):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                breath = asyncio.create_task(self._breathe(send))
                try:
                    await self._pump(send)
                finally:
                    breath.cancel()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (ClientGone, TimeoutError):
            return
        finally:
            await self._abandon()

    async def _take_first(self, is_time: asyncio.Future[None]) -> Item | None:
        """Wake `open` by a future: it goes on in the next turn of the event loop, where a task's end takes two."""
        try:
            return await anext(self._items, None)
        finally:
            _settle(is_time)

    async def _pump(self, send: Send) -> None:
        assert self._first is not None
        try:
            async with aclosing(self._items):
                first = await self._first
                if first is not None:
                    await self._send_item(send, first)
                    async for item in self._items:
                        await self._send_item(send, item)
        except (ClientGone, TimeoutError):
            raise
        except Exception as error:  # the status has gone out; the error can only be told inside the stream
            if not isinstance(error, FlashSightError):
                _log.exception("a stream failed")
            status, told = describe(error)
            await self._send(send, event(self._encode_error(told["error"] | {"status": status})))
        await self._send(send, DONE)

    async def _send_item(self, send: Send, item: Item) -> None:
        for payload in self._encode(item):
            await self._send(send, event(payload))

    async def _send(self, send: Send, chunk: bytes) -> None:
        async with asyncio.timeout(self._slow_reader_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._sent_at = time.monotonic()

    async def _breathe(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_seconds)
            if time.monotonic() - self._sent_at >= self._keep_alive_seconds:
                await send({"type": "http.response.body", "body": _KEEP_ALIVE, "more_body": True})
                self._sent_at = time.monotonic()

    async def _abandon(self) -> None:
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)
        await self._items.aclose()


def _settle(is_time: asyncio.Future[None]) -> None:
    if not is_time.done():
        is_time.set_result(None)
