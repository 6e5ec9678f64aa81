"""Clients that leave, stall or send nonsense, over raw sockets."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from starlette.requests import Request

from flashsight.core.types import Delta, TextDelta
from flashsight.presets import Preset
from flashsight.server import sse
from flashsight.server.parse import Parsed, parse_chat
from flashsight.server.sse import read_body
from tests.server.scripted import saying
from tests.server.support import MODEL, LiveHouse, encoded

CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
LONG: tuple[Delta | float, ...] = (TextDelta(index=0, text="a"), *([0.02, TextDelta(index=0, text="b")] * 5000))


def request(body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def connect(house: LiveHouse) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def connected() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", house.live.port), timeout=20))
        return opened[-1]

    yield connected
    for one in opened:
        one.close()


def received_until(connection: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        piece = connection.recv(65536)
        if not piece:
            break
        got += piece
    return got


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.005)


def test_walking_away_from_a_stream_reaches_the_backend(house: LiveHouse, connect: Callable[[], socket.socket]):
    house.backend.script = LONG
    connection = connect()
    connection.sendall(request(encoded(CHAT | {"stream": True})))
    received_until(connection, b'"content":"b"')
    assert house.backend.num_open == 1
    connection.close()
    until(lambda: house.backend.num_open == 0)
    assert house.backend.num_abandoned == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_walking_away_before_the_first_token_reaches_the_backend(
    house: LiveHouse, connect: Callable[[], socket.socket], is_stream: bool
):
    house.backend.script = (60.0, *saying("late"))
    connection = connect()
    connection.sendall(request(encoded(CHAT | {"stream": is_stream})))
    until(lambda: house.backend.num_open == 1)
    connection.close()
    until(lambda: house.backend.num_open == 0)
    assert house.backend.num_abandoned == 1


def test_walking_away_from_a_whole_answer_reaches_the_backend(house: LiveHouse, connect: Callable[[], socket.socket]):
    house.backend.script = LONG
    connection = connect()
    connection.sendall(request(encoded(CHAT)))
    until(lambda: house.backend.num_open == 1)
    connection.close()
    until(lambda: house.backend.num_open == 0)


def test_a_reader_that_takes_nothing_is_left(
    house: LiveHouse, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sse, "SLOW_READER_SECONDS", 0.2)
    house.backend.script = tuple(TextDelta(index=0, text="x" * 65536) for _ in range(1000))
    connection = connect()
    connection.sendall(request(encoded(CHAT | {"stream": True})))
    until(lambda: house.backend.num_abandoned == 1)


def test_a_silent_stream_opens_and_breathes_so_that_no_proxy_closes_it(
    house: LiveHouse, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    house.backend.script = (0.4, *saying("late"))
    connection = connect()
    connection.sendall(request(encoded(CHAT | {"stream": True})))
    head = received_until(connection, b": keep-alive\n\n")
    assert b"HTTP/1.1 200" in head
    assert b"data:" not in head
    rest = received_until(connection, b"[DONE]")
    assert b'"content":"late"' in rest


def test_the_error_of_a_stream_that_is_open_already_comes_as_an_event(
    house: LiveHouse, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    house.backend.script = (0.2, ValueError("secret"))
    connection = connect()
    connection.sendall(request(encoded(CHAT | {"stream": True})))
    got = received_until(connection, b"[DONE]")
    assert b'data: {"error":{' in got
    assert b"secret" not in got


def test_events_are_framed_as_the_standard_says(house: LiveHouse):
    house.backend.script = saying("a\nb", "\r\n", "data: [DONE]\n\n", "\u2028")
    with house.http.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        events = b"".join(answer.iter_bytes()).decode().split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") and "\n" not in event and "\r" not in event for event in events)
    assert events.pop() == "data: [DONE]"
    pieces = [json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(pieces) == "a\nb\r\ndata: [DONE]\n\n\u2028"


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x00" * 100, b"a" * 200_000]
)
def test_what_is_no_http_is_turned_away_and_the_server_goes_on(
    house: LiveHouse, connect: Callable[[], socket.socket], nonsense: bytes
):
    connection = connect()
    try:
        connection.sendall(nonsense)
        connection.shutdown(socket.SHUT_WR)
        answer = received_until(connection, b"\r\n\r\n")
    except OSError:  # it hung up before all was sent
        answer = b""
    assert not answer or answer.split(b" ")[1].startswith(b"4")
    assert house.http.get("/health").status_code == 200


def test_a_body_that_stops_arriving_is_408(
    house: LiveHouse, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flashsight.server.sse.SLOW_SENDER_SECONDS", 0.1)
    connection = connect()
    whole = request(encoded(CHAT))
    connection.sendall(whole[:-5])
    answer = received_until(connection, b"body_timeout")
    assert answer.startswith(b"HTTP/1.1 408")


def test_leaving_in_the_middle_of_a_body_is_no_fault_of_the_servers(
    house: LiveHouse, connect: Callable[[], socket.socket]
):
    def num_499() -> float:
        found = re.search(
            r'route="/v1/chat/completions",status="499"} ([0-9.]+)', house.house.metrics.render().decode()
        )
        return float(found[1]) if found else 0.0

    before = num_499()
    connection = connect()
    connection.sendall(request(encoded(CHAT))[:-5])
    time.sleep(0.05)
    connection.close()
    until(lambda: num_499() == before + 1)
    assert house.http.post("/v1/chat/completions", json=CHAT).status_code == 200


def test_the_body_that_the_load_client_sends_is_accepted(house: LiveHouse):
    body = {
        "model": MODEL, "stream": True, "max_tokens": 64, "temperature": 0.0,
        "ignore_eos": True, "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
            {"type": "text", "text": "描述"}]}],
    }  # fmt: skip
    lines = house.http.post("/v1/chat/completions", json=body).text.splitlines()
    events = [json.loads(line[5:]) for line in lines if line.startswith("data:") and line != "data: [DONE]"]
    assert events[0]["choices"][0]["delta"]["content"]
    assert events[-1]["usage"]["completion_tokens"] == 3
    assert house.backend.asked[-1][1].ignore_eos


def test_a_body_that_takes_long_is_parsed_on_a_thread_so_that_the_event_loop_stays_free(
    house: LiveHouse, monkeypatch: pytest.MonkeyPatch
):
    threads: list[str] = []

    def watched(body: bytes, presets: Mapping[str, Preset]) -> Parsed:
        threads.append(threading.current_thread().name)
        return parse_chat(body, presets)

    monkeypatch.setattr("flashsight.server.chat.parse_chat", watched)
    usual, large = ("data:image/jpeg;base64," + "A" * length for length in (200_000, 600_000))
    with_picture, with_large = (
        CHAT | {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]}
        for url in (usual, large)
    )
    many = CHAT | {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 600}]}
    for body in (CHAT, with_picture, with_large, many):
        assert house.http.post("/v1/chat/completions", json=body).status_code == 200
    on_loop, with_usual, *others = threads
    assert on_loop == with_usual, "a picture of usual size makes a body long, not laborious"
    assert on_loop not in others


def test_a_body_that_came_whole_is_taken_as_it_is_and_asked_for_once():
    whole, asked = b"{}" * 50_000, []

    async def receive() -> dict[str, Any]:
        asked.append(1)
        return {"type": "http.request", "body": whole, "more_body": False}

    assert asyncio.run(read_body(Request({"type": "http"}, receive))) is whole
    assert len(asked) == 1
