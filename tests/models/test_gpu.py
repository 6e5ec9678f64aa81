"""On a CUDA device: the same answers as on the CPU, in each precision that the chip has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid
from flashsight.models.attention.layout import KVCache, Span, StepLayout
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

GRIDS = [Grid(t=1, h=12, w=6), Grid(t=1, h=2, w=2), Grid(t=1, h=8, w=8)]
TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}


def load(folder: Path, device: str, dtype: str) -> Glm4v:
    return load_model(ModelConfig(path=str(folder), device=device, dtype=dtype)).model


def features_of(model: Glm4v) -> Tensor:
    num = sum(grid.num_patches for grid in GRIDS)
    patches_PK = torch.randn(num, 588, generator=torch.Generator().manual_seed(0)).to(model.device)
    with torch.inference_mode():
        return model.encode(patches_PK, GRIDS).float().cpu()


def logits_of_mixed_steps(model: Glm4v) -> Tensor:
    """Two prompts prefilled in chunks, then decoded together."""
    shape = model.shape
    cache = KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=32,
        block_size=16,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=model.dtype,
        device=model.device,
    )
    steps = [
        (Span(0, 30, 0, [4, 1, 9]), Span(30, 20, 0, [2, 3])),
        (Span(0, 1, 20, [2, 3]), Span(1, 9, 30, [4, 1, 9])),
        (Span(0, 1, 39, [4, 1, 9]), Span(1, 1, 21, [2, 3])),
    ]
    logits = []
    with torch.inference_mode():
        for spans in steps:
            num = sum(span.num_new for span in spans)
            ids = (torch.arange(num) * 7 % 300).to(model.device)
            positions_3T = torch.cat([torch.arange(s.num_past, s.num_past + s.num_new) for s in spans]).expand(3, -1)
            attend = SdpaBackend().begin(StepLayout(spans), cache)
            hidden_TC = model.forward(model.embed(ids), positions_3T.to(model.device), attend)
            logits.append(model.logits(hidden_TC).cpu())
    return torch.cat(logits)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_gpu_answers_as_the_cpu_does(tiny_checkpoint: Path, dtype: str) -> None:
    exact, model = load(tiny_checkpoint, "cpu", "float32"), load(tiny_checkpoint, "cuda", dtype)
    for outputs_of in (features_of, logits_of_mixed_steps):
        expected, found = outputs_of(exact), outputs_of(model)
        assert (found - expected).abs().mean() < TOLERANCE[dtype] * expected.std()


def test_a_gpu_takes_the_precision_that_it_has(tiny_checkpoint: Path) -> None:
    loaded = load_model(ModelConfig(path=str(tiny_checkpoint)))
    assert loaded.device.type == "cuda"
    assert loaded.dtype in (torch.bfloat16, torch.float16)
    assert {parameter.device.type for parameter in loaded.model.parameters()} == {"cuda"}
