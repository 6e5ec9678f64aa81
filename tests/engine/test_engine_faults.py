"""Faults of every kind: who is told what, who is spared, and that serving goes on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.rig import PICTURE, TEXT, Gate, MakeRig, begin, until
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import EngineFault, FlashSightError, NotReady, PictureError
from flashsight.core.types import TokenSampling


async def test_a_fault_in_a_step_fails_its_sequences_and_serving_goes_on(
    make_rig: MakeRig, tiny_reference: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig()
    prompt, sampling = model_input(TEXT, tiny_reference), greedy(tiny_reference, 6)

    def break_once() -> None:
        rig.model.on_forward = None
        raise RuntimeError("a kernel died")

    rig.model.on_forward = break_once
    with caplog.at_level(logging.ERROR), pytest.raises(EngineFault) as caught:
        await rig.answer(prompt, sampling)
    assert "kernel" not in caught.value.message
    assert "req-1" in caught.value.message
    assert "a kernel died" in caplog.text
    assert await rig.tokens(prompt, sampling) == hf_greedy(TEXT, tiny_reference, 6)
    await rig.settle()
    assert rig.engine.snapshot().total_faults == 1


async def test_a_fault_in_the_encoder_fails_only_who_waits_for_the_picture(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig = make_rig()

    def break_once() -> None:
        rig.model.on_encode = None
        raise RuntimeError("a kernel died")

    rig.model.on_encode = break_once
    with_picture = begin(rig, model_input(PICTURE, tiny_reference), greedy(tiny_reference, 6))
    without = begin(rig, model_input(TEXT, tiny_reference), greedy(tiny_reference, 6))
    with pytest.raises(EngineFault):
        await with_picture
    assert len(await without) == 6
    answer = await rig.tokens(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 6))
    assert answer == hf_greedy(PICTURE, tiny_reference, 6)
    await rig.settle()


async def test_logits_that_are_not_numbers_fail_their_own_sequence(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(), Gate()
    rig.model.on_forward = gate
    tasks = [begin(rig, model_input(TEXT, tiny_reference), greedy(tiny_reference, 6)) for _ in range(2)]
    await gate.reached()
    rig.model.on_forward = None

    def poison(logits_NV: torch.Tensor) -> None:
        if len(logits_NV) == 2:
            logits_NV[1] = float("nan")

    rig.model.on_logits = poison
    gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EngineFault", "list"]
    await rig.settle()


async def test_a_broken_picture_fails_its_own_requests_with_its_reason(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()

    def refuse(index: int, pixels: Any) -> Any:
        if index == 1:
            raise PictureError("the picture ends in the middle; send it again", param="messages[0].content[1]")
        return pixels

    broken = Prompt(([1], some_picture(1), [2], some_picture(2), [3]))
    bad = begin(rig, model_input(broken, tiny_reference, refuse), greedy(tiny_reference, 4))
    good = begin(rig, model_input(PICTURE, tiny_reference), greedy(tiny_reference, 4))
    with pytest.raises(PictureError, match="ends in the middle"):
        await bad
    assert [event.token for event in await good] == hf_greedy(PICTURE, tiny_reference, 4)
    await rig.settle()


async def test_a_decoder_that_crashes_is_our_fault_and_says_so(make_rig: MakeRig, tiny_reference: Any) -> None:
    def crash(_: int, pixels: Any) -> Any:
        raise ZeroDivisionError("inside a library")

    rig = make_rig()
    with pytest.raises(EngineFault) as caught:
        await rig.answer(model_input(PICTURE, tiny_reference, crash), greedy(tiny_reference, 4))
    assert "library" not in caught.value.message
    await rig.settle()


class GivesUp:
    """A grammar that fails after some tokens."""

    is_finished = False

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.num_left = 2

    def write_mask(self, words: Any) -> None:
        words[:] = -1

    def advance(self, token: int) -> None:
        self.num_left -= 1
        if not self.num_left:
            raise self.error


@pytest.mark.parametrize(
    ("error", "seen"),
    [(RuntimeError("inside"), EngineFault), (PictureError("the schema is too costly"), PictureError)],
)
async def test_a_grammar_that_gives_up_ends_only_its_own_answer(
    make_rig: MakeRig, tiny_reference: Any, error: Exception, seen: type[FlashSightError]
) -> None:
    rig, prompt = make_rig(), model_input(TEXT, tiny_reference)
    failing = begin(rig, prompt, TokenSampling(max_tokens=9, constraint=GivesUp(error)))
    other = begin(rig, prompt, greedy(tiny_reference, 9))
    with pytest.raises(seen):
        await failing
    assert len(await other) == 9
    await rig.settle()


async def test_a_fault_of_the_books_ends_the_engine_and_says_so(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()

    def broken() -> None:
        raise AssertionError("a block leaked")

    monkeypatch.setattr(rig.scheduler, "plan", broken)
    with pytest.raises(EngineFault):
        await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))
    assert not rig.engine.is_ready
    with pytest.raises(NotReady):
        await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))


async def test_books_that_do_not_balance_are_logged_and_serving_goes_on(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flashsight.engine.engine.QUIET_SECONDS", 0.0)
    rig = make_rig()

    def unbalanced() -> None:
        raise AssertionError("a block leaked")

    with monkeypatch.context() as patch:
        patch.setattr(rig.scheduler, "check", unbalanced)
        await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))
        await until(lambda: "a block leaked" in caplog.text)
    assert len(await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))) == 3


async def test_a_storm_of_requests_that_come_go_and_break_leaves_right_answers_and_balanced_books(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig = make_rig(num_blocks=60, step_tokens=24, max_sequences=5, picture_tokens=40, max_waiting=100)
    rng = np.random.default_rng(3)
    prompts = [
        Prompt(([1, 2], some_picture(seed), [3, 4], some_picture(seed + 1, 112, 84), [5] * (seed + 1)))
        for seed in range(4)
    ] + [Prompt((list(range(seed, seed + 20)),)) for seed in range(4)]
    expected = [hf_greedy(prompt, tiny_reference, 12) for prompt in prompts]

    def break_sometimes() -> None:
        if rng.random() < 0.1:
            raise RuntimeError("a kernel died")

    rig.model.on_encode = break_sometimes
    num_right = 0

    async def one(number: int) -> None:
        nonlocal num_right
        which = number % len(prompts)
        await asyncio.sleep(0.002 * int(rng.integers(0, 60)))
        task = begin(rig, model_input(prompts[which], tiny_reference), greedy(tiny_reference, 12))
        if rng.random() < 0.3:
            await asyncio.sleep(0.002 * int(rng.integers(0, 30)))
            task.cancel()
        try:
            answer = await task
        except (asyncio.CancelledError, EngineFault):
            return
        assert [event.token for event in answer] == expected[which]
        num_right += 1

    await asyncio.gather(*(one(number) for number in range(64)))
    rig.model.on_encode = None
    totals = await rig.settle()
    assert num_right > 20
    assert totals.finished >= num_right
