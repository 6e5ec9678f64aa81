"""On a CUDA device: greedy answers are those of the reference, whatever runs them, and nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.rig import Rig, build_rig
from tests.support.prompts import Prompt, model_input, some_picture

from flashsight.core.config import ModelConfig
from flashsight.core.types import TokenSampling
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

NUMBERS = np.random.default_rng(5)
PROMPTS = [
    Prompt((NUMBERS.integers(0, 500, 90).tolist(),)),
    Prompt(([1], some_picture(1), [2, 3], some_picture(2, 112, 84), [4])),
    Prompt(([9, 8, 7],)),
    Prompt(([5], some_picture(3, 84, 140), NUMBERS.integers(0, 500, 33).tolist())),
    Prompt((NUMBERS.integers(0, 500, 9).tolist(),)),
]
GREEDY = TokenSampling(max_tokens=24)


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint: Path) -> Glm4v:
    return load_model(ModelConfig(path=str(tiny_checkpoint), dtype="float32", device="cuda")).model


@pytest.fixture
def cuda_model(loaded: Glm4v) -> Iterator[Glm4v]:
    """The model as the reference runs it: an engine that takes over leaves its own attention behind."""
    attend = loaded.attend_pictures
    yield loaded
    loaded.attend_pictures = attend


@contextmanager
def working(model: Glm4v, **settings: Any) -> Iterator[Rig]:
    """An engine, stopped again whatever becomes of the test."""
    rig = build_rig(model, **settings)
    try:
        yield rig
    finally:
        rig.engine.stop()


async def alone(rig: Rig, reference: Any) -> list[list[int]]:
    return [await rig.tokens(model_input(prompt, reference), GREEDY) for prompt in PROMPTS]


async def has_taken_over(rig: Rig, num_recorded: int) -> bool:
    """Wait for the compiler, which takes a while where nothing is cached."""
    takeover = rig.takeover
    assert takeover is not None
    for _ in range(24000):
        if takeover.graphs is not None and takeover.graphs.num_recorded == num_recorded:
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.mark.parametrize("step_tokens", [16, 64], ids=["small chunks", "large chunks"])
@pytest.mark.parametrize("has_prefix_cache", [True, False], ids=["prefixes", "no prefixes"])
@pytest.mark.parametrize("draft_tokens", [0, 4], ids=["no drafts", "drafts"])
async def test_answers_equal_those_of_the_reference(
    cuda_model: Glm4v, tiny_reference: Any, step_tokens: int, has_prefix_cache: bool, draft_tokens: int
) -> None:
    with working(cuda_model) as plain:
        expected = await alone(plain, tiny_reference)
    limits = {"step_tokens": step_tokens, "has_prefix_cache": has_prefix_cache, "draft_tokens": draft_tokens}
    with working(cuda_model, is_fast=True, **limits) as fast:
        first = await alone(fast, tiny_reference)
        assert await has_taken_over(fast, num_recorded=4 + {16: 1, 64: 3}[step_tokens])
        assert await alone(fast, tiny_reference) == first == expected
        prompts = [model_input(prompt, tiny_reference) for prompt in PROMPTS] * 2
        together = await asyncio.gather(*(fast.tokens(prompt, GREEDY) for prompt in prompts))
        assert together == expected * 2
        assert fast.takeover is not None
        assert fast.takeover.graphs is not None
        assert fast.takeover.graphs.num_replays > 20
        assert (fast.engine.snapshot().total_steps_ahead > 20) == (draft_tokens == 0)
        await fast.settle()


async def test_a_size_that_is_shown_often_is_recorded_and_its_answers_stay_the_same(
    cuda_model: Glm4v, tiny_reference: Any
) -> None:
    prompts = [model_input(Prompt(([5], some_picture(seed), [6])), tiny_reference) for seed in range(20, 30)]
    with working(cuda_model) as plain:
        expected = [await plain.tokens(prompt, GREEDY) for prompt in prompts]
    with working(cuda_model, is_fast=True) as fast:
        assert await has_taken_over(fast, num_recorded=4 + 3)
        assert fast.takeover is not None
        graphs = fast.takeover.picture_graphs
        assert graphs is not None
        first = [await fast.tokens(prompt, GREEDY) for prompt in prompts[:5]]
        for _ in range(2000):
            if graphs.num_recorded:
                break
            await asyncio.sleep(0.005)
        assert first + [await fast.tokens(prompt, GREEDY) for prompt in prompts[5:]] == expected
        assert graphs.num_replays >= 5  # the fourth showing has it recorded, before the fifth or after


async def test_logprobs_are_those_of_the_reference_though_the_next_step_overwrites_what_they_came_from(
    cuda_model: Glm4v, tiny_reference: Any
) -> None:
    asking = TokenSampling(max_tokens=24, num_logprobs=3)
    prompts = [model_input(prompt, tiny_reference) for prompt in PROMPTS]
    with working(cuda_model) as plain:
        expected = [await plain.answer(prompt, asking) for prompt in prompts]
    with working(cuda_model, is_fast=True) as fast:
        assert await has_taken_over(fast, num_recorded=4 + 3)
        for prompt, events in zip(prompts, expected, strict=True):
            for found, right in zip(await fast.answer(prompt, asking), events, strict=True):
                assert found.token == right.token
                for ours, theirs in zip(found.top, right.top, strict=True):
                    assert ours.logprob == pytest.approx(theirs.logprob, abs=0.05)
        assert fast.engine.snapshot().total_steps_ahead > 20


async def test_memory_is_flat_once_all_is_recorded(cuda_model: Glm4v, tiny_reference: Any) -> None:
    with working(cuda_model, is_fast=True) as rig:
        assert await has_taken_over(rig, num_recorded=4 + 3)
        held = []
        for _ in range(4):
            prompts = [model_input(prompt, tiny_reference) for prompt in PROMPTS] * 4
            await asyncio.gather(*(rig.tokens(prompt, GREEDY) for prompt in prompts))
            held.append(torch.cuda.memory_reserved())
        assert held[-1] == held[1]
