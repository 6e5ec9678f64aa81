"""Guessing ahead: what is guessed, when it stops, and that no answer changes by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.house import ENDLESS, House, prompt_of
from tests.engine.rig import Rig
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.types import TokenSampling
from flashsight.engine.drafts import Drafter, may_draft
from flashsight.engine.sequence import Kind

tokens = st.integers(0, 4)


def longest_match_last(text: list[int], length: int) -> list[int]:
    """What prompt lookup guesses, found by looking at every place of the text."""
    for size in (4, 3, 2):
        places = [end for end in range(size, len(text)) if text[end - size : end] == text[-size:]]
        if len(text) >= size and places:
            said = list(text)
            for place in range(places[-1], places[-1] + length):
                said.append(said[place])
            return said[len(text) :]
    return []


@given(st.lists(tokens, min_size=1, max_size=40), st.lists(tokens, max_size=20), st.integers(1, 4))
def test_a_guess_is_what_followed_the_longest_match_the_last_time(
    prompt: list[int], answer: list[int], most: int
) -> None:
    drafter = Drafter(prompt_of(*prompt), longest=8)
    drafter.follow(answer)
    assert list(drafter.guess(most)) == longest_match_last(prompt + answer, most)


def test_pictures_are_not_looked_at() -> None:
    drafter = Drafter(prompt_of(1, 2, 3, ("p", 30), 1, 2), longest=8)
    assert drafter.guess(2) == (3, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 32), st.integers(50, 3000))
def test_a_guesser_that_is_always_wrong_costs_less_than_a_few_dozen_tokens(longest: int, num_tokens: int) -> None:
    drafter = Drafter(prompt_of(*[1] * 30), longest=longest)
    wasted = 0
    for _ in range(num_tokens):
        guess = drafter.guess(100)
        wasted += len(guess)
        drafter.follow([1])
        if guess:
            drafter.learn(len(guess), 0)
    assert wasted <= 4 + 1 + 2 * (1 + np.log2(max(1.0, num_tokens / 16)))


def test_a_guesser_that_is_always_right_grows_to_its_limit() -> None:
    drafter = Drafter(prompt_of(*[1] * 30), longest=12)
    lengths = []
    for _ in range(4):
        guess = drafter.guess(100)
        lengths.append(len(guess))
        drafter.follow([1] * (len(guess) + 1))
        drafter.learn(len(guess), len(guess))
    assert lengths == [4, 8, 12, 12]


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        pytest.param({"constraint": object()}, id="constraint"),
        {"num_logprobs": 0},
        {"repetition_penalty": 1.1},
        {"presence_penalty": 0.5},
        {"frequency_penalty": -0.5},
    ],
    ids=str,
)
def test_only_plain_greedy_answers_are_guessed_at(change: dict[str, Any]) -> None:
    plain = TokenSampling(logit_bias=((3, 1.0),), banned_ids=(4,))
    assert may_draft(plain)
    assert may_draft(replace(plain, temperature=0.5, top_k=1))
    assert not may_draft(replace(plain, **change))


# --- in the scheduler --------------------------------------------------------------------------------------------


def test_a_repetitive_answer_takes_a_fraction_of_the_steps_and_is_the_right_one() -> None:
    house = House(num_blocks=100, is_repetitive=True, draft_tokens=12, max_sequences=16)
    sequence = house.add(1, 2, 3, max_tokens=200, stop_ids=ENDLESS)
    house.drain()
    assert sequence.generated == house.right_answer(sequence)
    totals = house.scheduler.snapshot().totals
    assert len(house.plans) == 200 - totals.drafts_held < 100
    assert totals.drafts_held > totals.drafts_made / 2


def test_guesses_stand_back_while_a_prompt_is_read() -> None:
    house = House(num_blocks=200, is_repetitive=True, draft_tokens=8, step_tokens=16, max_sequences=16)
    house.add(1, 2, 3, max_tokens=100, stop_ids=ENDLESS)
    for _ in range(30):
        house.step()
    assert house.step().chunks[0].drafts
    house.add(*range(100, 160), salt="b", max_tokens=1)
    assert [chunk.drafts for plan in (house.step(), house.step()) for chunk in plan.chunks] == [()] * 4
    house.drain()


def test_a_full_house_is_not_guessed_for_and_prewarming_never_is() -> None:
    house = House(num_blocks=200, is_repetitive=True, draft_tokens=8, max_sequences=2)
    house.add(1, max_tokens=60, stop_ids=ENDLESS)
    house.add(2, max_tokens=60, stop_ids=ENDLESS)
    warm = house.add(3, kind=Kind.PREWARM)
    assert warm.drafter is None
    for _ in range(40):
        house.step()
    assert house.scheduler.snapshot().totals.drafts_made == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.lists(tokens, min_size=1, max_size=20), st.integers(1, 60)), min_size=1, max_size=6),
    st.sampled_from([12, 40]),
    st.integers(1, 16),
)
def test_what_is_computed_beyond_the_answers_is_what_was_guessed_wrong(
    requests: list[tuple[list[int], int]], num_blocks: int, draft_tokens: int
) -> None:
    house = House(
        num_blocks=num_blocks,
        block_size=8,
        has_prefix_cache=False,
        is_repetitive=True,
        draft_tokens=draft_tokens,
        max_sequences=10,
    )
    for prompt, max_tokens in requests:
        house.add(*prompt, max_tokens=max_tokens, stop_ids=ENDLESS)
    house.drain()
    totals = house.scheduler.snapshot().totals
    assert all(sequence.generated == house.right_answer(sequence) for sequence in house.sequences)
    computed = sum(plan.num_tokens for plan in house.plans)
    if not totals.preemptions:
        needed = sum(len(sequence) - 1 for sequence in house.sequences)
        assert computed == needed + totals.drafts_made - totals.drafts_held


# --- with a model ------------------------------------------------------------------------------------------------

NUM_TOKENS = 40
LOOPS = [
    Prompt(([11, 12, 13] * 6,)),
    Prompt((some_picture(1), [20, 21, 22, 20, 21])),
    Prompt(([5, 6, 7], some_picture(2, 112, 84), [5, 6, 7])),
    Prompt(([int(token) for token in np.random.default_rng(3).integers(0, 500, 60)],)),
    Prompt(([42],)),
]


@pytest.fixture(scope="module")
def expected(tiny_reference: Any) -> list[list[int]]:
    return [hf_greedy(prompt, tiny_reference, NUM_TOKENS) for prompt in LOOPS]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "together"])
@pytest.mark.parametrize(
    "limits",
    [
        {"draft_tokens": 1, "step_tokens": 7, "block_size": 1, "num_blocks": 1200},
        {"draft_tokens": 4, "step_tokens": 64, "block_size": 4, "max_sequences": 16},
        {"draft_tokens": 16, "step_tokens": 33, "block_size": 5, "max_sequences": 24},
        {"draft_tokens": 16, "num_blocks": 40, "has_prefix_cache": False, "max_sequences": 64},
    ],
    ids=str,
)
async def test_greedy_answers_equal_transformers_with_guesses(
    make_rig: Callable[..., Rig],
    tiny_reference: Any,
    expected: list[list[int]],
    limits: dict[str, Any],
    alone: bool,
) -> None:
    rig = make_rig(**limits)
    asked = [rig.tokens(model_input(prompt, tiny_reference), greedy(tiny_reference, NUM_TOKENS)) for prompt in LOOPS]
    answers = [await one for one in asked] if alone else await asyncio.gather(*asked)
    assert answers == expected
    totals = await rig.settle()
    assert totals.drafts_made >= totals.drafts_held


async def test_guesses_that_hold_save_steps_and_are_counted(make_rig: Callable[..., Rig], tiny_reference: Any) -> None:
    prompt = LOOPS[0]
    sampling = greedy(tiny_reference, 120)
    plain, guessing = make_rig(max_sequences=32), make_rig(max_sequences=32, draft_tokens=8)
    answers = [await rig.tokens(model_input(prompt, tiny_reference), sampling) for rig in (plain, guessing)]
    assert answers[0] == answers[1]
    totals = await guessing.settle()
    await plain.settle()
    saved = plain.engine.snapshot().total_steps - guessing.engine.snapshot().total_steps
    assert saved == totals.drafts_held
    numbers = guessing.engine.snapshot().numbers()
    assert numbers["total_drafts_made"] == totals.drafts_made


async def test_a_stop_id_among_the_guesses_ends_the_answer_there(
    make_rig: Callable[..., Rig], tiny_reference: Any
) -> None:
    full = hf_greedy(LOOPS[0], tiny_reference, 120)
    place = next(place for place in range(60, 119) if full[place] in full[:place])
    stop = full[place]
    first = full.index(stop)
    sampling = replace(greedy(tiny_reference, 120), stop_ids=frozenset({stop}))
    rig = make_rig(max_sequences=32, draft_tokens=8)
    events = await rig.answer(model_input(LOOPS[0], tiny_reference), sampling)
    assert [event.token for event in events] == [*full[:first], None]
    assert [event.finish for event in events] == [None] * first + ["stop"]
    await rig.settle()


async def test_random_and_constrained_neighbours_are_left_alone(
    make_rig: Callable[..., Rig], tiny_reference: Any
) -> None:
    seeded = TokenSampling(temperature=1.2, seed=5, max_tokens=30)
    prompt = model_input(LOOPS[0], tiny_reference)
    alone = await make_rig().tokens(prompt, seeded)
    rig = make_rig(max_sequences=32, draft_tokens=8)
    loop, answer = await asyncio.gather(rig.tokens(prompt, greedy(tiny_reference, 30)), rig.tokens(prompt, seeded))
    assert answer == alone
    assert loop == hf_greedy(LOOPS[0], tiny_reference, 30)
    await rig.settle()
