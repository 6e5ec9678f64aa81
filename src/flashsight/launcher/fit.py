"""What would fit on this machine: the memory plan of each built-in model in several precisions, nothing loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from flashsight.core.config import Config, ModelConfig
from flashsight.core.errors import ConfigError
from flashsight.engine.device import DeviceMemory, measure_memory
from flashsight.engine.memory import LargestPicture, plan_memory
from flashsight.models.glm4v.config import read_config
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import BUILT_IN, checkpoint_folder, pick_device

MATRIX_BYTES = {"bfloat16": 2.0, "int8": 1.0, "int4": 0.5625}
"""Bytes of one number of a text matrix; int4 carries a 16-bit scale for every 32 numbers. The rest stays 16-bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One model in one precision. requests: with one 1024-px picture each, at once; None: the model does not fit."""

    model: str
    precision: str
    weight_bytes: int
    requests: int | None


def fits(config: Config) -> tuple[DeviceMemory, list[Fit]]:
    """The device that would be used, and what would fit on it."""
    memory = measure_memory(pick_device(config.model.device))
    return memory, [fit for name in BUILT_IN for fit in _fits_of(name, config, memory)]


def _fits_of(name: str, config: Config, memory: DeviceMemory) -> Iterator[Fit]:
    folder = checkpoint_folder(ModelConfig(path=name, load_format="dummy"))
    with torch.device("meta"):
        model = Glm4v(read_config(folder))
    matrices = sum(p.numel() for n, p in model.named_parameters() if p.dim() > 1 and n.startswith("text."))
    rest = sum(p.numel() for p in model.parameters()) - matrices
    for precision, matrix_bytes in MATRIX_BYTES.items():
        weight_bytes = int(matrices * matrix_bytes) + 2 * rest
        try:
            plan = plan_memory(
                config.engine,
                model.shape,
                memory=memory,
                weight_bytes=weight_bytes,
                value_bytes=2,
                largest=LargestPicture.of(config.media, model.shape),
            )
        except ConfigError:
            yield Fit(model=name, precision=precision, weight_bytes=weight_bytes, requests=None)
        else:
            yield Fit(
                model=name, precision=precision, weight_bytes=weight_bytes, requests=plan.requests_at_once(1024) or None
            )
