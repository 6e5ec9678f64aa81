from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flashsight.processing.bounds import BoundedThinking, Circles

THINK, END, NUM = 40, 41, 70


def allowed(constraint: BoundedThinking) -> set[int]:
    words = np.full((NUM + 31) // 32, 7, np.int32)
    constraint.write_mask(words)
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())


def has_circle(tokens: list[int]) -> bool:
    """The definition, spelled out: some end of the list is one run of at most 128 tokens, 4 times, 32 tokens long."""
    for period in range(1, 129):
        length = max(4 * period, 32)
        tail = tokens[-length:]
        if len(tail) == length and all(tail[i] == tail[i - period] for i in range(period, length)):
            return True
    return False


@given(st.lists(st.sampled_from([0, 1]), max_size=200))
def test_a_circle_is_found_when_its_definition_is_met_and_not_before(tokens: list[int]) -> None:
    circles = Circles()
    for place, token in enumerate(tokens):
        assert circles.push(token) == has_circle(tokens[: place + 1])


@given(
    head=st.lists(st.integers(0, 9), max_size=50),
    run=st.lists(st.integers(0, 9), min_size=1, max_size=128),
)
def test_any_run_that_comes_again_and_again_is_found(head: list[int], run: list[int]) -> None:
    circles = Circles()
    assert any(circles.push(token) for token in head + run * 32)


def test_a_thinking_has_as_many_tokens_as_its_budget_and_not_one_more() -> None:
    bounded = BoundedThinking(None, think=THINK, think_end=END, max_tokens=5)
    for token in (THINK, 1, 2, 3):
        assert len(allowed(bounded)) > 60
        bounded.advance(token)
    assert allowed(bounded) == {END}
    bounded.advance(END)
    assert len(allowed(bounded)) > 60


def test_an_answer_without_thinking_may_be_of_any_length_and_repeat_itself() -> None:
    bounded = BoundedThinking(None, think=THINK, think_end=END, max_tokens=5)
    for _ in range(300):
        bounded.advance(7)
    assert len(allowed(bounded)) > 60
    assert not bounded.is_finished


def test_a_circle_closes_the_thinking_without_a_budget_too() -> None:
    bounded = BoundedThinking(None, think=THINK, think_end=END)
    for token in [THINK, *[3, 4, 5] * 11]:
        bounded.advance(token)
    assert allowed(bounded) == {END}


def test_the_last_bit_of_a_word_can_be_forced() -> None:
    bounded = BoundedThinking(None, think=THINK, think_end=63, max_tokens=2)
    bounded.advance(THINK)
    assert allowed(bounded) == {63}
