"""What one turn of the event loop writes goes out as one piece: against a transport that notes its calls."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from flashsight.server import patience
from flashsight.server.corked import MOST_HELD_BYTES, Corked
from tests.server.scripted import saying
from tests.server.support import LiveHouse, encoded
from tests.server.test_manners import CHAT, request


class Noting(asyncio.Transport):
    """Keeps what is written, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True


def written(act: Callable[[Corked, Noting], object]) -> list[bytes]:
    async def run() -> list[bytes]:
        inner = Noting()
        act(Corked(inner, asyncio.get_running_loop()), inner)
        await asyncio.sleep(0)
        return inner.pieces

    return asyncio.run(run())


def test_what_one_turn_writes_is_one_piece_in_order():
    assert written(lambda corked, _: [corked.write(piece) for piece in (b"head", b"first", b"end")]) == [
        b"headfirstend"
    ]


def test_much_goes_out_at_once_so_that_a_slow_reader_is_noticed():
    def act(corked: Corked, inner: Noting) -> None:
        corked.write(b"a")
        corked.write(b"b" * MOST_HELD_BYTES)
        assert len(inner.pieces) == 1
        corked.write(b"c")

    assert written(act) == [b"a" + b"b" * MOST_HELD_BYTES, b"c"]


def test_a_head_waits_for_the_first_piece_of_its_body_and_no_longer():
    def act(corked: Corked, inner: Noting) -> None:
        corked.expect_reply()
        corked.write(b"head")
        assert not inner.pieces
        corked.write(b"first")
        assert inner.pieces == [b"headfirst"]
        corked.write(b"second")
        corked.write(b"third")

    assert written(act) == [b"headfirst", b"secondthird"]


def test_a_head_whose_body_is_slow_leaves_with_its_turn_and_what_follows_goes_turn_by_turn():
    async def run() -> list[bytes]:
        inner = Noting()
        corked = Corked(inner, asyncio.get_running_loop())
        corked.expect_reply()
        corked.write(b"head")
        await asyncio.sleep(0)
        corked.write(b"first")
        corked.write(b"second")
        await asyncio.sleep(0)
        return inner.pieces

    assert asyncio.run(run()) == [b"head", b"firstsecond"]


def test_closing_sends_what_is_held_and_giving_up_throws_it_away():
    assert written(lambda corked, _: (corked.write(b"bye"), corked.close())) == [b"bye"]
    assert written(lambda corked, _: (corked.write(b"bye"), corked.abort())) == []


def test_nothing_is_written_to_a_connection_that_has_closed():
    assert written(lambda corked, inner: (corked.write(b"late"), inner.close())) == []


def test_the_head_of_a_stream_and_its_first_event_leave_together(house: LiveHouse, monkeypatch: pytest.MonkeyPatch):
    pieces: list[bytes] = []
    num_held: list[int] = []

    class Watched(Corked):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            super().write(data)
            num_held.append(len(self._held))

        def flush(self) -> None:
            pieces.append(b"".join(self._held))
            super().flush()

    monkeypatch.setattr(patience, "Corked", Watched)
    white, *rest = saying("白", "杯")
    house.backend.script = (white, 0.1, *rest)
    with socket.create_connection(("127.0.0.1", house.live.port), timeout=20) as connection:
        connection.sendall(request(encoded(CHAT | {"stream": True}), "Connection: close"))
        while connection.recv(65536):
            pass
    sent = [piece for piece in pieces if piece]
    assert sent[0].startswith(b"HTTP/1.1 200 OK")
    assert "白".encode() in sent[0]
    assert num_held[:2] == [1, 0], "the event does not wait for the turn to end"
    assert len(sent) == 2, "the rest comes in one turn too: text, finish and the end"
    assert sent[1].endswith(b"0\r\n\r\n")
