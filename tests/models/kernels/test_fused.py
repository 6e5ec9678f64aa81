"""The decoder on fused kernels against `transformers`, and in each precision against the reference attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid
from flashsight.models.attention.layout import AttentionBackend, KVCache, Span, StepLayout
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.kernels.capability import capability_of
from flashsight.models.loading import load_model
from tests.support.interpreter import cut_into_few

BLOCKS = {0: [4, 1, 9, 12], 1: [2, 3, 7]}
STEPS = [[(0, 0, 30)], [(0, 30, 1)], [(0, 31, 1), (1, 0, 20)], [(1, 20, 9), (0, 32, 5)], [(0, 37, 1), (1, 29, 1)]]
"""Each a list of (sequence, past, new): one alone, chunks, decodes, and all of them together."""


@pytest.fixture(autouse=True)
def few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers are what is tested here; test_paged.py has as many pieces as a GPU."""
    cut_into_few(monkeypatch, pieces=2)


def load(folder: Path, device: torch.device, dtype: str) -> Glm4v:
    return load_model(ModelConfig(path=str(folder), device=device.type, dtype=dtype)).model  # type: ignore[arg-type]


def cache_for(model: Glm4v) -> KVCache:
    shape = model.shape
    return KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=16,
        block_size=16,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=model.dtype,
        device=model.device,
    )


def tokens_of(sequence: int) -> Tensor:
    return (torch.arange(60) * (7 + sequence) + 3) % 300


def logits_of(model: Glm4v, backend: AttentionBackend, cache: KVCache) -> list[Tensor]:
    """Logits of every token, in the order of the steps."""
    logits = []
    with torch.inference_mode():
        for step in STEPS:
            spans, row = [], 0
            for sequence, num_past, num_new in step:
                spans.append(Span(row, num_new, num_past, BLOCKS[sequence]))
                row += num_new
            ids = torch.cat([tokens_of(sequence)[past : past + new] for sequence, past, new in step])
            places = torch.cat([torch.arange(past, past + new) for _, past, new in step])
            attend = backend.begin(StepLayout(tuple(spans)), cache)
            hidden_TC = model.embed(ids.to(model.device))
            hidden_TC = model.forward(hidden_TC, places.expand(3, -1).to(model.device), attend)
            logits.append(model.logits(hidden_TC, attend).float().cpu())
    return logits


def paged(model: Glm4v, cache: KVCache) -> AttentionBackend:
    from flashsight.models.attention.paged import PagedBackend

    return PagedBackend(model.shape.num_heads, cache, overlaps=capability_of(model.device).overlaps)


def test_fused_layers_give_the_logits_of_transformers(
    device: torch.device, tiny_checkpoint: Path, tiny_reference: Any
) -> None:
    model = load(tiny_checkpoint, device, "float32")
    cache = cache_for(model)
    found = logits_of(model, paged(model, cache), cache)
    with torch.no_grad():
        exact = [tiny_reference(input_ids=tokens_of(sequence)[None, :38]).logits[0] for sequence in (0, 1)]
    for step, logits in zip(STEPS, found, strict=True):
        expected = torch.cat([exact[sequence][past : past + new] for sequence, past, new in step])
        assert float((logits - expected).abs().max()) < 2e-4
        assert torch.equal(logits.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float16", 1e-2), pytest.param("bfloat16", 5e-2, marks=pytest.mark.gpu)]
)
def test_fused_layers_round_no_worse_than_the_reference(
    device: torch.device, tiny_checkpoint: Path, dtype: str, tolerance: float
) -> None:
    if dtype == "bfloat16" and device.type == "cpu":
        pytest.skip("no CUDA device, and triton's interpreter cannot multiply bfloat16 matrices")
    model, exact = load(tiny_checkpoint, device, dtype), load(tiny_checkpoint, torch.device("cpu"), "float32")
    cache = cache_for(model)
    found = torch.cat(logits_of(model, paged(model, cache), cache))
    expected = torch.cat(logits_of(exact, SdpaBackend(), cache_for(exact)))
    assert float((found - expected).norm() / expected.norm()) < tolerance


def test_a_float16_residual_beyond_float16_stays_finite(device: torch.device, tiny_checkpoint: Path) -> None:
    """GLM's sublayers reach past 65504; what goes into the norm after them is held smaller, the sum is float32."""
    model = load(tiny_checkpoint, device, "float16")
    with torch.no_grad():
        for block in model.text.blocks:
            block.down.weight.mul_(2000)  # type: ignore[union-attr, operator]
            block.out.weight.mul_(2000)  # type: ignore[union-attr, operator]
    cache = cache_for(model)
    found = torch.cat(logits_of(model, paged(model, cache), cache))
    assert torch.isfinite(found).all()
    expected = torch.cat(logits_of(model, SdpaBackend(), cache_for(model)))
    assert float((found - expected).norm() / expected.norm()) < 1e-2


GRIDS = [Grid(t=1, h=12, w=6), Grid(t=1, h=2, w=2), Grid(t=1, h=8, w=8)]


@pytest.mark.parametrize("grids", [GRIDS, GRIDS[:1] * 2], ids=["three sizes", "one size"])
def test_the_fused_encoder_gives_the_features_of_the_reference(
    device: torch.device, tiny_checkpoint: Path, grids: list[Grid]
) -> None:
    from flashsight.models.attention.pictures import KernelPictures

    model = load(tiny_checkpoint, device, "float32")
    patches_PK = torch.randn(sum(grid.num_patches for grid in grids), 588, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model.encode(patches_PK.to(device), grids)
        found = model.encode(patches_PK.to(device), grids, KernelPictures())
    assert float((found - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("grids", [GRIDS, GRIDS[:1] * 2], ids=["three sizes", "one size"])
def test_packed_pictures_in_bfloat16_stay_within_a_hundredth(tiny_checkpoint: Path, grids: list[Grid]) -> None:
    from flashsight.models.attention.pictures import KernelPictures

    cuda = torch.device("cuda")
    exact, model = load(tiny_checkpoint, cuda, "float32"), load(tiny_checkpoint, cuda, "bfloat16")
    patches_PK = torch.randn(sum(grid.num_patches for grid in grids), 588, device=cuda).bfloat16()
    with torch.inference_mode():
        expected = exact.encode(patches_PK.float(), grids)
        reference = model.encode(patches_PK, grids)
        found = model.encode(patches_PK, grids, KernelPictures())
    rounding = float((reference - expected).norm() / expected.norm())
    assert float((found - expected).norm() / expected.norm()) < max(1e-2, 1.1 * rounding)
