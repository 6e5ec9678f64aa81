"""Reading a prompt before it is asked about: counts of encoder calls and computed tokens, and who gives way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.rig import LONG_TEXT, PICTURE, SALT, TEXT, Gate, MakeRig, begin, until
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import Overloaded, PictureError
from flashsight.core.types import Salt
from flashsight.engine.device import Stamp

OPENING = Prompt(([5], some_picture(1)))
"""What PICTURE begins with: 15 tokens, 12 of them the picture; three full blocks of four."""


async def test_a_prewarmed_picture_is_encoded_once_and_its_blocks_are_found(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig = make_rig()
    stats = await rig.engine.prewarm(model_input(OPENING, tiny_reference), salt=SALT, request_id="warm")
    assert (stats.prompt_tokens, stats.cached_tokens, stats.picture_level) == (15, 0, "none")
    events = await rig.answer(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 6))
    assert events[0].stats is not None
    assert (events[0].stats.cached_tokens, events[0].stats.picture_level) == (12, "device")
    assert [event.token for event in events if event.token is not None] == hf_greedy(PICTURE, tiny_reference, 6)
    totals = await rig.settle()
    assert (totals.pictures_encoded, totals.prewarmed, totals.finished) == (1, 1, 2)
    assert rig.engine.snapshot().total_tokens_sampled <= 6


async def test_reading_ahead_is_over_when_the_device_has_done_it_and_its_chunks_are_not_waited_for(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, waits = make_rig(step_tokens=64), []
    monkeypatch.setattr(Stamp, "wait", lambda self: waits.append(self))
    before = rig.engine.snapshot().total_steps
    await rig.engine.prewarm(model_input(LONG_TEXT, tiny_reference), salt=SALT, request_id="warm")
    await rig.settle()
    assert rig.engine.snapshot().total_steps - before == 4
    assert len(waits) == 1


async def test_another_caller_finds_no_block_of_it(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    await rig.engine.prewarm(model_input(OPENING, tiny_reference), salt=SALT, request_id="warm")
    events = await rig.answer(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 1), Salt(b"another"))
    assert events[0].stats is not None
    assert events[0].stats.cached_tokens == 0


async def test_a_question_in_the_middle_shares_the_work(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(), Gate()
    rig.model.on_encode = gate
    warm = asyncio.ensure_future(rig.engine.prewarm(model_input(OPENING, tiny_reference), salt=SALT, request_id="warm"))
    await gate.reached()
    answer = begin(rig, model_input(PICTURE, tiny_reference), greedy(tiny_reference, 4))
    await asyncio.sleep(0.02)
    gate.open()
    events, _ = await asyncio.gather(answer, warm)
    assert [event.token for event in events if event.token is not None] == hf_greedy(PICTURE, tiny_reference, 4)
    totals = await rig.settle()
    assert (totals.encoder_calls, totals.pictures_encoded, totals.prewarmed) == (1, 1, 1)


async def test_prewarming_gives_its_room_to_an_answer_and_ends_afterwards(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig, gate = make_rig(step_tokens=16, num_blocks=55), Gate()
    rig.model.on_forward = gate
    warm = asyncio.ensure_future(
        rig.engine.prewarm(model_input(LONG_TEXT, tiny_reference), salt=SALT, request_id="warm")
    )
    await gate.reached()
    answer = begin(rig, model_input(Prompt(([9] * 60,)), tiny_reference), greedy(tiny_reference, 4))
    await asyncio.sleep(0.02)
    gate.open()
    await answer
    assert not warm.done()
    await warm
    totals = await rig.settle()
    assert totals.preemptions >= 1
    assert (totals.prewarmed, totals.finished) == (1, 2)


async def test_cancelling_drops_the_work(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(step_tokens=16), Gate()
    rig.model.on_forward = gate
    warm = asyncio.ensure_future(
        rig.engine.prewarm(model_input(LONG_TEXT, tiny_reference), salt=SALT, request_id="warm")
    )
    await gate.reached()
    warm.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warm
    gate.open()
    totals = await rig.settle()
    assert (totals.aborted, totals.prewarmed) == (1, 0)
    assert rig.engine.snapshot().total_tokens_computed <= 32


async def test_a_picture_that_cannot_be_decoded_fails_the_prewarming(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()

    def load(_: int, pixels: Any) -> Any:
        raise PictureError("the picture is damaged")

    with pytest.raises(PictureError, match="damaged"):
        await rig.engine.prewarm(model_input(OPENING, tiny_reference, load), salt=SALT, request_id="warm")
    assert (await rig.settle()).failed == 1


async def test_too_many_prewarms_are_refused_and_answers_are_not(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(max_sequences=1, max_waiting=1), Gate()
    rig.model.on_forward = gate
    first = begin(rig, model_input(TEXT, tiny_reference), greedy(tiny_reference, 2))
    await gate.reached()
    prompt = model_input(OPENING, tiny_reference)
    warm = [asyncio.ensure_future(rig.engine.prewarm(prompt, salt=SALT, request_id="warm")) for _ in range(2)]
    second = begin(rig, model_input(TEXT, tiny_reference), greedy(tiny_reference, 2))
    await asyncio.sleep(0.02)
    gate.open()
    assert len(await first) == len(await second) == 2
    outcomes = await asyncio.gather(*warm, return_exceptions=True)
    await until(lambda: rig.scheduler.is_idle)
    assert [type(outcome) is Overloaded for outcome in outcomes] == [False, True]
