"""Where kernels run on by themselves a step is followed by the next before its tokens are read: no answer changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence as Line
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.house import ENDLESS, House
from tests.engine.rig import LONG_TEXT, PICTURE, TEXT, Gate, MakeRig, begin, until, walk_away
from tests.support.prompts import Prompt, model_input

from flashsight.core.types import TokenLogprob, TokenSampling
from flashsight.engine.ahead import Following, may_run_ahead
from flashsight.engine.plan import Chunk, Plan
from flashsight.engine.runner import Runner
from flashsight.engine.sequence import Phase, SequenceId

PROMPTS = [TEXT, LONG_TEXT, PICTURE, Prompt(([42],)), Prompt((list(range(60, 90)),))]
SAMPLINGS = [
    TokenSampling(max_tokens=9),
    TokenSampling(max_tokens=17, temperature=0.8, seed=3),
    TokenSampling(max_tokens=7),
    TokenSampling(max_tokens=24),
    TokenSampling(max_tokens=12, temperature=1.3, seed=9),
]


class AheadHouse(House):
    """Computes the step after one before it commits that one, as a device does that is never waited for."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.flight: tuple[Plan, dict[SequenceId, int]] | None = None
        self.num_ahead = self.num_read_ahead = self.num_wasted = 0

    def advance(self, leaves: int | None = None) -> None:
        """One round; `leaves` goes away while two steps are under way."""
        if self.flight is not None:
            self.decoding += self.scheduler.welcome()
        plan, tokens = self.flight or self._run(self.scheduler.plan())
        if self.flight is not None and (joined := self.scheduler.joined(plan)) is not plan:
            self._check_budgets(joined)
            self._encode(joined)
            self.plans[-1] = plan = joined
        following = self.scheduler.plan_after(plan)
        self.flight = None if following is None else self._run_behind(following, tokens)
        self.scheduler.check()
        if leaves is not None:
            self.abort(leaves)
        live = {chunk.sequence.id for chunk in plan.chunks if chunk.sequence.phase is not Phase.FINISHED}
        self.num_wasted += len(plan.chunks) - len(live)
        self.ended += self.scheduler.commit(plan, {key: [token] for key, token in tokens.items()})
        self.scheduler.check()

    def _run(self, plan: Plan) -> tuple[Plan, dict[SequenceId, int]]:
        self.plans.append(plan)
        self._check_budgets(plan)
        self.now += 1.0
        self.decoding += plan.decode_requests
        self._copy(plan)
        for chunk in plan.chunks:
            self._compute(chunk)
        self._encode(plan)
        return plan, {c.sequence.id: self._next_tokens(c)[0] for c in plan.chunks if c.samples}

    def _run_behind(self, following: Following, tokens: dict[SequenceId, int]) -> tuple[Plan, dict[SequenceId, int]]:
        """The scheduler has not seen `tokens`; what runs on the device has."""
        self.num_ahead += 1
        plan, found = following.plan, {}
        self.plans.append(plan)
        self._check_budgets(plan)
        self._encode(plan)
        self._copy(plan)
        for chunk in plan.chunks[: plan.num_decodes]:
            assert chunk.start == len(chunk.sequence), "it goes on from the token that is under way"
            chunk.sequence.generated.append(tokens[chunk.sequence.id])
            try:
                self._compute(Chunk(chunk.sequence, chunk.start, chunk.end, samples=True))
                found[chunk.sequence.id] = self._next_tokens(chunk)[0]
            finally:
                chunk.sequence.generated.pop()
        for chunk in plan.chunks[plan.num_decodes :]:
            self.num_read_ahead += 1
            self._compute(chunk)
            if chunk.samples:
                found[chunk.sequence.id] = self._next_tokens(chunk)[0]
        return plan, found


def finish(house: AheadHouse, leavers: Line[int] = ()) -> None:
    waiting = list(leavers)
    for _ in range(3000):
        if house.scheduler.is_idle and house.flight is None:
            break
        leaves = waiting.pop() if waiting and house.flight else None
        house.advance(leaves if leaves is not None and leaves < len(house.sequences) else None)
        if house.decoding:
            house.deliver()
    assert house.scheduler.is_idle, "somebody starves"
    assert house.pool.num_used == 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([1, 2, 3, ("p", 6), ("q", 9)]), min_size=1, max_size=9),
            st.integers(1, 14),
            st.booleans(),
        ),
        min_size=1,
        max_size=7,
    ),
    st.integers(8, 40),
    st.integers(1, 4),
    st.integers(1, 5),
    st.lists(st.integers(0, 6), max_size=2),
)
def test_every_answer_is_right_and_the_books_balance_whoever_ends_or_leaves_ahead(
    asked: list[tuple[list[Any], int, bool]], num_blocks: int, max_sequences: int, block_size: int, leavers: list[int]
) -> None:
    house = AheadHouse(num_blocks=num_blocks, block_size=block_size, max_sequences=max_sequences, step_tokens=16)
    for parts, max_tokens, is_endless in asked:
        if sum(part[1] if isinstance(part, tuple) else 1 for part in parts) < num_blocks * block_size:
            stops = {"stop_ids": ENDLESS} if is_endless else {}
            house.add(*parts, max_tokens=max_tokens, **stops)
    finish(house, leavers)
    for sequence in house.sequences:
        if sequence.finish is not None:
            assert sequence.generated == house.right_answer(sequence)


def test_a_newcomer_reads_behind_a_step_whose_tokens_nobody_knows_also_where_his_prompt_goes_on() -> None:
    house = AheadHouse(max_sequences=2, num_blocks=100)
    house.add(*range(1, 5), max_tokens=20, stop_ids=ENDLESS)
    house.advance()
    assert house.flight is not None
    house.add(*range(1, 50), max_tokens=9, stop_ids=ENDLESS)
    house.add(*range(5, 9), max_tokens=9, stop_ids=ENDLESS)
    house.advance()
    assert [chunk.num_tokens for chunk in house.flight[0].chunks] == [1, 31], "his first chunk is launched ahead"
    house.advance()
    assert house.flight is not None, "the third waits without room, and stops nobody"
    assert [chunk.num_tokens for chunk in house.flight[0].chunks] == [1, 14], "the second goes on from it"
    house.advance()
    assert house.flight is not None
    assert [chunk.num_tokens for chunk in house.flight[0].chunks] == [1, 1]
    assert house.num_read_ahead == 2
    finish(house)


def test_a_newcomers_picture_and_prompt_are_launched_ahead_and_nobody_waits_for_a_plan() -> None:
    house = AheadHouse(num_blocks=100)
    house.add(*range(1, 5), max_tokens=30, stop_ids=ENDLESS)
    house.advance()
    house.add(("p", 6), 1, 2, max_tokens=9, stop_ids=ENDLESS)
    house.add(("p", 6), 1, 3, max_tokens=9, stop_ids=ENDLESS)
    for _ in range(5):
        house.advance()
        assert house.flight is not None, "somebody waits for a plan"
        while house.decoding:
            house.deliver()
    assert [len(plan.encodes) for plan in house.plans] == [0, 0, 1, 0, 0, 0, 0], "the picture joins a step that runs"
    assert [plan.num_tokens for plan in house.plans] == [4, 1, 1, 1 + 8 + 8, 3, 3, 3]
    assert house.encoded == ["p"]
    finish(house)


def test_what_a_step_under_way_reads_is_not_read_again_by_the_next() -> None:
    house = AheadHouse(num_blocks=200, step_tokens=200)
    prompt = range(1, 90)
    house.add(1, 2, max_tokens=30, stop_ids=ENDLESS)
    house.advance()
    house.add(*prompt, 3, max_tokens=9, stop_ids=ENDLESS)
    house.advance()
    assert house.flight is not None
    assert house.flight[0].num_tokens == 1 + 90
    house.add(*prompt, 4, max_tokens=9, stop_ids=ENDLESS)
    house.advance()
    assert house.flight is not None
    assert house.flight[0].num_tokens == 2, "he waits for the blocks that are being filled"
    house.advance()
    assert house.flight is not None
    assert house.flight[0].num_tokens == 2 + 2, "and reads what they do not hold"
    finish(house)


def test_whoever_reaches_the_end_of_his_answer_is_left_out_and_only_a_stop_token_wastes_a_row() -> None:
    house = AheadHouse(max_sequences=4, num_blocks=100)
    for length in (3, 5, 9):
        house.add(*range(1, 4 + length), max_tokens=length, stop_ids=ENDLESS)
    finish(house)
    assert house.num_wasted == 0
    assert house.num_ahead == 8
    stopped = House(num_blocks=100)
    first = stopped.add(1, 2, 3, max_tokens=50)
    stopped.drain()
    house = AheadHouse(num_blocks=100)
    house.add(1, 2, 3, max_tokens=50)
    finish(house)
    assert (first.finish, house.num_wasted) == ("stop", 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"temperature": 0.7}, True),
        ({"temperature": 0.7, "top_k": 1, "top_p": 0.5}, True),
        ({"temperature": 0.7, "top_p": 0.9}, False),
        ({"temperature": 0.7, "min_p": 0.1}, False),
        ({"frequency_penalty": 0.5}, False),
        ({"presence_penalty": 0.5}, False),
        ({"repetition_penalty": 1.1}, False),
        ({"num_logprobs": 5}, True),
    ],
    ids=str,
)
def test_only_what_the_device_draws_by_itself_runs_ahead(change: dict[str, Any], expected: bool) -> None:
    assert may_run_ahead(replace(TokenSampling(), **change)) is expected


# --- the whole engine --------------------------------------------------------------------------------------------


@pytest.fixture
def expected(make_rig: MakeRig, tiny_reference: Any) -> Any:
    """Answers of an engine that reads every token before it goes on."""

    async def answers() -> list[list[int]]:
        rig = make_rig()
        prompts = [model_input(prompt, tiny_reference) for prompt in PROMPTS]
        found = [await rig.tokens(*pair) for pair in zip(prompts, SAMPLINGS, strict=True)]
        snapshot = rig.engine.snapshot()
        assert (snapshot.total_gaps, snapshot.total_steps_ahead) == (0, 0)
        return found

    return answers


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "is_ahead", True)


@pytest.mark.parametrize("num_blocks", [300, 80], ids=["room for all", "room for a few"])
async def test_answers_are_the_same_alone_and_together_and_gaps_are_counted(
    make_rig: MakeRig, tiny_reference: Any, expected: Any, request: pytest.FixtureRequest, num_blocks: int
) -> None:
    plain = await expected()
    request.getfixturevalue("ahead")
    rig = make_rig(num_blocks=num_blocks)
    prompts = [model_input(prompt, tiny_reference) for prompt in PROMPTS]
    assert [await rig.tokens(*pair) for pair in zip(prompts, SAMPLINGS, strict=True)] == plain
    alone = rig.engine.snapshot()
    # Every answer's first step ends its prompt; each of the others is launched behind the one before.
    assert alone.total_steps_ahead == sum(sampling.max_tokens - 1 for sampling in SAMPLINGS)
    pairs = list(zip(prompts, SAMPLINGS, strict=True)) * 2
    assert await asyncio.gather(*(rig.tokens(*pair) for pair in pairs)) == plain * 2
    await rig.settle()
    snapshot = rig.engine.snapshot()
    assert snapshot.total_steps_ahead > alone.total_steps_ahead
    assert 0 < snapshot.total_gaps < snapshot.total_steps
    assert snapshot.total_gap_microseconds > 0
    assert snapshot.total_tokens_sampled == 3 * sum(map(len, plain))


@pytest.mark.usefixtures("ahead")
async def test_a_stop_token_ends_the_answer_where_it_stands(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    prompt = model_input(TEXT, tiny_reference)
    whole = await rig.tokens(prompt, TokenSampling(max_tokens=12))
    stop = whole[5]
    cut = whole.index(stop)
    stopping = TokenSampling(max_tokens=12, stop_ids=frozenset({stop}))
    both = await asyncio.gather(rig.tokens(prompt, stopping), rig.tokens(prompt, TokenSampling(max_tokens=12)))
    assert both == [whole[:cut], whole]
    await rig.settle()


@pytest.mark.usefixtures("ahead")
async def test_leaving_while_a_step_runs_ahead_frees_all_and_disturbs_nobody(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    rig = make_rig()
    prompts = [model_input(prompt, tiny_reference) for prompt in (TEXT, PICTURE)]
    whole = await rig.tokens(prompts[1], TokenSampling(max_tokens=40))
    leaver = begin(rig, prompts[0], TokenSampling(max_tokens=500))
    stayer = begin(rig, prompts[1], TokenSampling(max_tokens=40))
    await until(lambda: rig.scheduler.snapshot().num_running == 2)
    await walk_away(leaver)
    assert [event.token for event in await stayer] == whole
    totals = await rig.settle()
    assert totals.aborted == 1


@pytest.mark.usefixtures("ahead")
async def test_a_fault_of_a_step_ahead_ends_its_sequences_and_no_later_ones(
    make_rig: MakeRig, tiny_reference: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig()
    prompt = model_input(TEXT, tiny_reference)
    whole = await rig.tokens(prompt, TokenSampling(max_tokens=6))
    calls = 0

    def break_third() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("the device is gone")

    rig.model.on_forward = break_third
    with pytest.raises(Exception, match="the engine failed on this request"):
        await rig.tokens(prompt, TokenSampling(max_tokens=6))
    assert "the device is gone" in caplog.text
    assert await rig.tokens(prompt, TokenSampling(max_tokens=6)) == whole
    await rig.settle()
    assert rig.engine.snapshot().total_faults == 1


@pytest.mark.usefixtures("ahead")
async def test_whoever_wants_logprobs_gets_those_of_his_own_tokens(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    prompt = model_input(TEXT, tiny_reference)
    whole = await rig.tokens(prompt, TokenSampling(max_tokens=8))
    before = rig.engine.snapshot().total_steps_ahead
    events = await rig.answer(prompt, TokenSampling(max_tokens=8, num_logprobs=1))
    said = [event.logprob for event in events if isinstance(event.logprob, TokenLogprob)]
    assert [each.token for each in said] == whole
    assert [event.top[0] for event in events if event.top] == said, "greedy: the best is what was taken"
    assert rig.engine.snapshot().total_steps_ahead > before


@pytest.mark.usefixtures("ahead")
async def test_a_newcomer_comes_in_while_others_run_ahead(make_rig: MakeRig, tiny_reference: Any) -> None:
    rig = make_rig()
    old, new = (model_input(prompt, tiny_reference) for prompt in (TEXT, LONG_TEXT))
    alone = await rig.tokens(new, TokenSampling(max_tokens=4))
    gate = Gate()
    first = begin(rig, old, TokenSampling(max_tokens=300))
    await until(lambda: rig.scheduler.snapshot().num_running == 1)
    rig.model.on_forward = gate
    await gate.reached()
    second = begin(rig, new, TokenSampling(max_tokens=4))
    rig.model.on_forward = None
    gate.open()
    assert [event.token for event in await second] == alone
    assert not first.done()
    await walk_away(first)
    await rig.settle()


@pytest.mark.parametrize(
    ("is_ahead", "top_p", "order"),
    [
        pytest.param(True, 1.0, ["tokens", "pictures"], id="behind a step that runs"),
        pytest.param(True, 0.9, ["tokens", "pictures"], id="after a step whose tokens the host draws"),
        pytest.param(False, 1.0, ["pictures", "tokens"], id="on the CPU"),
    ],
)
async def test_where_steps_run_by_themselves_tokens_go_before_pictures(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch, is_ahead: bool, top_p: float, order: Any
) -> None:
    monkeypatch.setattr(Runner, "is_ahead", is_ahead)
    rig, gate = make_rig(), Gate()
    calls: list[tuple[int, str]] = []
    sampling = TokenSampling(max_tokens=300, temperature=1 - top_p, top_p=top_p)
    talker = begin(rig, model_input(TEXT, tiny_reference), sampling)
    await until(lambda: rig.scheduler.snapshot().num_running == 1)
    rig.model.on_forward = gate
    await gate.reached()
    newcomer = begin(rig, model_input(PICTURE, tiny_reference), TokenSampling(max_tokens=3))
    rig.model.on_forward = lambda: calls.append((rig.engine._loop._num_steps, "tokens"))
    rig.model.on_encode = lambda: calls.append((rig.engine._loop._num_steps, "pictures"))
    gate.open()
    await newcomer
    await walk_away(talker)
    await rig.settle()
    number = next(number for number, what in calls if what == "pictures")
    assert [what for step, what in calls if step == number] == order
