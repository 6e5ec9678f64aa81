"""The client that measures: against a server of a few lines, so that every byte of the other side is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from flashsight.bench.wire import Wire, chat_body, data_url
from flashsight.core.errors import EngineFault, Overloaded, RequestError
from flashsight.service.upstream import Unreachable

BODY = chat_body("m", data_url(b"jpeg"), "看?", 3)
EVENTS = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"content": "一"}}]},
    {"choices": [{"delta": {"content": "二"}}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
]
STREAM = b"".join(b"data: " + json.dumps(e, ensure_ascii=False).encode() + b"\n\n" for e in EVENTS)
DONE = b"data: [DONE]\n\n"


class Served:
    """Answers every request with the same bytes, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.num_connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.asked.append(head + await reader.readexactly(length))
                writer.write(self.answer)
                await writer.drain()
                if b"Connection: close" in self.answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[tuple[Wire, Served]]:
    served = Served(answer)
    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with Wire(f"http://127.0.0.1:{port}/v1", model="m", api_key="k") as wire:
            yield wire, served
    finally:
        server.close()
        await server.wait_closed()


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 60, 10_000])
async def test_a_stream_is_read_however_it_is_cut_and_its_connection_is_kept(size: int) -> None:
    async with serving(chunked(STREAM + DONE, size)) as (wire, served):
        for _ in range(3):
            measured = await wire.chat(BODY)
            assert (measured.prompt_tokens, measured.completion_tokens) == (7, 3)
            assert 0 < measured.first_seconds <= measured.total_seconds
        assert served.num_connections == 1
    head, _, body = served.asked[0].partition(b"\r\n\r\n")
    assert b"Authorization: Bearer k" in head
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    said = json.loads(body)
    assert said["messages"][0]["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,anBlZw=="
    assert (said["max_tokens"], said["temperature"], said["ignore_eos"]) == (3, 0.0, True)


async def test_each_client_has_a_connection_of_its_own() -> None:
    async with serving(chunked(STREAM + DONE, 50)) as (wire, served):
        await asyncio.gather(*(wire.chat(BODY) for _ in range(4)))
        assert served.num_connections == 4


def whole(status: str, body: bytes, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_refusal_is_the_error_that_it_stands_for_with_its_time_to_come_back() -> None:
    answer = whole("429 Too Many Requests", b'{"error": {"message": "full"}}', "Retry-After: 3")
    async with serving(answer) as (wire, _):
        with pytest.raises(Overloaded, match="full") as refused:
            await wire.chat(BODY)
        assert refused.value.retry_after_seconds == 3


async def test_an_error_in_mid_stream_fails_the_answer() -> None:
    async with serving(chunked(STREAM + b'data: {"error": {"message": "broke"}}\n\n', 99)) as (wire, _):
        with pytest.raises(EngineFault, match="broke"):
            await wire.chat(BODY)


async def test_a_server_that_closes_is_asked_on_a_new_connection() -> None:
    async with serving(whole("200 OK", b'{"a": 1}', "Connection: close")) as (wire, served):
        assert [await wire.get("/x") for _ in range(2)] == [b'{"a": 1}'] * 2
        assert served.num_connections == 2


CUT_SHORT = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n80\r\ndata: {}\n\n"


@pytest.mark.parametrize("answer", [CUT_SHORT, b"Connection: close"], ids=["in mid-answer", "before it"])
async def test_a_server_that_goes_away_is_unreachable(answer: bytes) -> None:
    async with serving(answer) as (wire, _):
        with pytest.raises(Unreachable):
            await wire.chat(BODY)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RequestError, match="no address"):
        Wire(url, model="m")
