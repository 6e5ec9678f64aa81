"""Engines over the tiny checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engine.rig import Rig, build_rig

from flashsight.core.config import ModelConfig
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint: Path) -> Glm4v:
    """The tiny checkpoint as we read it, float32 on the CPU."""
    return load_model(ModelConfig(path=str(tiny_checkpoint), dtype="float32", device="cpu")).model


@pytest.fixture
def make_rig(tiny_model: Glm4v) -> Iterator[Callable[..., Rig]]:
    """Build engines with the given limits; all are stopped afterwards."""
    rigs: list[Rig] = []

    def make(**limits: Any) -> Rig:
        rigs.append(build_rig(tiny_model, **limits))
        return rigs[-1]

    threads, interval = torch.get_num_threads(), sys.getswitchinterval()
    yield make
    for rig in rigs:
        rig.engine.stop()
    torch.set_num_threads(threads)
    sys.setswitchinterval(interval)
