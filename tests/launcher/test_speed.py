"""Which fast parts a machine gets, and what it is told."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from flashsight.core.config import Config, ModelConfig
from flashsight.launcher.build import plan_of
from flashsight.launcher.speed import takeover_of
from flashsight.models.attention.layout import KVCache
from flashsight.models.kernels import capability as capability_module
from flashsight.models.kernels.capability import capability_of, has_room
from flashsight.models.loading import load_model
from tests.support.prompts import pixel_path

CUDA = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("chip", "has_triton", "expected", "reason"),
    [
        ((7, 5), True, False, "sm_80 or newer, this GPU is sm_75"),
        ((8, 6), False, False, "triton is not installed"),
        ((8, 6), True, True, ""),
        ((8, 9), True, True, ""),
        ((9, 0), True, True, ""),
    ],
    ids=str,
)
def test_kernels_run_where_chip_and_compiler_are_there(
    monkeypatch: pytest.MonkeyPatch, chip: tuple[int, int], has_triton: bool, expected: bool, reason: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: chip)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if has_triton else None)
    capability = capability_of(CUDA)
    assert capability.has_kernels is expected
    assert reason in capability.reason
    assert capability.chip == f"sm_{chip[0]}{chip[1]}"


@pytest.mark.parametrize(
    ("held", "dtype", "expected"),
    [
        (232_448, torch.bfloat16, True),
        (232_448, torch.float32, False),
        (163_840, torch.bfloat16, True),
        (101_376, torch.bfloat16, False),
        (0, torch.bfloat16, False),
    ],
    ids=["sm_90", "sm_90 with wider numbers", "just enough", "sm_86", "no GPU"],
)
def test_roomy_forms_are_for_cards_whose_shared_memory_holds_them(
    monkeypatch: pytest.MonkeyPatch, held: int, dtype: torch.dtype, expected: bool
) -> None:
    monkeypatch.setattr(capability_module, "_shared_bytes", lambda device: held)
    assert has_room(torch.zeros(1, dtype=dtype), 163_840) is expected


def test_a_cpu_stays_on_the_reference_and_says_so(tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(model=ModelConfig(path=str(tiny_checkpoint), device="cpu"))
    loaded = load_model(config.model)
    none: Any = torch.zeros(1, 1, 1, 1, 1)
    with caplog.at_level(logging.INFO):
        assert takeover_of(config, loaded, plan_of(config, loaded), KVCache(none, none), pixel_path) is None
    assert "attention: sdpa" in caplog.text
    assert caplog.records[-1].__dict__["reason"] == "the model runs on a CPU"
