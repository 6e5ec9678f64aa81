"""The runner against transformers: the last logits of a prompt, however it is cut and wherever its blocks lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.caches import cache_of
from tests.support.prompts import Prompt, hf_inputs, model_input, pixel_path, some_picture

from flashsight.core.types import Salt, TokenSampling
from flashsight.engine.plan import Chunk
from flashsight.engine.runner import Runner
from flashsight.engine.sequence import BlockId, Sequence, SequenceId
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v

PROMPT = Prompt(([3, 4], some_picture(1), [5, 6, 7], some_picture(2, 112, 84), [8]))
BLOCK_SIZE, NUM_BLOCKS = 4, 40


def runner_of(model: Glm4v, step_tokens: int = 64) -> Runner:
    cache = cache_of(model, num_blocks=NUM_BLOCKS, block_size=BLOCK_SIZE)
    return Runner(model=model, backend=SdpaBackend(), cache=cache, pixel_path=pixel_path, step_tokens=step_tokens)


def sequence_of(prompt: Prompt, hf: Any, blocks: list[int]) -> Sequence:
    made = Sequence(
        id=SequenceId(0), prompt=model_input(prompt, hf), sampling=TokenSampling(), salt=Salt(b""), generated=[]
    )
    made.blocks = [BlockId(block) for block in blocks]
    return made


def features_by_key(runner: Runner, sequence: Sequence) -> Callable[[str], torch.Tensor]:
    pictures = sequence.prompt.pictures
    features = runner.encode(pictures, [picture.load() for picture in pictures])
    return dict(zip((picture.key for picture in pictures), features, strict=True)).__getitem__


@pytest.fixture(scope="module")
def last_logits(tiny_reference: Any) -> torch.Tensor:
    with torch.no_grad():
        return tiny_reference(**hf_inputs(PROMPT, tiny_reference)).logits[0, -1]


LENGTH = 2 + 14 + 3 + 14 + 1


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.sets(st.integers(1, LENGTH - 1), max_size=12).map(sorted),
    blocks=st.permutations(list(range(-(-LENGTH // BLOCK_SIZE)))),
)
def test_a_prompt_cut_anywhere_gives_the_same_logits(
    tiny_model: Glm4v, tiny_reference: Any, last_logits: torch.Tensor, cuts: list[int], blocks: list[int]
) -> None:
    runner, sequence = runner_of(tiny_model), sequence_of(PROMPT, tiny_reference, blocks)
    features_of = features_by_key(runner, sequence)
    logits_NV = None
    for start, end in zip([0, *cuts], [*cuts, LENGTH], strict=True):
        logits_NV = runner.logits([Chunk(sequence, start, end, samples=end == LENGTH)], features_of)
        assert (logits_NV is None) == (end < LENGTH)
    assert logits_NV is not None
    assert logits_NV.shape == (1, len(last_logits))
    assert float((logits_NV[0] - last_logits).abs().max()) < 1e-4


def test_generated_tokens_go_on_from_the_prompt(tiny_model: Glm4v, tiny_reference: Any) -> None:
    answer = [100, 200, 300]
    with torch.no_grad():
        longer = Prompt((*PROMPT.parts, answer))
        expected = tiny_reference(**hf_inputs(longer, tiny_reference)).logits[0, -1]
    runner, sequence = runner_of(tiny_model), sequence_of(PROMPT, tiny_reference, list(range(20, 30)))
    features_of = features_by_key(runner, sequence)
    runner.logits([Chunk(sequence, 0, LENGTH, samples=True)], features_of)
    logits_NV = None
    for token in answer:
        sequence.generated.append(token)
        logits_NV = runner.logits([Chunk(sequence, len(sequence) - 1, len(sequence), samples=True)], features_of)
    assert logits_NV is not None
    assert float((logits_NV[0] - expected).abs().max()) < 1e-4


def test_logits_come_for_the_chunks_that_sample_in_their_order(
    tiny_model: Glm4v, tiny_reference: Any, last_logits: torch.Tensor
) -> None:
    runner = runner_of(tiny_model, step_tokens=128)
    first = sequence_of(PROMPT, tiny_reference, list(range(0, 9)))
    second = sequence_of(Prompt(([1, 2, 3, 4, 5, 6],)), tiny_reference, [10, 11])
    features_of = features_by_key(runner, first)
    chunks = [
        Chunk(second, 0, 4, samples=False),
        Chunk(first, 0, LENGTH, samples=True),
    ]
    logits_NV = runner.logits(chunks, features_of)
    assert logits_NV is not None
    assert len(logits_NV) == 1
    assert float((logits_NV[0] - last_logits).abs().max()) < 1e-4


def test_features_of_a_batch_own_their_memory_and_equal_those_alone(tiny_model: Glm4v, tiny_reference: Any) -> None:
    runner = runner_of(tiny_model)
    pictures = model_input(PROMPT, tiny_reference).pictures
    pixels = [picture.load() for picture in pictures]
    together = runner.encode(pictures, pixels)
    for picture, picture_pixels, features in zip(pictures, pixels, together, strict=True):
        (alone,) = runner.encode([picture], [picture_pixels])
        assert features.untyped_storage().nbytes() == features.nbytes
        assert len(features) == picture.num_tokens
        assert float((features - alone).abs().max()) < 1e-5


def test_read_only_pixels_are_taken_without_a_warning(tiny_model: Glm4v, tiny_reference: Any) -> None:
    (picture,) = model_input(Prompt((some_picture(1),)), tiny_reference).pictures
    pixels = picture.load().copy()
    pixels.flags.writeable = False
    (features,) = runner_of(tiny_model).encode([picture], [pixels])
    assert torch.isfinite(features).all()


def test_the_reused_buffers_leave_nothing_of_the_last_step_behind(tiny_model: Glm4v, tiny_reference: Any) -> None:
    runner = runner_of(tiny_model)
    long = sequence_of(Prompt((list(range(30)),)), tiny_reference, list(range(8)))
    short = sequence_of(Prompt(([7, 8],)), tiny_reference, [20])
    fresh = runner_of(tiny_model).logits([Chunk(short, 0, 2, samples=True)], lambda key: torch.empty(0))
    runner.logits([Chunk(long, 0, 30, samples=True)], lambda key: torch.empty(0))
    again = runner.logits([Chunk(short, 0, 2, samples=True)], lambda key: torch.empty(0))
    assert fresh is not None
    assert again is not None
    np.testing.assert_allclose(again.numpy(), fresh.numpy(), atol=1e-6)
