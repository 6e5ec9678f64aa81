"""What plays the part of CUDA graphs where there is no GPU."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from flashsight.engine.graphs import CudaRecorder, Recorder
from flashsight.models.glm4v.model import Glm4v


class Tape:
    """Repeats the function on the same tensors, into the same outcome."""

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        outcome = run().clone()
        return lambda: outcome.copy_(run()), outcome


def recorder_of(model: Glm4v) -> Recorder:
    return CudaRecorder(model.device) if model.device.type == "cuda" else Tape()
