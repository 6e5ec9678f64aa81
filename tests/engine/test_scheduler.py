"""The scheduler under random loads. `House` knows every right answer and what every block must hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.house import ENDLESS, STOP_ID, House

from flashsight.core.errors import Overloaded, PictureError, PromptTooLong, RequestError
from flashsight.engine.prefill import BESIDE_TOKENS, SHORTEST_CUT
from flashsight.engine.sequence import Kind, Phase, Sequence

PICTURES = {"p0": 3, "p1": 8, "p2": 20, "p3": 40, "p4": 5, "p5": 70}

texts = st.one_of(
    st.integers(1, 6),
    st.sampled_from([(1,) * 12, (1, 2, 3, 4) * 6, (5,) * 80]),
)
pictures = st.sampled_from(sorted(PICTURES.items()))
parts = st.lists(st.one_of(texts, pictures), min_size=1, max_size=6)


def flat(parts: list[int | tuple[int, ...] | tuple[str, int]]) -> list[int | tuple[str, int]]:
    out: list[int | tuple[str, int]] = []
    for part in parts:
        if isinstance(part, tuple) and isinstance(part[0], int):
            out += part
        else:
            out.append(part)  # type: ignore[arg-type]
    return out


requests = st.tuples(
    st.just("add"),
    parts,
    st.sampled_from("ab"),
    st.integers(1, 30),
    st.sampled_from([Kind.ANSWER] * 4 + [Kind.PREWARM]),
)
events = st.one_of(
    requests,
    requests,
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("abort"), st.integers(0, 12)),
    st.tuples(st.just("abort inside"), st.integers(0, 12)),
)
houses = st.fixed_dictionaries(
    {
        "num_blocks": st.sampled_from([40, 60, 400]),
        "block_size": st.sampled_from([4, 8]),
        "picture_bytes": st.sampled_from([140, 200, 1000]),
        "has_prefix_cache": st.sampled_from([True, True, True, False]),
        "step_tokens": st.sampled_from([1, 5, 32, 200]),
        "encode_patches": st.sampled_from([1, 64, 300]),
        "max_sequences": st.sampled_from([1, 3, 8]),
        "decode_slots": st.sampled_from([1, 3]),
        "draft_tokens": st.sampled_from([0, 1, 6]),
        "is_repetitive": st.booleans(),
    }
)


def play(house: House, event: tuple) -> None:  # type: ignore[type-arg]
    match event:
        case ("add", parts, salt, max_tokens, kind):
            try:
                house.add(*flat(parts), salt=salt, max_tokens=max_tokens, kind=kind)
            except PromptTooLong:
                house.scheduler.check()
        case ("step", times):
            for _ in range(times):
                house.step()
        case ("deliver", index) if house.decoding:
            house.deliver(index)
        case ("abort", index):
            house.abort(index)
        case ("abort inside", index):
            house.step(abort_inside=index)


@settings(max_examples=150, deadline=None)
@given(houses, st.lists(events, min_size=3, max_size=30), st.sets(st.sampled_from(sorted(PICTURES)), max_size=1))
def test_every_request_ends_with_the_right_answer_whatever_happens(
    kind: dict[str, int],
    happenings: list[tuple],
    bad_pictures: set[str],  # type: ignore[type-arg]
) -> None:
    house = House(**kind)  # type: ignore[arg-type]
    house.bad_pictures = bad_pictures
    for event in happenings:
        play(house, event)
    house.drain()
    for sequence in house.sequences:
        assert sequence.phase is Phase.FINISHED
    for sequence in house.ended:
        if sequence.error is not None:
            assert {picture.key for picture in sequence.prompt.pictures} & bad_pictures
        elif sequence.kind is Kind.ANSWER:
            answer = house.right_answer(sequence)
            assert sequence.generated == answer
            stopped = sequence.num_prompt + len(answer) < sequence.max_length
            assert sequence.finish == ("stop" if stopped else "length")
        else:
            assert sequence.generated == []
            assert sequence.finish is None
    totals = house.scheduler.snapshot().totals
    assert totals.finished + totals.failed + totals.aborted == len(house.sequences)
    assert totals.pictures_encoded == len(house.encoded)


@pytest.mark.parametrize("seed", range(24))
def test_long_crowded_days_with_every_cache_too_small_end_well(seed: int) -> None:
    random = Random(seed)
    house = House(
        num_blocks=random.choice([40, 60, 200]),
        picture_bytes=random.choice([140, 150, 200]),
        has_prefix_cache=random.random() < 0.8,
        step_tokens=random.choice([5, 32, 100, 200]),
        encode_patches=random.choice([1, 64, 300]),
        max_sequences=random.choice([1, 3, 8]),
        decode_slots=random.choice([1, 2, 6]),
        draft_tokens=random.choice([0, 3, 16]),
        is_repetitive=random.random() < 0.5,
    )
    for _ in range(100):
        match random.choices(["add", "step", "deliver", "abort", "abort inside"], [6, 6, 5, 1, 1])[0]:
            case "add":
                some = [random.choice([(random.randint(1, 4),) * 15, *PICTURES.items()]) for _ in range(4)]
                kind = random.choice([Kind.ANSWER, Kind.ANSWER, Kind.PREWARM])
                play(house, ("add", some, random.choice("abc"), random.choice([1, 5, 40]), kind))
            case "step":
                house.step()
            case what:
                play(house, (what, random.randrange(20)))
    house.drain()
    answered = [s for s in house.ended if s.kind is Kind.ANSWER]
    assert all(sequence.generated == house.right_answer(sequence) for sequence in answered)


@settings(max_examples=60, deadline=None)
@given(st.lists(requests, min_size=2, max_size=12), st.sampled_from([4, 8]), st.sampled_from([16, 64, 500]))
def test_with_room_for_all_exactly_the_known_blocks_are_reused_and_every_picture_is_encoded_once(
    requests: list[tuple],
    block_size: int,
    step_tokens: int,  # type: ignore[type-arg]
) -> None:
    house = House(num_blocks=1200, block_size=block_size, picture_bytes=10**6, step_tokens=step_tokens)
    for request in requests:
        _, parts, salt, max_tokens, _kind = request
        try:
            sequence = house.add(*flat(parts), salt=salt, max_tokens=max_tokens)
        except PromptTooLong:
            continue
        expected = house.num_known(sequence)
        house.drain()
        assert sequence.num_prompt_cached == expected
    assert len(house.encoded) == len(set(house.encoded))
    totals = house.scheduler.snapshot().totals
    assert totals.prefix_hits == sum(sequence.num_prompt_cached for sequence in house.sequences)
    assert totals.prefix_asked == sum(sequence.num_prompt for sequence in house.sequences)
    assert totals.preemptions == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(12, 20), st.integers(1, 4))
def test_a_cache_far_too_small_for_all_answers_them_all(num_requests: int, num_blocks: int, num_salts: int) -> None:
    house = House(num_blocks=num_blocks, block_size=4, max_sequences=8, step_tokens=16)
    for index in range(num_requests):
        house.add(*[index % 5 + 1] * 10, salt=str(index % num_salts), max_tokens=35)
    house.drain()
    assert all(sequence.generated == house.right_answer(sequence) for sequence in house.sequences)


def ids(sequences: list[Sequence]) -> list[int]:
    return [int(sequence.id) for sequence in sequences]


# --- order -------------------------------------------------------------------------------------------------------


def test_callers_take_turns_and_a_caller_s_own_requests_keep_their_order() -> None:
    house = House(max_sequences=1, num_blocks=100)
    for salt in "aaab":
        house.add(1, 2, 3, salt=salt, max_tokens=1)
    house.add(4, salt="b", max_tokens=1)
    house.drain()
    assert ids(house.ended) == [0, 3, 1, 4, 2]


def test_a_large_request_at_the_head_is_not_overtaken_by_small_ones() -> None:
    house = House(num_blocks=20, block_size=4, max_sequences=8)
    house.add(*[1] * 30, max_tokens=20)
    house.step()
    large = house.add(*[2] * 60, max_tokens=1)
    small = house.add(3, max_tokens=1, salt="b")
    house.step()
    assert large.phase is small.phase is Phase.WAITING
    house.drain()
    assert house.ended.index(large) < house.ended.index(small) or large.number < small.number


def test_a_decode_without_a_block_takes_it_from_the_youngest_which_keeps_its_tokens() -> None:
    house = House(num_blocks=12, block_size=4, max_sequences=4, step_tokens=64)
    old = house.add(*[1] * 16, max_tokens=30, stop_ids=ENDLESS)
    young = house.add(*[2] * 16, max_tokens=24, salt="b", stop_ids=ENDLESS)
    while not young.num_preempted:
        house.step()
    assert old.num_preempted == 0
    assert young.phase is Phase.WAITING
    assert young.blocks == []
    kept = list(young.generated)
    assert kept
    house.drain()
    assert young.generated[: len(kept)] == kept
    assert house.scheduler.snapshot().totals.preemptions >= 1


def test_a_long_prompt_is_cut_and_decodes_go_on_beside_each_piece() -> None:
    house = House(num_blocks=200, step_tokens=10, context_tokens=500)
    house.add(1, 2, 3, max_tokens=50, stop_ids=ENDLESS)
    house.step()
    house.add(*range(100, 145), salt="b")
    pieces = [house.step() for _ in range(5)]
    assert [[chunk.num_tokens for chunk in plan.chunks] for plan in pieces] == [[1, 9]] * 5
    assert [chunk.samples for plan in pieces for chunk in plan.chunks[1:]] == [False] * 4 + [True]


def test_beside_decodes_prompts_go_in_equal_parts_and_share_their_room_and_alone_they_go_whole() -> None:
    house = House(num_blocks=1000, step_tokens=2048, context_tokens=2000, max_sequences=4)
    house.add(*range(1000, 1000 + 2 * BESIDE_TOKENS), max_tokens=50, stop_ids=ENDLESS)
    assert [chunk.num_tokens for chunk in house.step().chunks] == [2 * BESIDE_TOKENS], "nobody waits for a token"
    house.add(*range(3000, 3000 + 2 * BESIDE_TOKENS + 1), salt="b", max_tokens=50, stop_ids=ENDLESS)
    house.add(*range(5000, 5000 + BESIDE_TOKENS), salt="c", max_tokens=50, stop_ids=ENDLESS)
    plans = [house.step() for _ in range(4)]
    parts = -(-(2 * BESIDE_TOKENS + 1) // 3)
    assert [chunk.num_tokens for chunk in plans[0].chunks][:2] == [1, parts]
    assert all(sum(c.num_tokens for c in plan.chunks[plan.num_decodes :]) <= BESIDE_TOKENS for plan in plans)
    assert sum(plan.num_tokens - plan.num_decodes for plan in plans) == 3 * BESIDE_TOKENS + 1


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_chunk_ends_before_a_picture_that_is_not_there_and_runs_through_one_that_is() -> None:
    house = House(step_tokens=SHORTEST_CUT + 40, num_blocks=100)
    sequence = house.add(*[1] * SHORTEST_CUT, ("p", 30), 2, 3)
    plan = house.step()
    assert [picture.key for picture in plan.decode_requests] == ["p"]
    assert sequence.num_computed == SHORTEST_CUT
    assert house.step().is_empty
    assert sequence.phase is Phase.PICTURES
    house.deliver()
    assert [encode.picture.key for encode in house.step().encodes] == ["p"]
    assert [(c.start, c.end, c.samples) for c in house.step().chunks] == [(SHORTEST_CUT, SHORTEST_CUT + 32, True)]


def test_a_short_head_waits_for_its_picture_and_goes_with_it() -> None:
    house = House(step_tokens=200, num_blocks=100)
    house.add(1, 2, 3, ("p", 30), 4)
    assert house.step().is_empty
    house.deliver()
    assert house.step().encodes
    assert [(c.start, c.end) for c in house.step().chunks] == [(0, 34)]


def test_a_chunk_may_end_in_the_middle_of_a_picture() -> None:
    house = House(step_tokens=20, num_blocks=100)
    house.add(1, ("p", 50), 2)
    house.drain()
    chunks = [(c.start, c.end) for plan in house.plans for c in plan.chunks[plan.num_decodes :]]
    assert chunks == [(0, 20), (20, 40), (40, 52)]


def test_encoding_and_prefill_take_turns_so_that_a_decode_waits_for_one_of_them_at_most() -> None:
    house = House(step_tokens=16, num_blocks=200, encode_patches=40, decode_slots=8)
    house.add(1, max_tokens=60, stop_ids=ENDLESS)
    house.step()
    house.add(*range(100, 190), salt="b")
    house.add(("p", 10), ("q", 10), ("r", 10), ("s", 10), salt="c")
    house.step()
    while house.decoding:
        house.deliver()
    plans = [house.step() for _ in range(6)]
    assert [bool(plan.encodes) for plan in plans] == [True, False] * 3
    assert all(plan.num_decodes == 1 for plan in plans)


def test_a_picture_larger_than_the_encoder_s_budget_goes_alone() -> None:
    house = House(encode_patches=50, num_blocks=200, decode_slots=8)
    house.add(("big", 40), ("small", 5), ("tiny", 3))
    house.step()
    while house.decoding:
        house.deliver()
    house.drain()
    batches = [[encode.picture.key for encode in plan.encodes] for plan in house.plans if plan.encodes]
    assert batches == [["big"], ["small", "tiny"]]


def test_two_requests_with_one_picture_share_its_decoding_and_encoding() -> None:
    house = House(num_blocks=100)
    first, second = house.add(1, ("p", 20), 2, salt="a"), house.add(5, ("p", 20), 6, salt="b")
    plan = house.step()
    assert len(plan.decode_requests) == 1
    assert set(house.scheduler.waiting_for(plan.decode_requests[0].key)) == {first, second}
    house.drain()
    assert house.encoded == ["p"]


def test_a_picture_that_cannot_be_read_ends_those_who_need_it_and_nobody_else() -> None:
    house = House(num_blocks=100)
    house.bad_pictures = {"bad"}
    with_bad, other = house.add(1, ("bad", 9)), house.add(2, ("good", 9))
    house.drain()
    assert isinstance(with_bad.error, PictureError)
    assert other.error is None
    assert other.generated == house.right_answer(other)


def test_a_prompt_found_in_the_prefix_cache_asks_for_no_picture() -> None:
    house = House(num_blocks=100, picture_bytes=40)
    prompt = (1, ("p", 20), *range(10, 18))
    house.add(*prompt, max_tokens=1)
    house.drain()
    house.add(("q", 20), max_tokens=1)
    house.drain()
    again = house.add(*prompt, max_tokens=1)
    plan = house.step()
    assert plan.decode_requests == ()
    assert [(c.start, c.end) for c in plan.chunks] == [(28, 29)]
    assert again.picture_level == "device"


def test_a_cache_that_holds_one_picture_still_answers_a_question_about_one_picture_shown_twice() -> None:
    house = House(num_blocks=100, picture_bytes=60, decode_slots=1)
    sequences = [house.add(("p", 25), ("q", 20), ("p", 25), 1, salt=salt) for salt in "abc"]
    house.drain()
    assert all(sequence.generated == house.right_answer(sequence) for sequence in sequences)


def test_an_answer_s_picture_is_decoded_though_prewarming_holds_every_slot() -> None:
    house = House(num_blocks=100, picture_bytes=60, decode_slots=1)
    house.add(("behind", 20), max_tokens=1)
    house.drain()
    house.add(("warm", 25), kind=Kind.PREWARM)
    house.step()
    house.deliver()
    answer = house.add(("front", 5), ("behind", 20), max_tokens=1, salt="b")
    assert [picture.key for picture in house.step().decode_requests] == ["front"]
    house.drain()
    assert answer.generated == house.right_answer(answer)


# --- sharing work ------------------------------------------------------------------------------------------------


def test_choices_of_one_prompt_wait_for_the_first_and_take_its_blocks_over() -> None:
    house = House(num_blocks=400, step_tokens=1000, max_sequences=8)
    prompt = list(range(100, 100 + 2 * SHORTEST_CUT))
    choices = [house.add(*prompt, max_tokens=3) for _ in range(4)]
    house.step()
    assert [choice.num_computed for choice in choices] == [len(prompt), 0, 0, 0]
    house.step()
    assert [choice.num_cached for choice in choices] == [0] + [len(prompt) - 1] * 3, "the last block is copied"
    assert house.pool.num_used == len(prompt) // 4 + 4 + 3 - 3
    house.drain()


def test_a_prewarmed_prompt_is_found_by_the_question_that_follows() -> None:
    house = House(num_blocks=100, step_tokens=100)
    warm = house.add(1, ("p", 30), kind=Kind.PREWARM)
    house.drain()
    assert house.ended == [warm]
    asked = house.add(1, ("p", 30), 4, 5, 6)
    plan = house.step()
    assert asked.num_prompt_cached == 28
    assert asked.picture_level == "device"
    assert [(c.start, c.end) for c in plan.chunks] == [(28, 34)]
    assert house.encoded == ["p"]


def test_prewarming_gives_way_to_an_answer_and_loses_no_full_block() -> None:
    house = House(num_blocks=30, step_tokens=20, max_sequences=2)
    warm = house.add(*range(100, 200), kind=Kind.PREWARM)
    house.step()
    house.step()
    assert warm.num_computed == 40
    answer = house.add(*[1] * 60, max_tokens=3)
    house.step()
    assert warm.phase is Phase.WAITING
    assert answer.num_computed == 20
    house.drain()
    assert house.ended == [answer, warm]


def test_prewarming_takes_only_the_tokens_that_answers_leave() -> None:
    house = House(num_blocks=100, step_tokens=20, max_sequences=4)
    warm = house.add(*range(100, 150), kind=Kind.PREWARM)
    house.step()
    answer = house.add(*[1] * 30, max_tokens=1)
    first, second = house.step(), house.step()
    assert [(c.sequence, c.num_tokens) for c in first.chunks] == [(answer, 20)]
    assert [(c.sequence, c.num_tokens) for c in second.chunks] == [(answer, 10), (warm, 10)]


# --- refusals ----------------------------------------------------------------------------------------------------


def test_a_prompt_beyond_the_context_is_refused_with_both_numbers() -> None:
    house = House(context_tokens=50, num_blocks=100)
    with pytest.raises(PromptTooLong, match=r"prompt has 50 tokens \(20 of them are pictures\), the limit is 49"):
        house.add(*[1] * 30, ("p", 20))
    assert house.add(*[1] * 29, ("p", 20), max_tokens=90).max_length == 50


def test_a_prompt_beyond_the_whole_cache_is_refused() -> None:
    house = House(context_tokens=500, num_blocks=10, block_size=4)
    with pytest.raises(PromptTooLong, match="prompt has 40 tokens, the limit is 39"):
        house.add(*[1] * 40)
    house.add(*[1] * 40, kind=Kind.PREWARM)
    house.drain()


def test_a_picture_beyond_the_picture_cache_is_refused() -> None:
    house = House(picture_bytes=60, num_blocks=100)
    with pytest.raises(RequestError, match="31 tokens needs"):
        house.add(("p", 31))
    assert house.scheduler.is_idle


def test_a_full_queue_refuses_and_says_when_to_come_back_by_what_requests_took_so_far() -> None:
    house = House(max_sequences=1, max_waiting=4, num_blocks=100)
    for _ in range(30):
        house.add(1, max_tokens=20, stop_ids=ENDLESS)
        house.drain()
    for _ in range(4):
        house.add(1, max_tokens=20)
    with pytest.raises(Overloaded) as refused:
        house.add(1)
    assert refused.value.retry_after_seconds == pytest.approx(4 * 20, rel=0.05)
    house.add(1, kind=Kind.PREWARM)
    assert house.scheduler.snapshot().totals.refused == 1
    house.drain()


# --- leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", range(8))
def test_leaving_at_any_moment_frees_everything(num_steps: int) -> None:
    house = House(num_blocks=100, step_tokens=16)
    sequence = house.add(1, 2, ("p", 30), 3, max_tokens=50)
    for _ in range(num_steps):
        house.step()
        if house.decoding:
            house.deliver()
    assert house.scheduler.abort(sequence.id) is sequence
    assert house.scheduler.abort(sequence.id) is None
    assert house.scheduler.is_idle
    assert house.pool.num_used == 0
    assert house.pictures.num_slots_used == 0
    house.scheduler.check()


def test_a_decode_that_nobody_waits_for_any_more_is_dropped_when_it_arrives() -> None:
    house = House(num_blocks=100)
    sequence = house.add(("p", 30))
    house.step()
    house.abort(0)
    assert house.scheduler.waiting_for(sequence.prompt.pictures[0].key) == ()
    house.deliver()
    assert house.step().is_empty


def test_a_stop_id_ends_the_answer_and_is_not_part_of_it() -> None:
    house = House(num_blocks=100)
    sequence = house.add(1, 2, 3, max_tokens=9)
    plan = house.scheduler.plan()
    assert house.scheduler.commit(plan, {sequence.id: [STOP_ID]}) == (sequence,)
    assert (sequence.generated, sequence.finish) == ([], "stop")


def test_the_snapshot_counts_what_is_here() -> None:
    house = House(num_blocks=10, max_sequences=1)
    house.add(1, 2, 3, 4, 5, max_tokens=3, stop_ids=ENDLESS)
    house.add(1, salt="b")
    house.add(1, kind=Kind.PREWARM)
    house.step()
    snapshot = house.scheduler.snapshot()
    assert (snapshot.num_running, snapshot.num_waiting, snapshot.num_prewarming) == (1, 1, 1)
    assert (snapshot.blocks_used, snapshot.blocks_cached, snapshot.blocks_total) == (2, 0, 10)
    assert json.loads(json.dumps(asdict(snapshot)))["totals"]["prefix_asked"] == 5
