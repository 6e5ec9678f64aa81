from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flashsight.processing.stops import StopStrings

LETTERS = st.text(alphabet="ab\n")
STOPS = st.lists(st.text(alphabet="ab\n", max_size=4), max_size=3)


def expected(text: str, stops: list[str]) -> tuple[str, bool]:
    """Read character by character; end where the first stop string is complete, keep what stands before it."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


@given(pieces=st.lists(LETTERS), stops=STOPS)
def test_any_cutting_of_the_stream_gives_the_text_before_the_first_stop(pieces: list[str], stops: list[str]) -> None:
    stream = StopStrings(stops)
    shown = "".join(stream.push(piece) for piece in pieces) + stream.finish()
    assert (shown, stream.is_stopped) == expected("".join(pieces), stops)


@given(pieces=st.lists(LETTERS), stops=STOPS)
def test_nothing_is_held_back_that_cannot_become_a_stop(pieces: list[str], stops: list[str]) -> None:
    stream = StopStrings(stops)
    shown, seen = "", ""
    for piece in pieces:
        shown, seen = shown + stream.push(piece), seen + piece
        held = seen[len(shown) :]
        assert stream.is_stopped or not held or any(stop.startswith(held) for stop in stops)


def test_what_was_held_back_comes_at_the_end() -> None:
    stream = StopStrings(["###"])
    assert stream.push("a##") == "a"
    assert stream.push("b#") == "##b"
    assert stream.finish() == "#"


def test_nothing_follows_a_stop() -> None:
    stream = StopStrings(["END"])
    assert [stream.push(piece) for piece in ("one E", "ND two", "three")] == ["one ", "", ""]
    assert stream.finish() == ""
    assert stream.is_stopped
