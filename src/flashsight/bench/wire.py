"""Asks an OpenAI-compatible server over HTTP/1.1 with next to no work of its own, so that what is timed is the server.

Bodies are made before the clock starts; connections are kept. Knows requests and server-sent events, and no product.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from flashsight.bench.measure import Measured
from flashsight.core.errors import EngineFault, RequestError
from flashsight.service.upstream import Unreachable, refusal

SILENT_SECONDS = 600.0
LONGEST_LINE = 1 << 22


def chat_body(model: str, url: str, prompt: str, num_tokens: int) -> bytes:
    """One question about one picture, greedy, streamed, exactly num_tokens long; `url` is a data URL or a file's id."""
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    body = {
        "model": model,
        "stream": True,
        "max_tokens": num_tokens,
        "temperature": 0.0,
        "ignore_eos": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": content}],
    }
    return json.dumps(body, ensure_ascii=False).encode()


def data_url(picture: bytes) -> str:
    """The JPEG as chats carry it."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    fields: Mapping[str, str]

    @property
    def is_kept(self) -> bool:
        """True if the connection may carry another request."""
        return self.fields.get("connection", "").lower() != "close"


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """A server at an address. Any number of tasks may ask at once; use it as a context manager."""

    def __init__(self, url: str, *, model: str, api_key: str | None = None) -> None:
        """url: with or without /v1. model: the name that the server answers to."""
        self.base = url.rstrip("/").removesuffix("/v1")
        self.model = model
        parts = urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"{url} is no address of a server; write http://host:port", param="url")
        self._host, self._is_tls = parts.hostname, parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._path = parts.path
        authorization = f"Authorization: Bearer {api_key}\r\n" if api_key else ""
        self._fields = f"Host: {parts.netloc}\r\nAccept: */*\r\n{authorization}"
        self._idle: list[Connection] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._idle.clear()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._writers.clear()

    async def chat(self, body: bytes) -> Measured:
        """Send a body of `chat_body` and time its answer: from sending to the first text, and to the end.

        Raises the error that the server's refusal stands for, Unreachable if there is no server.
        """
        start = time.perf_counter()
        first: float | None = None
        usage: Mapping[str, Any] = {}
        async for line in self._lines("POST", "/v1/chat/completions", body, "application/json"):
            if not line.startswith(b"data:") or line.endswith(b"[DONE]"):
                continue
            event = json.loads(line[5:])
            if event.get("error"):
                raise EngineFault(str(event["error"].get("message", "the server failed in mid-answer")))
            usage = event.get("usage") or usage
            if first is None and _has_text(event):
                first = time.perf_counter() - start
        total = time.perf_counter() - start
        return Measured(
            first_seconds=total if first is None else first,
            total_seconds=total,
            prompt_tokens=int(usage.get("prompt_tokens", 0)),
            completion_tokens=int(usage.get("completion_tokens", 0)),
        )

    async def get(self, path: str) -> bytes:
        """Return what lies at a path. Raises as `chat` does."""
        return b"\n".join([line async for line in self._lines("GET", path, b"", "")])

    async def post(self, path: str, body: bytes, content_type: str) -> bytes:
        """Send a body and return the whole reply. Raises as `chat` does."""
        return b"\n".join([line async for line in self._lines("POST", path, body, content_type)])

    # --- HTTP ------------------------------------------------------------------------------------------------

    async def _lines(self, method: str, path: str, body: bytes, content_type: str) -> AsyncIterator[bytes]:
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        head = f"{method} {self._path}{path} HTTP/1.1\r\n{self._fields}{kind}Content-Length: {len(body)}\r\n\r\n"
        connection, answer = await self._begin(head.encode() + body)
        try:
            if answer.status != 200:
                said = b"".join([piece async for piece in _pieces(connection[0], answer)])
                raise refusal(answer.status, answer.fields, said)
            kept = b""
            async for piece in _pieces(connection[0], answer):
                *lines, kept = (kept + piece).split(b"\n")
                for line in lines:
                    yield line.rstrip(b"\r")
            if kept:
                yield kept
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            connection[1].close()
            raise Unreachable(f"{self.base} went away in the middle of an answer") from None
        except BaseException:
            connection[1].close()
            raise
        if answer.is_kept:
            self._idle.append(connection)
        else:
            connection[1].close()

    async def _begin(self, message: bytes) -> tuple[Connection, _Head]:
        """Send a request and read the head of its answer; a kept connection may have been closed at the other end."""
        while self._idle:
            connection = self._idle.pop()
            try:
                return connection, await _exchange(connection, message)
            except (OSError, asyncio.IncompleteReadError):
                connection[1].close()
        try:
            context = ssl.create_default_context() if self._is_tls else None
            connection = await asyncio.open_connection(self._host, self._port, limit=LONGEST_LINE, ssl=context)
            self._writers.append(connection[1])
            return connection, await _exchange(connection, message)
        except (OSError, asyncio.IncompleteReadError):
            raise Unreachable(f"no server answers at {self.base}; start one, or correct --url") from None


async def _exchange(connection: Connection, message: bytes) -> _Head:
    reader, writer = connection
    writer.write(message)
    await writer.drain()
    async with asyncio.timeout(SILENT_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in rest if line)
    return _Head(int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in fields})


async def _pieces(reader: asyncio.StreamReader, head: _Head) -> AsyncIterator[bytes]:
    """The body as it arrives, chunked or of known length."""
    if "chunked" not in head.fields.get("transfer-encoding", "").lower():
        length = int(head.fields.get("content-length", "0"))
        yield await reader.readexactly(length)
        return
    while True:
        async with asyncio.timeout(SILENT_SECONDS):
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        piece = await reader.readexactly(size + 2)
        if size == 0:
            return
        yield piece[:-2]


def _has_text(event: Mapping[str, Any]) -> bool:
    delta = (event.get("choices") or [{}])[0].get("delta") or {}
    return bool(delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning"))
