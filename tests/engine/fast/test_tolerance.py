"""Rounding alone, through as many layers as the real model has, stays far below what the trial of kernels allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import flashsight
from flashsight.engine.takeover import MOST_DIFFERENT, TRIAL_GRIDS, TRIALS, Takeover, _difference
from flashsight.models.attention.layout import KVCache
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.config import Glm4vConfig, read_config
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import build_model, fill_random

CPU = torch.device("cpu")


def deep_and_narrow() -> Glm4vConfig:
    config = read_config(Path(flashsight.__file__).parent / "assets" / "glm-4.6v-flash")
    text = replace(config.text, hidden_size=512, num_heads=4, intermediate_size=1024, vocab_size=512)
    vision = replace(config.vision, hidden_size=256, num_heads=4, depth=24, out_hidden_size=512, intermediate_size=1024)
    return replace(config, text=text, vision=vision)


def outcomes(model: Glm4v) -> list[Tensor]:
    cache = KVCache.allocate(
        num_layers=1,
        num_blocks=1,
        block_size=16,
        num_kv_heads=2,
        head_size=model.shape.head_size,
        dtype=model.dtype,
        device=CPU,
    )
    takeover = Takeover(model, cache, None, max_sequences=1, step_tokens=8)
    scratch = takeover._scratch()
    num_patches = sum(grid.num_patches for grid in TRIAL_GRIDS)
    patches_PK = torch.linspace(-2, 2, num_patches * model.shape.patch_elements).sin().view(num_patches, -1)
    with torch.inference_mode():
        logits = [takeover._logits(trial, SdpaBackend(), scratch) for trial in TRIALS]
        return [*logits, model.encode(patches_PK.to(model.dtype), TRIAL_GRIDS)]


@pytest.mark.timeout(280)
def test_bfloat16_alone_makes_less_than_a_quarter_of_the_difference_that_is_allowed() -> None:
    config = deep_and_narrow()
    exact, rounded = build_model(config, CPU, torch.float32), build_model(config, CPU, torch.bfloat16)
    fill_random(rounded, seed=0)
    exact.load_state_dict(rounded.state_dict())
    differences = [_difference(*pair) for pair in zip(outcomes(rounded), outcomes(exact), strict=True)]
    assert 0.005 < max(differences) < MOST_DIFFERENT / 4
