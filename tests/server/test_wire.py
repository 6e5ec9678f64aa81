"""A stream byte by byte, over a raw socket: chunks of HTTP, events of the standard, objects as OpenAI's."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from flashsight.core.errors import EngineFault
from flashsight.core.types import Box, Delta, Finish, ReasoningDelta, TextDelta, ToolCallDelta
from flashsight.server import patience
from tests.server.scripted import USAGE, saying
from tests.server.support import MODEL, LiveHouse, encoded
from tests.server.test_manners import CHAT, received_until, request

TWO_CHOICES: tuple[Delta, ...] = (
    TextDelta(index=1, text="b"),
    TextDelta(index=0, text="a"),
    TextDelta(index=1, text="B"),
    Finish(index=1, reason="length"),
    Finish(index=0, reason="stop"),
    USAGE,
)
THOUGHT: tuple[Delta, ...] = (
    ReasoningDelta(index=0, text="想"),
    TextDelta(index=0, text="白杯"),
    Finish(index=0, reason="stop", boxes=(Box(picture=0, left=1, top=2, right=3, bottom=4),)),
    USAGE,
)
CALLED: tuple[Delta, ...] = (
    ToolCallDelta(index=0, call=0, id="call_1", name="look"),
    ToolCallDelta(index=0, call=0, arguments='{"a":'),
    ToolCallDelta(index=0, call=0, arguments="1}"),
    Finish(index=0, reason="tool_calls"),
    USAGE,
)
SILENT: tuple[Delta, ...] = (Finish(index=0, reason="stop"), USAGE)
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
SCRIPTS = {"plain": saying("白", "杯"), "two": TWO_CHOICES, "thought": THOUGHT, "called": CALLED, "silent": SILENT}


def exchanged(
    house: LiveHouse, body: bytes, *headers: str, piecewise: bool = False
) -> tuple[str, dict[str, str], bytes]:
    """The status line, the headers in small letters and the rest, read until the server closes."""
    message = request(body, "Connection: close", *headers)
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        for at in range(0, len(message), 7 if piecewise else len(message)):
            connection.sendall(message[at : at + 7] if piecewise else message)
        got = b""
        while piece := connection.recv(65536):
            got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    named = (line.split(": ", 1) for line in lines)
    return status, {name.lower(): value for name, value in named}, rest


def unchunked(rest: bytes) -> list[bytes]:
    """The chunks of a body (RFC 9112, 7.1), which must end with the empty one and nothing behind it."""
    chunks = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        chunk, rest = rest[: int(size, 16)], rest[int(size, 16) :]
        assert rest.startswith(b"\r\n")
        rest = rest[2:]
        if not chunk:
            assert rest == b""
            return chunks
        chunks.append(chunk)


def events_of(house: LiveHouse, *, piecewise: bool = False, **fields: Any) -> list[dict[str, Any]]:
    status, headers, rest = exchanged(house, encoded(CHAT | {"stream": True} | fields), piecewise=piecewise)
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers
    assert headers["x-request-id"]
    *events, done, end = b"".join(unchunked(rest)).split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    return [json.loads(event[6:]) for event in events]


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("with_usage", [False, True])
def test_a_stream_has_one_head_one_role_and_one_finish_a_choice(house: LiveHouse, name: str, with_usage: bool):
    house.backend.script = SCRIPTS[name]
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    events = events_of(house, n=2 if name == "two" else 1, **options)
    assert len({(event["id"], event["created"], event["model"], event["system_fingerprint"]) for event in events}) == 1
    assert events[0]["model"] == MODEL
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    for event in events:
        ChatCompletionChunk.model_validate(event, strict=True)
    if with_usage:
        last = events.pop()
        assert (last["choices"], last["usage"]["total_tokens"]) == ([], 23)
        assert all(event["usage"] is None for event in events)
    else:
        assert all("usage" not in event for event in events)
    assert all(len(event["choices"]) == 1 for event in events)
    choices = [event["choices"][0] for event in events]
    for index in {choice["index"] for choice in choices}:
        own = [choice for choice in choices if choice["index"] == index]
        assert [choice["delta"].get("role") for choice in own] == ["assistant", *[None] * (len(own) - 1)]
        assert [choice["finish_reason"] is None for choice in own] == [True] * (len(own) - 1) + [False]
        assert not {"content", "reasoning_content", "tool_calls"} & set(own[-1]["delta"])


def test_a_plain_stream_is_these_bytes_and_no_others(house: LiveHouse):
    house.backend.script = saying("白", "a\n")
    first, second, last = events_of(house)
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": "白"}, "logprobs": None, "finish_reason": None}
    ]
    assert second["choices"] == [{"index": 0, "delta": {"content": "a\n"}, "logprobs": None, "finish_reason": None}]
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    expected = {"id", "object", "created", "model", "service_tier", "system_fingerprint", "choices"}
    assert set(first) == set(second) == set(last) == expected


def test_the_pieces_of_a_call_add_up(house: LiveHouse):
    house.backend.script = CALLED
    pieces = [event["choices"][0]["delta"].get("tool_calls", [None])[0] for event in events_of(house)]
    assert pieces[0] == {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    assert pieces[1:3] == [
        {"index": 0, "function": {"arguments": '{"a":'}}, {"index": 0, "function": {"arguments": "1}"}}
    ]  # fmt: skip


def test_each_piece_goes_out_as_it_comes(house: LiveHouse):
    """One chunk of HTTP an event at least: nothing waits for the next one."""
    house.backend.script = (TextDelta(index=0, text="a"), 0.05, TextDelta(index=0, text="b"), 0.05, *SILENT)
    _, _, rest = exchanged(house, encoded(CHAT | {"stream": True}))
    texts = [chunk for chunk in unchunked(rest) if b'"content"' in chunk]
    assert len(texts) == 2


@pytest.mark.parametrize("error", [EngineFault("the engine failed"), ValueError("secret")])
def test_an_error_in_a_stream_is_an_event_in_openais_shape_then_done(house: LiveHouse, error: Exception):
    house.backend.script = (TextDelta(index=0, text="a"), error)
    *_, last = events_of(house)
    assert set(last) == {"error"}
    assert set(last["error"]) >= {"message", "type", "param", "code"}
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "internal_error")
    assert "secret" not in json.dumps(last)


def test_an_error_before_the_first_piece_is_a_plain_answer_with_its_status(house: LiveHouse):
    house.backend.script = (EngineFault("the engine failed"),)
    status, headers, rest = exchanged(house, encoded(CHAT | {"stream": True}))
    assert status.startswith("HTTP/1.1 500")
    assert headers["content-type"].startswith("application/json")
    assert int(headers["content-length"]) == len(rest)
    assert json.loads(rest)["error"]["code"] == "internal_error"


def test_a_request_that_comes_in_crumbs_is_answered_alike(house: LiveHouse):
    house.backend.script = saying("白", "杯")
    crumbs, whole = events_of(house, piecewise=True), events_of(house)
    assert [event["choices"] for event in crumbs] == [event["choices"] for event in whole]


@pytest.mark.parametrize(
    "broken",
    [
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        POST + b"Content-Length: 3\r\n\r\n{}}",
        b"BREW /pot HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["negative length", "two lengths", "no chunk", "an empty object in chunks", "no JSON", "no method", "no HTTP"],
)
def test_a_broken_request_is_turned_away_and_the_next_one_answered(house: LiveHouse, broken: bytes):
    got = b""
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        connection.sendall(broken)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            got += piece
    assert got.split(b" ")[1][:1] == b"4"
    assert set(json.loads(got.partition(b"\r\n\r\n")[2])["error"]) == {"message", "type", "param", "code"}
    assert events_of(house)


@pytest.mark.parametrize("line", [POST + b"X-More: ", POST, b"GET /"], ids=["one header", "many headers", "one line"])
def test_headers_that_do_not_end_are_refused_before_they_fill_the_memory(house: LiveHouse, line: bytes):
    piece = b"X-More: 1\r\n" * 1000 if line == POST else b"a" * 10_000
    got, num_sent = b"", 0
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        try:
            connection.sendall(line)
            while num_sent < (32 << 20):
                connection.sendall(piece)
                num_sent += len(piece)
        except OSError:
            pass  # closed while we were still sending
        with contextlib.suppress(OSError):
            got = connection.recv(65536)
    assert num_sent < (32 << 20)
    assert got[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
    assert events_of(house)


def test_what_is_refused_for_its_headers_hears_the_limit(house: LiveHouse):
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        connection.sendall(POST + b"X-More: " + b"a" * 66_000)
        got = received_until(connection, b"}}")
    assert got.startswith(b"HTTP/1.1 431 ")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["message"] == "the headers exceed 65536 bytes"


@pytest.mark.parametrize("sent", [b"", POST, b"POST /v1/chat"], ids=["nothing", "half the headers", "half a line"])
def test_headers_that_do_not_arrive_are_not_waited_for(house: LiveHouse, monkeypatch: pytest.MonkeyPatch, sent: bytes):
    monkeypatch.setattr(patience, "SLOW_HEADERS_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        connection.sendall(sent)
        assert connection.recv(100) == b"", "closed without a word"


def test_the_second_request_of_a_connection_is_not_waited_for_either(house: LiveHouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patience, "SLOW_HEADERS_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        connection.sendall(request(encoded(CHAT)))
        assert b"200 OK" in received_until(connection, b"chat.completion")
        connection.sendall(POST)
        while piece := connection.recv(65536):
            assert b"HTTP/1.1" not in piece


def test_a_long_answer_outlives_the_deadline_for_headers(house: LiveHouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patience, "SLOW_HEADERS_SECONDS", 0.1)
    house.backend.script = (TextDelta(index=0, text="a"), 0.4, *saying("b"))
    assert events_of(house)[-1]["choices"][0]["finish_reason"] == "stop"
