"""The engine's behaviour: walking away at any moment, faults, limits, starting and stopping."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.rig import SALT, Rig
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import EngineFault, FlashSightError, NotReady, Overloaded, PictureError, PromptTooLong
from flashsight.core.types import ModelInput, TokenEvent, TokenSampling
from flashsight.engine.publish import Outbox, Ticket
from flashsight.engine.sequence import SequenceId

TEXT = Prompt(([11, 12, 13, 14, 15],))
LONG_TEXT = Prompt(([int(token) for token in np.random.default_rng(1).integers(0, 500, 200)],))
PICTURE = Prompt(([5], some_picture(1), [6, 7]))

MakeRig = Callable[..., Rig]


class Gate:
    """Stops whoever calls it until it is opened, and tells when somebody stands there."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self._is_open = threading.Event()

    def __call__(self) -> None:
        self.is_reached.set()
        assert self._is_open.wait(20)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.is_reached.wait, 20)

    def open(self) -> None:
        self._is_open.set()


def begin(rig: Rig, prompt: ModelInput, sampling: TokenSampling) -> asyncio.Task[list[TokenEvent]]:
    return asyncio.ensure_future(rig.answer(prompt, sampling))


async def walk_away(task: asyncio.Task[list[TokenEvent]]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(2000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to pass")


# --- walking away ------------------------------------------------------------------------------------------------


async def test_walking_away_mid_answer_aborts_the_sequence(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    events: AsyncGenerator[TokenEvent, None] = rig.engine.generate(
        model_input(TEXT, tiny_reference), greedy(tiny_reference, 500), salt=SALT, request_id="req-1"
    )
    for _ in range(3):
        await anext(events)
    await events.aclose()
    assert (await rig.settle()).aborted == 1
    assert rig.engine.snapshot().total_tokens_sampled < 500


async def test_walking_away_from_the_queue_leaves_it(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(max_sequences=1), Gate()
    rig.model.on_forward = gate
    first = begin(rig, model_input(TEXT, tiny_reference), greedy(tiny_reference, 4))
    await gate.reached()
    second = begin(rig, model_input(PICTURE, tiny_reference), greedy(tiny_reference, 4))
    await asyncio.sleep(0)
    await walk_away(second)
    gate.open()
    assert len(await first) == 4
    totals = await rig.settle()
    assert (totals.aborted, totals.finished, totals.encoder_calls) == (1, 1, 0)


async def test_walking_away_while_a_picture_decodes_drops_its_pixels(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(), Gate()

    def load(_: int, pixels: Any) -> Any:
        gate()
        return pixels

    task = begin(rig, model_input(PICTURE, tiny_reference, load), greedy(tiny_reference, 4))
    await gate.reached()
    await walk_away(task)
    await rig.settle()
    gate.open()
    assert await rig.tokens(model_input(TEXT, tiny_reference), greedy(tiny_reference, 4))
    assert (await rig.settle()).encoder_calls == 0


async def test_pictures_that_nobody_waits_for_any_more_are_not_decoded(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate, loaded = make_rig(), Gate(), []

    def prompt(seed: int) -> ModelInput:
        def load(_: int, pixels: Any) -> Any:
            loaded.append(seed)
            gate()
            return pixels

        return model_input(Prompt(([5], some_picture(seed), [6])), tiny_reference, load)

    # Both decoding threads stand at the gate; the third picture queues behind them.
    tasks = [begin(rig, prompt(seed), greedy(tiny_reference, 2)) for seed in (1, 2)]
    await until(lambda: len(loaded) == 2)
    tasks.append(begin(rig, prompt(3), greedy(tiny_reference, 2)))
    await until(lambda: rig.engine.snapshot().books.num_running == 3)
    for task in tasks[1:]:
        await walk_away(task)
    await until(lambda: rig.engine.snapshot().books.num_running == 1)
    gate.open()
    assert len(await tasks[0]) == 2
    await rig.settle()
    assert sorted(loaded) == [1, 2]


async def test_walking_away_during_prefill_stops_it(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(step_tokens=7), Gate()
    rig.model.on_forward = gate
    task = begin(rig, model_input(LONG_TEXT, tiny_reference), greedy(tiny_reference, 4))
    await gate.reached()
    await walk_away(task)
    gate.open()
    await rig.settle()
    assert rig.engine.snapshot().total_tokens_computed < 200


async def test_an_event_loop_that_is_gone_aborts_what_it_waited_for(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(), Gate()
    prompt, sampling = model_input(TEXT, tiny_reference), greedy(tiny_reference, 500)

    def other_loop() -> None:
        loop = asyncio.new_event_loop()
        events = rig.engine.generate(prompt, sampling, salt=SALT, request_id="req-1")
        loop.run_until_complete(anext(events))
        rig.model.on_forward = gate
        loop.close()

    await asyncio.to_thread(other_loop)
    gate.open()
    assert (await rig.settle()).aborted == 1


# --- faults ------------------------------------------------------------------------------------------------------


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


# --- limits ------------------------------------------------------------------------------------------------------


async def test_a_prompt_beyond_the_context_is_refused_at_the_first_event(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig = make_rig(context_tokens=100)
    with pytest.raises(PromptTooLong, match=r"200 tokens.*99"):
        await rig.answer(model_input(LONG_TEXT, tiny_reference), greedy(tiny_reference, 1))
    await rig.settle()


async def test_a_full_queue_refuses_with_a_time_to_come_back(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(max_sequences=1, max_waiting=1), Gate()
    prompt, sampling = model_input(TEXT, tiny_reference), greedy(tiny_reference, 3)
    rig.model.on_forward = gate
    tasks = [begin(rig, prompt, sampling)]
    await gate.reached()
    tasks += [begin(rig, prompt, sampling) for _ in range(3)]
    await asyncio.sleep(0)
    gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    assert len(refused) == 2
    assert all(error.retry_after_seconds > 0 for error in refused)
    await rig.settle()


async def test_a_stop_id_ends_the_answer_and_is_not_published(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, full = make_rig(), hf_greedy(PICTURE, tiny_reference, 8)
    place = next(place for place in range(2, 8) if full[place] not in full[:place])
    sampling = TokenSampling(
        max_tokens=8, banned_ids=greedy(tiny_reference, 1).banned_ids, stop_ids=frozenset({full[place]})
    )
    events = await rig.answer(model_input(PICTURE, tiny_reference), sampling)
    assert [event.token for event in events] == [*full[:place], None]
    assert [event.finish for event in events] == [None] * place + ["stop"]


async def test_the_first_event_tells_where_the_time_went(make_rig: MakeRig, tiny_reference: Any) -> None:
    events = await make_rig().answer(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 3))
    first, *rest = events
    assert all(event.stats is None for event in rest)
    assert first.stats is not None
    assert first.stats.picture_tokens == 12
    assert first.stats.prompt_tokens == 1 + 12 + 2 + 2
    timings = first.stats.timings
    parts = (timings.queued_seconds, timings.decode_seconds, timings.encode_seconds, timings.prefill_seconds)
    assert all(seconds >= 0 for seconds in parts)
    assert timings.encode_seconds > 0
    assert timings.prefill_seconds > 0
    assert timings.first_token_seconds >= max(parts)
    assert [event.finish for event in events] == [None, None, "length"]


# --- the event loop and the thread ---------------------------------------------------------------------------------


async def test_the_event_loop_goes_on_while_the_model_runs(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig(step_tokens=16)
    ticks = 0
    has_ticked = threading.Semaphore(0)

    def wait_for_ticks() -> None:
        # A step that ends only when the event loop has turned: were the loop blocked by it, neither would go on.
        for _ in range(5):
            assert has_ticked.acquire(timeout=20)

    rig.model.on_forward = wait_for_ticks

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1
            has_ticked.release()

    ticker = asyncio.ensure_future(tick())
    answer = await rig.answer(model_input(LONG_TEXT, tiny_reference), greedy(tiny_reference, 3))
    ticker.cancel()
    assert len(answer) == 3
    assert ticks >= 5 * (200 // 16)


async def test_one_step_wakes_an_event_loop_once() -> None:
    loop, outbox = asyncio.get_running_loop(), Outbox()
    tickets = [Ticket(loop, SequenceId(number)) for number in range(5)]
    calls = []
    original = loop.call_soon_threadsafe

    def counted(callback: Any, *args: Any) -> Any:
        calls.append(callback)
        return original(callback, *args)

    loop.call_soon_threadsafe = counted  # type: ignore[assignment, method-assign]
    try:
        for number, ticket in enumerate(tickets):
            outbox.put(ticket, TokenEvent(token=number))
        assert outbox.flush() == []
    finally:
        del loop.call_soon_threadsafe
    assert [(await ticket.next()).token for ticket in tickets] == [0, 1, 2, 3, 4]
    assert len(calls) == 1


async def test_stopping_with_drain_answers_all_that_was_asked(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(max_sequences=2), Gate()
    rig.model.on_forward = gate
    prompts = [TEXT, PICTURE, LONG_TEXT]
    tasks = [begin(rig, model_input(prompt, tiny_reference), greedy(tiny_reference, 5)) for prompt in prompts]
    await gate.reached()
    stopping = asyncio.ensure_future(asyncio.to_thread(rig.engine.stop, drain=True))
    gate.open()
    await stopping
    answers = [[event.token for event in answer] for answer in await asyncio.gather(*tasks)]
    assert answers == [hf_greedy(prompt, tiny_reference, 5) for prompt in prompts]


async def test_stopping_at_once_tells_everyone_and_leaves_no_thread(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, gate = make_rig(max_sequences=1), Gate()
    prompt, sampling = model_input(TEXT, tiny_reference), greedy(tiny_reference, 500)
    rig.model.on_forward = gate
    tasks = [begin(rig, prompt, sampling) for _ in range(3)]
    await gate.reached()
    stopping = asyncio.ensure_future(asyncio.to_thread(rig.engine.stop))
    await asyncio.sleep(0)
    gate.open()
    await stopping
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(outcome, "code", None) for outcome in outcomes] == ["shutting_down"] * 3
    assert not rig.engine.is_ready
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("flashsight")]
    with pytest.raises(NotReady):
        await rig.answer(prompt, sampling)


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


async def test_metrics_are_flat_numbers_that_add_up(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    await rig.answer(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 5))
    await rig.settle()
    numbers = rig.engine.snapshot().numbers()
    assert all(isinstance(value, int) for value in numbers.values())
    assert numbers["total_tokens_computed"] == 17 + 4
    assert numbers["total_tokens_sampled"] == 5
    assert numbers["total_finished"] == numbers["total_encoder_calls"] == 1
    assert numbers["num_running"] == numbers["num_waiting"] == numbers["blocks_used"] == 0


async def test_an_idle_engine_sleeps_and_checks_its_books_once(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flashsight.engine.loop._CHECK_SECONDS", 0.0)
    rig = make_rig()
    counts = {"plan": 0, "check": 0}
    for name in counts:
        original = getattr(rig.scheduler, name)

        def counted(name: str = name, original: Callable[[], Any] = original) -> Any:
            counts[name] += 1
            return original()

        monkeypatch.setattr(rig.scheduler, name, counted)
    await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))
    await until(lambda: counts["check"] == 1)
    planned = counts["plan"]
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert counts == {"plan": planned, "check": 1}


async def test_books_that_do_not_balance_are_logged_and_serving_goes_on(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flashsight.engine.loop._CHECK_SECONDS", 0.0)
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
