"""Nobody starves, and no caller's crowd holds up another caller: counted in turns and steps, never in seconds."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.house import ENDLESS, House, prompt_of
from tests.engine.rig import TEXT, Gate, MakeRig, begin
from tests.support.prompts import greedy, model_input

from flashsight.core.errors import Overloaded
from flashsight.core.types import Salt, TokenSampling
from flashsight.engine.queue import WaitingQueue
from flashsight.engine.sequence import Kind, Phase, Sequence, SequenceId

callers = st.sampled_from("abcde")


def sequence_of(number: int, salt: str, kind: Kind = Kind.ANSWER) -> Sequence:
    return Sequence(
        id=SequenceId(number),
        prompt=prompt_of(1),
        sampling=TokenSampling(),
        salt=Salt(salt.encode()),
        kind=kind,
        number=number,
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(callers, st.none()), max_size=80))
def test_while_a_caller_waits_every_other_gets_room_at_most_once(events: list[str | None]) -> None:
    queue = WaitingQueue()
    waiting: list[Sequence] = []
    served_since: dict[SequenceId, Counter[Salt]] = {}
    for number, salt in enumerate(events):
        if salt is not None:
            waiting.append(sequence_of(number, salt))
            queue.push(waiting[-1])
        elif waiting:
            served = queue.pop()
            assert served is next(sequence for sequence in waiting if sequence.salt == served.salt)
            waiting.remove(served)
            served_since.pop(served.id, None)
            for since in served_since.values():
                since[served.salt] += 1
                assert since[served.salt] <= 1
        heads = {sequence.salt: sequence.id for sequence in reversed(waiting)}
        for head in heads.values():
            served_since.setdefault(head, Counter())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(callers, st.booleans(), st.booleans()), max_size=40), st.integers(0, 20))
def test_the_line_is_the_order_in_which_they_get_room(arrivals: list[tuple[str, bool, bool]], num_gone: int) -> None:
    queue = WaitingQueue()
    for number, (salt, was_preempted, is_prewarm) in enumerate(arrivals):
        sequence = sequence_of(number, salt, Kind.PREWARM if is_prewarm else Kind.ANSWER)
        sequence.num_preempted = int(was_preempted)
        queue.push(sequence)
    for _ in range(min(num_gone, len(arrivals))):
        queue.pop()
    line, num_moves = queue.line(), queue.num_moves
    served = [queue.pop() for _ in range(len(line))]
    assert line == served
    assert all(sequence.kind is Kind.PREWARM for sequence in queue)
    assert queue.num_moves == num_moves + len(served)


# --- starvation --------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from([8, 32, 100]),
    st.lists(st.sampled_from([(1, 2), tuple(range(50, 80)), ("p", 20), ("q", 9)]), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_request_ends_though_others_never_stop_coming(
    max_sequences: int, step_tokens: int, parts: list[tuple], is_one_flood: bool
) -> None:
    house = House(num_blocks=120, step_tokens=step_tokens, max_sequences=max_sequences, max_waiting=10_000)
    own = [part for each in parts for part in ([each] if isinstance(each[0], str) else each)]
    for number in range(10):
        house.add(*[number + 1] * 20, salt="flood", max_tokens=6, stop_ids=ENDLESS)
    victim = house.add(*own, salt="victim", max_tokens=5, stop_ids=ENDLESS)
    for number in range(400):
        salt = "flood" if is_one_flood else f"caller {number}"
        house.add(number % 40 + 1, (f"x{number}", 6), salt=salt, max_tokens=3, stop_ids=ENDLESS)
        house.step()
        if house.decoding:
            house.deliver()
        if victim.phase is Phase.FINISHED:
            break
    assert victim.generated == house.right_answer(victim)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([("long", 60), ("short", 3)]), min_size=2, max_size=8))
def test_a_crowd_of_one_caller_ends_though_new_callers_never_stop_coming(kinds: list[tuple[str, int]]) -> None:
    house = House(num_blocks=400, step_tokens=24, max_sequences=8, max_waiting=10_000)
    crowd = [house.add(*[i + 1] * length, salt="crowd", max_tokens=3) for i, (_, length) in enumerate(kinds)]
    for number in range(600):
        house.add(*[number % 30 + 1] * 12, salt=f"caller {number}", max_tokens=1)
        house.step()
        if all(sequence.phase is Phase.FINISHED for sequence in crowd):
            break
    assert all(sequence.generated == house.right_answer(sequence) for sequence in crowd)


# --- turns at work -----------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 80), min_size=1, max_size=6), st.integers(1, 80), st.integers(0, 6))
def test_a_newcomer_s_prompt_takes_twice_its_own_steps_at_most_whatever_a_crowd_has_sent(
    crowd: list[int], length: int, num_steps_before: int
) -> None:
    house = House(num_blocks=400, step_tokens=20, max_sequences=8)
    for number, tokens in enumerate(crowd):
        house.add(*[number + 1] * tokens, salt="crowd", max_tokens=1)
    for _ in range(num_steps_before):
        house.step()
    newcomer = house.add(*[9] * length, salt="newcomer", max_tokens=1)
    for _ in range(2 * -(-length // 20)):
        house.step()
    assert newcomer.phase is Phase.FINISHED


def test_a_newcomer_s_picture_is_encoded_before_the_second_of_a_crowd() -> None:
    house = House(num_blocks=400, picture_bytes=1000, max_sequences=8, decode_slots=9, encode_patches=1)
    for i in range(4):
        house.add((f"crowd {i}", 10), i + 1, salt="crowd", max_tokens=1)
    house.add(("newcomer", 10), 1, salt="newcomer", max_tokens=1)
    house.step()
    while house.decoding:
        house.deliver()
    house.drain()
    assert house.encoded[:2] == ["crowd 0", "newcomer"]


# --- a full queue ------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(callers, min_size=1, max_size=60), st.integers(1, 12))
def test_a_full_queue_is_shared_as_evenly_as_those_who_come_want(arrivals: list[str], max_waiting: int) -> None:
    house = House(max_sequences=1, max_waiting=max_waiting, num_blocks=100)
    house.add(1, salt="running", max_tokens=300, stop_ids=ENDLESS)
    house.step()
    waiting: Counter[str] = Counter()
    num_refused = 0
    for salt in arrivals:
        is_full = waiting.total() == max_waiting
        try:
            newest = house.add(2, salt=salt)
        except Overloaded:
            assert is_full
            assert waiting[salt] + 1 >= max(waiting.values())
            num_refused += 1
            continue
        waiting[salt] += 1
        if is_full:
            displaced = house.ended[-1]
            assert isinstance(displaced.error, Overloaded)
            assert displaced.phase is Phase.FINISHED
            assert displaced is not newest
            waiting[displaced.salt.decode()] -= 1
            num_refused += 1
        house.scheduler.check()
    snapshot = house.scheduler.snapshot()
    assert snapshot.num_waiting == waiting.total() <= max_waiting
    assert snapshot.totals.refused == num_refused


async def test_whoever_is_displaced_is_told_when_to_come_back(make_rig: MakeRig, tiny_reference: object) -> None:
    rig, gate = make_rig(max_sequences=1, max_waiting=2), Gate()
    prompt, sampling = model_input(TEXT, tiny_reference), greedy(tiny_reference, 3)
    rig.model.on_forward = gate
    running = begin(rig, prompt, sampling)
    await gate.reached()
    crowd = [begin(rig, prompt, sampling) for _ in range(2)]
    await asyncio.sleep(0)
    newcomer = asyncio.ensure_future(rig.answer(prompt, sampling, Salt(b"newcomer")))
    await asyncio.sleep(0)
    gate.open()
    outcomes = await asyncio.gather(running, *crowd, newcomer, return_exceptions=True)
    assert [isinstance(outcome, Overloaded) for outcome in outcomes] == [False, False, True, False]
    with pytest.raises(Overloaded, match="try again in about"):
        raise outcomes[2]  # type: ignore[misc]
    await rig.settle()
