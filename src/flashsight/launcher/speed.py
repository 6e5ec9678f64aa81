"""Which fast parts a machine gets: looks at the device, says so, and puts together what takes over after the start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flashsight.core.config import Config
from flashsight.engine.memory import LargestPicture, MemoryPlan
from flashsight.models.attention.layout import KVCache
from flashsight.models.kernels.capability import capability_of
from flashsight.models.loading import LoadedModel

if TYPE_CHECKING:
    from flashsight.engine.picturegraphs import PixelPath
    from flashsight.engine.takeover import Takeover

_log = logging.getLogger(__name__)


def takeover_of(
    config: Config, loaded: LoadedModel, plan: MemoryPlan, cache: KVCache, pixel_path: PixelPath
) -> Takeover | None:
    """Return what changes over to the kernels of our own, or None where torch's own serve throughout."""
    capability = capability_of(loaded.device)
    if config.engine.kernels == "off" or not capability.has_kernels:
        reason = capability.reason or "the setting `kernels` is off"
        _log.info("attention: sdpa", extra={"chip": capability.chip, "reason": reason})
        return None
    from flashsight.engine.graphs import CudaRecorder
    from flashsight.engine.takeover import Takeover
    from flashsight.models.attention.pictures import KernelPictures

    _log.info("attention: sdpa at first, then paged", extra={"chip": capability.chip})
    return Takeover(
        loaded.model,
        cache,
        CudaRecorder(loaded.device),
        max_sequences=plan.limits.max_sequences,
        step_tokens=plan.limits.step_tokens,
        most_patches=LargestPicture.of(config.media, loaded.model.shape).num_patches,
        pictures=KernelPictures(),
        pixel_path=pixel_path,
        graph_bytes=plan.reserve_bytes // 2,
        overlaps=capability.overlaps and config.engine.kernels == "auto",
    )
