"""The native model against transformers on the tiny random checkpoint, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid
from flashsight.models.attention.layout import KVCache, Span, StepLayout
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

BLOCK_SIZE = 8


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Glm4v:
    return load_model(ModelConfig(path=str(tiny_checkpoint), device="cpu", dtype="float32")).model


@pytest.fixture(autouse=True)
def _no_gradients() -> Any:
    with torch.inference_mode():
        yield


def patches_of(grids: Sequence[Grid], seed: int = 0) -> Tensor:
    num = sum(grid.num_patches for grid in grids)
    return torch.randn(num, 3 * 14 * 14, generator=torch.Generator().manual_seed(seed))


def reference_features(reference: Any, patches_PK: Tensor, grids: Sequence[Grid]) -> Tensor:
    both_frames = patches_PK.view(-1, 3, 1, 14, 14).expand(-1, -1, 2, -1, -1).reshape(len(patches_PK), -1)
    grid_thw = torch.tensor([(grid.t, grid.h, grid.w) for grid in grids])
    return reference.model.visual(both_frames, grid_thw).pooler_output


def new_cache(model: Glm4v, num_blocks: int = 64) -> KVCache:
    shape = model.shape
    return KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=num_blocks,
        block_size=BLOCK_SIZE,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=model.dtype,
        device=model.device,
    )


def run(model: Glm4v, cache: KVCache, spans: Sequence[Span], hidden_TC: Tensor, positions_3T: Tensor) -> Tensor:
    attend = SdpaBackend().begin(StepLayout(tuple(spans)), cache)
    return model.logits(model.forward(hidden_TC, positions_3T, attend))


def shuffled_blocks(num_tokens: int, seed: int, first: int = 0) -> list[int]:
    num = -(-num_tokens // BLOCK_SIZE)
    order = torch.randperm(num, generator=torch.Generator().manual_seed(seed))
    return [first + int(i) for i in order]


def some_ids(num: int, seed: int) -> Tensor:
    return torch.randint(0, 500, (num,), generator=torch.Generator().manual_seed(seed))


def rising_positions(num: int, seed: int) -> Tensor:
    steps = torch.randint(0, 4, (3, num), generator=torch.Generator().manual_seed(seed))
    return steps.cumsum(1)


GRIDS = [
    [Grid(t=1, h=6, w=6)],
    [Grid(t=1, h=4, w=10)],
    [Grid(t=1, h=12, w=6), Grid(t=1, h=2, w=2), Grid(t=1, h=8, w=8)],
    [Grid(t=1, h=4, w=6), Grid(t=1, h=4, w=6)],
]


@pytest.mark.parametrize("grids", GRIDS, ids=lambda grids: "+".join(f"{g.h}x{g.w}" for g in grids))
def test_encoder_features_equal_transformers(model: Glm4v, tiny_reference: Any, grids: list[Grid]) -> None:
    patches_PK = patches_of(grids)
    features_MC = model.encode(patches_PK, grids)
    torch.testing.assert_close(features_MC, reference_features(tiny_reference, patches_PK, grids), atol=2e-5, rtol=1e-5)


def test_a_picture_is_encoded_the_same_alone_and_packed(model: Glm4v) -> None:
    grids = GRIDS[2]
    packed = model.encode(patches_of(grids), grids).split([grid.num_patches // 4 for grid in grids])
    parts = patches_of(grids).split([grid.num_patches for grid in grids])
    for grid, patches_PK, features_MC in zip(grids, parts, packed, strict=True):
        torch.testing.assert_close(model.encode(patches_PK, [grid]), features_MC, atol=1e-5, rtol=1e-5)


def test_logits_equal_transformers_under_any_mrope_positions(model: Glm4v, tiny_reference: Any) -> None:
    ids, positions_3T = some_ids(70, seed=1), rising_positions(70, seed=2)
    expected = tiny_reference(input_ids=ids[None], position_ids=positions_3T[:, None]).logits[0]
    span = Span(0, 70, 0, shuffled_blocks(70, seed=3))
    logits = run(model, new_cache(model), [span], model.embed(ids), positions_3T)
    assert (logits - expected).abs().max() < 1e-4


def picture_prompt(reference: Any, grids: Sequence[Grid], seed: int) -> tuple[Tensor, Tensor]:
    """Ids with every picture's placeholders between words, and the positions that transformers gives them."""
    config = reference.config
    pieces = [some_ids(5, seed)]
    for number, grid in enumerate(grids):
        start, end = torch.tensor([config.image_start_token_id]), torch.tensor([config.image_end_token_id])
        pictures = torch.full((grid.num_patches // 4,), config.image_token_id)
        pieces += [start, pictures, end, some_ids(4 + number, seed + 1 + number)]
    ids = torch.cat(pieces)
    grid_thw = torch.tensor([(grid.t, grid.h, grid.w) for grid in grids])
    types = (ids == config.image_token_id).long()
    positions, _ = reference.model.get_rope_index(ids[None], types[None], image_grid_thw=grid_thw)
    return ids, positions[:, 0]


def embed_with_pictures(model: Glm4v, ids: Tensor, patches_PK: Tensor, grids: Sequence[Grid]) -> Tensor:
    hidden_TC = model.embed(ids).clone()
    hidden_TC[ids == model.config.image_token_id] = model.encode(patches_PK, grids)
    return hidden_TC


def reference_logits(reference: Any, ids: Tensor, patches_PK: Tensor, grids: Sequence[Grid]) -> Tensor:
    both_frames = patches_PK.view(-1, 3, 1, 14, 14).expand(-1, -1, 2, -1, -1).reshape(len(patches_PK), -1)
    grid_thw = torch.tensor([(grid.t, grid.h, grid.w) for grid in grids])
    types = (ids == reference.config.image_token_id).long()
    inputs = {"pixel_values": both_frames, "image_grid_thw": grid_thw, "mm_token_type_ids": types[None]}
    return reference(input_ids=ids[None], **inputs).logits[0]


@pytest.mark.parametrize("grids", GRIDS, ids=lambda grids: "+".join(f"{g.h}x{g.w}" for g in grids))
def test_logits_of_a_prompt_with_pictures_equal_transformers(
    model: Glm4v, tiny_reference: Any, grids: list[Grid]
) -> None:
    ids, positions_3T = picture_prompt(tiny_reference, grids, seed=4)
    patches_PK = patches_of(grids, seed=5)
    expected = reference_logits(tiny_reference, ids, patches_PK, grids)
    span = Span(0, len(ids), 0, shuffled_blocks(len(ids), seed=6))
    hidden_TC = embed_with_pictures(model, ids, patches_PK, grids)
    logits = run(model, new_cache(model), [span], hidden_TC, positions_3T)
    assert (logits - expected).abs().max() < 1e-4


@pytest.mark.parametrize("chunk", [1, 3, 8, 16, 37])
def test_a_prefill_in_chunks_equals_one_in_a_piece(model: Glm4v, tiny_reference: Any, chunk: int) -> None:
    ids, positions_3T = some_ids(50, seed=7), rising_positions(50, seed=8)
    expected = tiny_reference(input_ids=ids[None], position_ids=positions_3T[:, None]).logits[0]
    cache, blocks = new_cache(model), shuffled_blocks(50, seed=9)
    hidden_TC = model.embed(ids)
    for start in range(0, 50, chunk):
        stop = min(start + chunk, 50)
        span = Span(0, stop - start, start, blocks)
        logits = run(model, cache, [span], hidden_TC[start:stop], positions_3T[:, start:stop])
        assert (logits - expected[start:stop]).abs().max() < 1e-4


@pytest.mark.parametrize("blocks", [[0, 1, 2, 3, 4], [9, 2, 7, 1, 30]], ids=["neighbours", "scattered"])
def test_paged_decode_equals_a_full_recompute(model: Glm4v, tiny_reference: Any, blocks: list[int]) -> None:
    ids, positions_3T = some_ids(36, seed=10), rising_positions(36, seed=11)
    expected = tiny_reference(input_ids=ids[None], position_ids=positions_3T[:, None]).logits[0]
    cache, hidden_TC = new_cache(model), model.embed(ids)
    run(model, cache, [Span(0, 20, 0, blocks)], hidden_TC[:20], positions_3T[:, :20])
    for i in range(20, 36):
        logits = run(model, cache, [Span(0, 1, i, blocks)], hidden_TC[i : i + 1], positions_3T[:, i : i + 1])
        assert (logits[0] - expected[i]).abs().max() < 1e-4


def test_a_mixed_step_equals_its_sequences_alone(model: Glm4v, tiny_reference: Any) -> None:
    """Two decodes of different lengths, a chunk with a past and a fresh prompt, all in one step."""
    lengths, new = [33, 9, 40, 21], [1, 1, 17, 21]
    cache = new_cache(model)
    tables = [shuffled_blocks(length, seed=i, first=10 * i) for i, length in enumerate(lengths)]
    ids = [some_ids(length, seed=20 + i) for i, length in enumerate(lengths)]
    positions = [rising_positions(length, seed=30 + i) for i, length in enumerate(lengths)]
    spans, row = [], 0
    for i, num_new in enumerate(new):
        past = lengths[i] - num_new
        if past:
            run(model, cache, [Span(0, past, 0, tables[i])], model.embed(ids[i][:past]), positions[i][:, :past])
        spans.append(Span(row, num_new, past, tables[i]))
        row += num_new
    hidden_TC = torch.cat([model.embed(ids[i][-num:]) for i, num in enumerate(new)])
    positions_3T = torch.cat([positions[i][:, -num:] for i, num in enumerate(new)], dim=1)
    logits = run(model, cache, spans, hidden_TC, positions_3T).split(new)
    for i, num in enumerate(new):
        expected = tiny_reference(input_ids=ids[i][None], position_ids=positions[i][:, None]).logits[0]
        assert (logits[i] - expected[-num:]).abs().max() < 1e-4


def test_greedy_answers_equal_transformers(model: Glm4v, tiny_reference: Any) -> None:
    grids = GRIDS[2]
    ids, positions_3T = picture_prompt(tiny_reference, grids, seed=40)
    patches_PK = patches_of(grids, seed=41)
    both_frames = patches_PK.view(-1, 3, 1, 14, 14).expand(-1, -1, 2, -1, -1).reshape(len(patches_PK), -1)
    expected = tiny_reference.generate(
        input_ids=ids[None],
        pixel_values=both_frames,
        image_grid_thw=torch.tensor([(grid.t, grid.h, grid.w) for grid in grids]),
        mm_token_type_ids=(ids == tiny_reference.config.image_token_id).long()[None],
        max_new_tokens=24,
        eos_token_id=[],
        do_sample=False,
    )[0, len(ids) :]
    cache, blocks = new_cache(model), shuffled_blocks(len(ids) + 24, seed=42)
    hidden_TC = embed_with_pictures(model, ids, patches_PK, grids)
    logits = run(model, cache, [Span(0, len(ids), 0, blocks)], hidden_TC, positions_3T)
    delta = int(positions_3T.max()) + 1 - len(ids)
    answer = [int(logits[-1].argmax())]
    for place in range(len(ids), len(ids) + 23):
        hidden_NC = model.embed(torch.tensor(answer[-1:]))
        positions_31 = torch.full((3, 1), place + delta)
        logits = run(model, cache, [Span(0, 1, place, blocks)], hidden_NC, positions_31)
        answer.append(int(logits[0].argmax()))
    assert answer == expected.tolist()
    assert len(set(answer)) > 3
