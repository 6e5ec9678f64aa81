"""The compact int8 form, sharded writing and the manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from flashsight.core.config import Dtype, ModelConfig
from flashsight.core.errors import CheckpointError
from flashsight.models.glm4v.config import read_config
from flashsight.models.glm4v.weights import to_checkpoint
from flashsight.models.layers import Linear
from flashsight.models.loading import load_model
from flashsight.models.storage import dequantise, quantise, verify_files, write_checkpoint
from tests.support.tiny import load_reference


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(1, 40), st.floats(1e-6, 1e4), st.integers(0, 99))
def test_int8_is_off_by_half_a_step_of_its_row_at_most(rows: int, columns: int, size: float, seed: int) -> None:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * size
    restored = dequantise(*quantise(weight))
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((weight - restored).abs() <= step * 0.505).all()


def test_int8_keeps_rows_of_zeros_and_shapes_of_convolutions() -> None:
    weight = torch.zeros(4, 3, 2, 5, 5)
    assert torch.equal(dequantise(*quantise(weight)), weight)


def export(tiny_checkpoint: Path, folder: Path, **options: object) -> None:
    loaded = load_model(ModelConfig(path=str(tiny_checkpoint), device="cpu", dtype="float32"))
    write_checkpoint(folder, to_checkpoint(loaded.model), loaded.config.source, **options)


def test_an_int8_checkpoint_is_a_quarter_and_loads_close_to_its_source(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert size < 0.4 * (tiny_checkpoint / "model.safetensors").stat().st_size
    assert read_config(tmp_path).quantization == "flashsight-int8"
    compact, source = (
        to_checkpoint(load_model(ModelConfig(path=str(path), device="cpu", dtype="float32")).model)
        for path in (tmp_path, tiny_checkpoint)
    )
    for name, weight in source.items():
        step = weight.abs().flatten(1).amax(dim=1).max() / 127 if weight.dim() > 1 else 0.0
        assert (compact[name] - weight).abs().max() <= step


def test_an_int8_weight_without_its_scale_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight_scale"]
    write_checkpoint(tmp_path, weights, json.loads((tmp_path / "config.json").read_text()))
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "flashsight-int8"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"lm_head\.weight_scale is missing"):
        load_model(ModelConfig(path=str(tmp_path)))


def test_transformers_reads_what_we_export(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, max_shard_bytes=100_000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        exported, source = (load_reference(path)(input_ids=ids).logits for path in (tmp_path, tiny_checkpoint))
    torch.testing.assert_close(exported, source, atol=1e-6, rtol=1e-6)


def test_a_whole_checkpoint_has_no_problems(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert verify_files(tiny_checkpoint) == []
    export(tiny_checkpoint, tmp_path)
    assert verify_files(tmp_path) == []


def test_the_manifest_finds_missing_cut_and_changed_files(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, max_shard_bytes=100_000)
    first, second, third = sorted(tmp_path.glob("*.safetensors"))[:3]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    content = bytearray(third.read_bytes())
    content[-1] ^= 1
    third.write_bytes(content)
    problems = verify_files(tmp_path)
    assert len(problems) == 3
    assert [name.name in problem for name, problem in zip((first, second, third), problems, strict=True)] == [True] * 3


def test_without_a_manifest_headers_are_still_checked(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not a checkpoint")
    assert len(verify_files(tmp_path)) == 1
    assert len(verify_files(tmp_path / "nowhere")) == 1


@torch.inference_mode()
def test_few_rows_read_the_stored_int8_and_give_the_same_answer(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    model = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype="bfloat16")).model
    linear = model.text.blocks[1].qkv
    assert linear.int8 is not None
    x_few = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))
    few, many = linear(x_few).float(), linear(x_few.repeat(20, 1))[:3].float()
    torch.testing.assert_close(few, many, atol=2e-2, rtol=2e-2)
    exact = x_few.bfloat16().float() @ dequantise(linear.int8, linear.int8_scale).T + linear.bias.float()
    torch.testing.assert_close(few, exact, atol=1e-2, rtol=1e-2)


@torch.inference_mode()
@pytest.mark.parametrize("num_rows", [1, 7, 40])
def test_float32_reads_the_stored_int8_in_two_bytes_and_loses_nothing(
    tiny_checkpoint: Path, tmp_path: Path, num_rows: int
) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    loaded = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype="float32"))
    block = loaded.model.text.blocks[1]
    for linear in (block.qkv, block.down):
        assert linear.halves is not None
        x = torch.randn(num_rows, linear.in_features, generator=torch.Generator().manual_seed(num_rows))
        bias = 0 if linear.bias is None else linear.bias.double()
        exact = x.double() @ linear.weight.double().T + bias
        torch.testing.assert_close(linear(x).double(), exact, atol=2e-6, rtol=1e-6)
    texts = [module for module in loaded.model.text.modules() if isinstance(module, Linear)]
    full = sum(parameter.nbytes for parameter in loaded.model.parameters())
    assert loaded.weight_bytes == full + sum(2 * linear.weight.numel() for linear in texts)


@torch.inference_mode()
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_fused_matrix_of_which_a_part_is_no_int8_is_read_in_full_numbers(
    tiny_checkpoint: Path, tmp_path: Path, dtype: Dtype
) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.self_attn.k_proj.weight"))
    weights[name] = dequantise(weights[name], weights.pop(name + "_scale"))
    save_file(weights, tmp_path / "model.safetensors")
    blocks = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype=dtype)).model.text.blocks
    assert (blocks[1].qkv.int8, blocks[1].qkv.int8_scale, blocks[1].qkv.halves) == (None, None, None)
    assert blocks[0].qkv.int8_scale is not None


def test_gradients_flow_through_full_numbers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    linear = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype="float32")).model.text.blocks[0].out
    linear.weight.requires_grad_(True)
    linear(torch.ones(1, linear.in_features)).sum().backward()
    assert linear.weight.grad is not None
    assert torch.equal(linear.weight.grad, torch.ones_like(linear.weight))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_training_forgets_the_stored_int8(tiny_checkpoint: Path, tmp_path: Path, dtype: Dtype) -> None:
    export(tiny_checkpoint, tmp_path, int8=True)
    model = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype=dtype)).model
    assert all(block.down.int8_scale is not None for block in model.text.blocks)
    model.train()
    kept = [(block.down.int8, block.down.int8_scale, block.down.halves) for block in model.text.blocks]
    assert kept == [(None, None, None)] * len(kept)


def test_scales_are_exact_in_bfloat16() -> None:
    _, scale = quantise(torch.randn(64, 32))
    assert torch.equal(scale.bfloat16().float(), scale)
