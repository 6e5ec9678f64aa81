"""The same modules are trained: gradients equal transformers', and compiling, autocast and half precision hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid
from flashsight.models.attention.layout import KVCache, Span, StepLayout
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

GRIDS = [Grid(t=1, h=4, w=6), Grid(t=1, h=8, w=4)]


def causal(layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
    """Attention of one sequence without a cache, as training has it."""
    q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (q_THD, k_TGD, v_TGD))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).squeeze(0).transpose(0, 1)


def load(folder: Path, dtype: Any = "float32") -> Glm4v:
    return load_model(ModelConfig(path=str(folder), device="cpu", dtype=dtype)).model


@pytest.fixture
def model(tiny_checkpoint: Path) -> Glm4v:
    return load(tiny_checkpoint).requires_grad_(True).train()


def some_patches() -> Tensor:
    num = sum(grid.num_patches for grid in GRIDS)
    return torch.randn(num, 588, generator=torch.Generator().manual_seed(0))


def loss_of(model: Glm4v, ids: Tensor, patches_PK: Tensor) -> Tensor:
    hidden_TC = model.embed(ids)
    features_MC = model.encode(patches_PK, GRIDS).to(hidden_TC.dtype)
    hidden_TC = torch.cat((features_MC, hidden_TC))
    positions_3T = torch.arange(len(hidden_TC)).expand(3, -1)
    logits = model.logits(model(hidden_TC, positions_3T, causal))[-len(ids) :]
    return F.cross_entropy(logits[:-1], ids[1:])


def test_gradients_equal_those_of_transformers(model: Glm4v, tiny_reference: Any) -> None:
    ids, patches_PK = torch.arange(5, 25), some_patches()
    loss = loss_of(model, ids, patches_PK)
    loss.backward()
    both_frames = patches_PK.view(-1, 3, 1, 14, 14).expand(-1, -1, 2, -1, -1).reshape(len(patches_PK), -1)
    grid_thw = torch.tensor([(grid.t, grid.h, grid.w) for grid in GRIDS])
    features = tiny_reference.model.visual(both_frames, grid_thw).pooler_output
    hidden = torch.cat((features, tiny_reference.get_input_embeddings()(ids)))
    positions = torch.arange(len(hidden)).expand(3, 1, -1)
    logits = tiny_reference(inputs_embeds=hidden[None], position_ids=positions).logits[0, -len(ids) :]
    expected = F.cross_entropy(logits[:-1], ids[1:])
    tiny_reference.zero_grad()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    theirs = dict(tiny_reference.named_parameters())
    pairs = {
        "vision.position": "model.visual.embeddings.position_embedding.weight",
        "vision.blocks.0.qkv.weight": "model.visual.blocks.0.attn.qkv.weight",
        "text.blocks.1.gate_up.weight": "model.language_model.layers.1.mlp.gate_up_proj.weight",
        "text.embedding.weight": "model.language_model.embed_tokens.weight",
    }
    for ours, name in pairs.items():
        torch.testing.assert_close(model.get_parameter(ours).grad, theirs[name].grad, atol=1e-5, rtol=1e-4)
    assert all(parameter.grad is not None for parameter in model.parameters())
    tiny_reference.zero_grad()


def test_training_steps_are_seen_by_the_next_evaluation(model: Glm4v) -> None:
    model.eval()
    patches_PK = some_patches()
    with torch.no_grad():
        before = model.encode(patches_PK, GRIDS)
    model.train()
    with torch.no_grad():
        model.vision.position.add_(1.0)
    model.eval()
    with torch.no_grad():
        assert (model.encode(patches_PK, GRIDS) - before).abs().max() > 0.01


def test_the_loss_is_captured_as_one_graph(model: Glm4v) -> None:
    ids, patches_PK = torch.arange(5, 25), some_patches()
    compiled = torch.compile(loss_of, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(model, ids, patches_PK), loss_of(model, ids, patches_PK))


def test_autocast_keeps_the_residual_stream_exact(model: Glm4v) -> None:
    ids, patches_PK = torch.arange(5, 25), some_patches()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(model, ids, patches_PK)
        hidden_TC = model(model.embed(ids), torch.arange(len(ids)).expand(3, -1), causal)
    assert hidden_TC.dtype is torch.float32
    torch.testing.assert_close(loss, loss_of(model, ids, patches_PK), atol=0.1, rtol=0.05)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def logits_of(model: Glm4v, ids: Tensor) -> Tensor:
    shape = model.shape
    cache = KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=4,
        block_size=16,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=model.dtype,
        device=model.device,
    )
    with torch.inference_mode():
        attend = SdpaBackend().begin(StepLayout((Span(0, len(ids), 0, [2, 0, 1]),)), cache)
        hidden_TC = model.forward(model.embed(ids), torch.arange(len(ids)).expand(3, -1), attend)
        return model.logits(hidden_TC)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close_to_float32(tiny_checkpoint: Path, dtype: str) -> None:
    ids = torch.arange(5, 45)
    exact, half = logits_of(load(tiny_checkpoint), ids), logits_of(load(tiny_checkpoint, dtype), ids)
    assert half.dtype is torch.float32
    assert (half - exact).abs().mean() < (0.1 if dtype == "bfloat16" else 0.01) * exact.std()


def test_float16_survives_outputs_beyond_its_range(tiny_checkpoint: Path) -> None:
    """GLM's attention and MLP outputs reach 7e4: a norm follows, so the answer is finite and right."""
    models = {dtype: load(tiny_checkpoint, dtype) for dtype in ("float32", "float16")}
    for model in models.values():
        with torch.no_grad():
            for block in model.text.blocks:
                block.out.weight.mul_(1e5)
                block.down.weight.mul_(1e5)
    ids = torch.arange(5, 45)
    exact, half = (logits_of(model, ids) for model in models.values())
    assert half.isfinite().all()
    assert (half - exact).abs().mean() < 0.02 * exact.std()
