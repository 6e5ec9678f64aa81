"""Far more requests at once than there is room for: answered or refused with a time to come back, and nothing stays."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import torch
from tests.engine.house import BYTES_PER_TOKEN, ENDLESS, House
from tests.engine.rig import MakeRig
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import Overloaded
from flashsight.core.types import Salt

TOKENS_OF_1024_PX = 1369
PROMPT_TOKENS, ANSWER_TOKENS = 64, 8


def test_a_hundred_requests_with_1024_px_each_on_room_for_eight_are_answered_or_refused() -> None:
    blocks_of_one = -(-(TOKENS_OF_1024_PX + PROMPT_TOKENS + ANSWER_TOKENS) // 16)
    house = House(
        num_blocks=8 * blocks_of_one,
        block_size=16,
        picture_bytes=8 * TOKENS_OF_1024_PX * BYTES_PER_TOKEN,
        step_tokens=2048,
        encode_patches=8192,
        max_sequences=64,
        max_waiting=60,
        context_tokens=4096,
        decode_slots=8,
    )
    accepted, num_refused = [], 0
    for number in range(100):
        words = [number + 100] * PROMPT_TOKENS
        try:
            picture = (f"picture {number}", TOKENS_OF_1024_PX)
            accepted.append(
                house.add(picture, *words, salt=f"key {number % 7}", max_tokens=ANSWER_TOKENS, stop_ids=ENDLESS)
            )
        except Overloaded as error:
            num_refused += error.retry_after_seconds >= 1
        if number % 10 == 9:
            house.step()
            while house.decoding:
                house.deliver()
    house.drain()
    displaced = [sequence for sequence in accepted if isinstance(sequence.error, Overloaded)]
    answered = [sequence for sequence in accepted if sequence.error is None]
    assert len(answered) + len(displaced) + num_refused == 100
    assert len(answered) >= 60
    assert num_refused + len(displaced) > 0
    assert all(sequence.generated == house.right_answer(sequence) for sequence in answered)
    assert max(len(plan.chunks) for plan in house.plans) <= 8
    snapshot = house.scheduler.snapshot()
    assert snapshot.totals.refused == num_refused + len(displaced)
    assert (snapshot.totals.failed, snapshot.blocks_used, snapshot.num_running, snapshot.num_waiting) == (0, 0, 0, 0)


async def test_a_hundred_at_once_leave_no_block_no_feature_and_no_request_behind(
    make_rig: MakeRig, tiny_reference: Any
) -> None:
    tokens, answer = 1 + 12 + 2 + 2, 4
    rig = make_rig(num_blocks=8 * -(-(tokens + answer) // 4), picture_tokens=8 * 12, max_waiting=70, max_sequences=64)
    encoded: list[weakref.ref[torch.Tensor]] = []
    original = rig.scheduler.picture_encoded

    def watched(key: Any, features: Any) -> None:
        encoded.append(weakref.ref(features))
        original(key, features)

    rig.scheduler.picture_encoded = watched  # type: ignore[method-assign]
    prompts = [Prompt(([5], some_picture(seed), [6, 7])) for seed in range(100)]
    sampling = greedy(tiny_reference, answer)
    inputs = [model_input(prompt, tiny_reference) for prompt in prompts]
    outcomes = await asyncio.gather(
        *(rig.tokens(each, sampling, Salt(bytes([i % 3]))) for i, each in enumerate(inputs)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    answers = {i: outcome for i, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)}
    assert len(refused) + len(answers) == 100
    assert refused
    assert all(error.retry_after_seconds >= 1 for error in refused)
    assert len(answers) >= 70
    for i in sorted(answers)[:: len(answers) // 6]:
        assert answers[i] == hf_greedy(prompts[i], tiny_reference, answer)
    totals = await rig.settle()
    assert totals.failed == 0
    pictures = rig.scheduler.pictures
    assert pictures.num_slots_used == 0
    assert pictures.used_bytes <= pictures.capacity_bytes
    gc.collect()
    assert sum(made() is not None for made in encoded) == pictures.num_encoded <= 8
