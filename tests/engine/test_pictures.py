"""The picture cache: one road per picture, a bound in bytes that always holds, and no work that nobody wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.house import prompt_of

from flashsight.core.errors import PictureError
from flashsight.core.types import PictureInput, PictureKey
from flashsight.engine.pictures import PictureCache, PictureState
from flashsight.engine.sequence import SequenceId

A, B = SequenceId(1), SequenceId(2)


def picture(key: str, num_tokens: int = 10) -> PictureInput:
    return prompt_of((key, num_tokens)).pictures[0]


def encode(cache: PictureCache, key: str, num_tokens: int = 10, *, by: SequenceId = A) -> bool:
    wanted = picture(key, num_tokens)
    if cache.want(by, wanted) is PictureState.MISSING:
        cache.start_decoding(wanted.key)
        cache.decoded(wanted.key, f"pixels of {key}")
        if not cache.reserve(wanted.key):
            return False
        cache.encoded(wanted.key, f"features of {key}")
    return True


def test_a_picture_goes_its_whole_road_once_for_all_who_want_it() -> None:
    cache, p = PictureCache(100, bytes_per_token=1), picture("p")
    assert cache.want(A, p) is PictureState.MISSING
    assert cache.start_decoding(p.key) is p
    assert cache.want(B, p) is PictureState.DECODING
    assert cache.decoded(p.key, "pixels")
    assert (cache.state(p.key), cache.num_slots_used) == (PictureState.DECODED, 1)
    assert cache.reserve(p.key)
    assert (cache.pixels(p.key), cache.used_bytes) == ("pixels", 10)
    cache.encoded(p.key, "features")
    assert cache.wanted_by(p.key) == (A, B)
    cache.leave(A, p.key)
    cache.leave(B, p.key)
    assert cache.want(A, p) is PictureState.ENCODED
    assert cache.features(p.key) == "features"
    cache.check()


@pytest.mark.parametrize("num_steps", [0, 1, 2])
def test_when_the_last_who_waits_leaves_unfinished_work_is_dropped(num_steps: int) -> None:
    cache, p = PictureCache(100, bytes_per_token=1), picture("p")
    cache.want(A, p)
    for step in [lambda: cache.start_decoding(p.key), lambda: cache.decoded(p.key, "pixels")][:num_steps]:
        step()
    cache.leave(A, p.key)
    assert cache.state(p.key) is PictureState.MISSING
    assert cache.num_slots_used == 0
    assert not cache.decoded(p.key, "late pixels")
    cache.check()


def test_one_who_leaves_does_not_drop_the_work_of_another() -> None:
    cache, p = PictureCache(100, bytes_per_token=1), picture("p")
    cache.want(A, p)
    cache.want(B, p)
    cache.start_decoding(p.key)
    cache.leave(A, p.key)
    assert cache.decoded(p.key, "pixels")


def test_the_least_recently_used_goes_first() -> None:
    cache = PictureCache(30, bytes_per_token=1)
    for key in "pqr":
        encode(cache, key)
        cache.leave(A, PictureKey(key))
    cache.features(PictureKey("p"))
    encode(cache, "s")
    there = [key for key in "pqrs" if cache.state(PictureKey(key)) is PictureState.ENCODED]
    assert there == ["p", "r", "s"]


def test_what_somebody_wants_stays_unless_a_front_needs_the_room() -> None:
    cache = PictureCache(20, bytes_per_token=1)
    encode(cache, "p")
    encode(cache, "q")
    assert not encode(cache, "r", by=B)
    assert not cache.reserve(PictureKey("r"), {PictureKey("p"), PictureKey("q")})
    assert cache.reserve(PictureKey("r"), {PictureKey("q")})
    assert cache.state(PictureKey("p")) is PictureState.MISSING
    assert cache.wanted_by(PictureKey("p")) == (A,)
    assert cache.state(PictureKey("q")) is PictureState.ENCODED
    cache.check()


def test_a_picture_without_room_throws_nothing_out() -> None:
    cache = PictureCache(20, bytes_per_token=1)
    encode(cache, "p")
    encode(cache, "q", by=B)
    cache.leave(B, PictureKey("q"))
    assert not encode(cache, "large", 20)
    assert cache.state(PictureKey("q")) is PictureState.ENCODED


def test_a_failed_picture_names_those_who_wait_and_gives_its_room_back() -> None:
    cache, p = PictureCache(100, bytes_per_token=1), picture("p")
    cache.want(A, p)
    cache.want(B, p)
    cache.start_decoding(p.key)
    cache.decoded(p.key, "pixels")
    cache.reserve(p.key)
    assert cache.failed(p.key) == (A, B)
    assert cache.used_bytes == 0
    cache.leave(A, p.key)
    cache.leave(B, p.key)
    assert cache.failed(p.key) == ()
    cache.check()


def test_a_picture_larger_than_the_cache_is_refused_with_the_numbers() -> None:
    cache = PictureCache(3 << 20, bytes_per_token=1 << 20)
    cache.refuse_if_too_large(picture("p", 3))
    with pytest.raises(PictureError, match=r"4 tokens needs 4\.0 MiB of picture cache, which has 3\.0 MiB"):
        cache.refuse_if_too_large(picture("p", 4))


ACTIONS = st.sampled_from(["want", "leave", "start", "decoded", "reserve", "protect", "encoded", "failed"])


@given(st.lists(st.tuples(ACTIONS, st.sampled_from("pqrs"), st.sampled_from([A, B])), max_size=80))
def test_whatever_happens_the_bound_holds_and_nothing_unwanted_is_kept(actions: list[tuple]) -> None:  # type: ignore[type-arg]
    cache = PictureCache(25, bytes_per_token=1)
    for action, name, who in actions:
        key, state = PictureKey(name), cache.state(PictureKey(name))
        wants = who in cache.wanted_by(key)
        match action:
            case "want":
                cache.want(who, picture(name, 5 + 5 * "pqrs".index(name)))
            case "leave" if wants:
                cache.leave(who, key)
            case "start" if state is PictureState.MISSING and cache.wanted_by(key):
                cache.start_decoding(key)
            case "decoded":
                assert cache.decoded(key, "pixels") == (state is PictureState.DECODING)
            case "reserve" if state is PictureState.DECODED:
                cache.reserve(key)
            case "protect" if state is PictureState.DECODED:
                cache.reserve(key, {PictureKey("p")})
            case "encoded" if state is PictureState.ENCODING:
                cache.encoded(key, "features")
            case "failed":
                cache.failed(key)
        cache.check()
