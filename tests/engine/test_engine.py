"""The engine's behaviour: walking away at any moment, faults, limits, starting and stopping."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from tests.engine.rig import LONG_TEXT, PICTURE, SALT, TEXT, Gate, MakeRig, begin, until, walk_away
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import NotReady, Overloaded, PromptTooLong
from flashsight.core.types import ModelInput, PromptStats, Timings, TokenEvent, TokenSampling
from flashsight.engine import publish
from flashsight.engine.publish import Outbox, Ticket
from flashsight.engine.sequence import SequenceId
from flashsight.engine.trace import Trace

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


async def test_only_behind_a_first_token_does_the_engine_leave_the_interpreter_to_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(publish.time, "sleep", pauses.append)
    outbox, ticket = Outbox(), Ticket(asyncio.get_running_loop(), SequenceId(1))
    stats = PromptStats(prompt_tokens=1, picture_tokens=0, cached_tokens=0, picture_level="none", timings=Timings())
    for event, expected in (
        (TokenEvent(token=1, stats=stats), 1),
        (TokenEvent(token=2), 1),
        (TokenEvent(token=3, finish="stop"), 1),
        (TokenEvent(token=4, stats=stats), 2),
    ):
        outbox.put(ticket, event)
        outbox.flush()
        outbox.let_pass()
        outbox.let_pass()
        assert len(pauses) == expected
    assert [(await ticket.next()).token for _ in range(4)] == [1, 2, 3, 4]


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
    monkeypatch.setattr("flashsight.engine.engine.QUIET_SECONDS", 0.0)
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


async def test_the_books_wait_until_nobody_has_come_for_a_while(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flashsight.engine.engine.QUIET_SECONDS", 3.0)
    rig = make_rig()
    checks: list[None] = []
    monkeypatch.setattr(rig.scheduler, "check", lambda: checks.append(None))
    for _ in range(5):
        await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 3))
        await asyncio.sleep(0.01)
    assert checks == []


async def test_a_trace_tells_every_piece_of_one_request_in_order(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig, trace = make_rig(), Trace(clock=time.monotonic)
    rig.engine.record(trace)
    await rig.answer(model_input(PICTURE, tiny_reference), greedy(tiny_reference, 4))
    rig.engine.record(None)
    await rig.answer(model_input(TEXT, tiny_reference), greedy(tiny_reference, 4))
    assert [event.lane for event in trace.events] == ["decode", "encode", "prefill", "step", "step", "step"]
    ends = [moment for event in trace.events for moment in (event.started_at, event.ended_at)]
    assert ends == sorted(ends)
