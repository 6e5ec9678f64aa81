"""Pictures of common sizes, encoded by replaying what was recorded once: two hundred kernels start at the price of one.

Every recorded size takes its own patches in and leaves its features in a tensor of its own. The way from pixels to
those patches is recorded besides, for each size that pictures come in. Needs triton.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.engine.graphs import Recorder, Replay
from flashsight.models.attention.layout import AttendPictures
from flashsight.models.door import VisionLanguageModel


class Source(NamedTuple):
    """Height and width in pixels as a picture comes, and the grid that it is shown on."""

    height: int
    width: int
    grid: Grid


COMMON = (Source(512, 512, Grid(t=1, h=36, w=36)), Source(1024, 1024, Grid(t=1, h=74, w=74)))
"""Recorded before anybody shows one."""
OFTEN = 4
"""So many pictures of one size are shown before it is recorded, too."""
MOST_GRIDS = MOST_SOURCES = 8
MOST_SHRUNK = 4
"""A picture that comes with more pixels than so many for each one shown is not worth the memory of a recording."""
MOST_NOTED = 4096
"""Sizes whose showings are counted; then the count begins anew, for anybody may show ever other ones."""


class PixelPath(Protocol):
    """From a decoded picture to what the encoder reads. Given by whoever builds the engine."""

    def __call__(self, pixels_HWC: Tensor, resized: tuple[int, int], /) -> Tensor:
        """Resize uint8 [H, W, 3] to (height, width), normalise and cut into patches_PK, on the tensor's device."""


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """One recorded size: patches_PK in, features_MC out.

    tables: what the recording reads beside weights and patches, kept alive with it.
    """

    patches: Tensor
    features: Tensor
    replay: Replay
    tables: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class RecordedPixels:
    """Uint8 pixels [H, W, 3] in; the patches go where the recorded size takes them in."""

    pixels: Tensor
    replay: Replay


class PictureGraphs:
    """The recorded sizes of one encoder. Used by the engine's thread."""

    def __init__(
        self,
        model: VisionLanguageModel,
        recorder: Recorder,
        attend: AttendPictures,
        pixel_path: PixelPath,
        *,
        most_patches: int,
    ) -> None:
        """most_patches: larger pictures are never recorded; their kernels take longer than their start."""
        self._model, self._recorder, self._attend, self._pixel_path = model, recorder, attend, pixel_path
        self._most_patches, self._most_sources = most_patches, MOST_SOURCES
        self._num_shown: Counter[Grid | Source] = Counter()
        self._recorded: dict[Grid, RecordedPicture] = {}
        self._sources: dict[Source, RecordedPixels] = {}
        self._patch = math.isqrt(model.shape.patch_elements // 3)
        self._todo: list[Grid | Source] = []
        for source in reversed(COMMON):
            if source.grid.num_patches <= most_patches:
                self._todo += [source, source.grid]
        self.num_replays = self.num_source_replays = 0

    @property
    def num_recorded(self) -> int:
        """Sizes that are ready."""
        return len(self._recorded)

    @property
    def has_more(self) -> bool:
        """True if a size is to be recorded."""
        return bool(self._todo)

    @torch.inference_mode()
    def record_next(self) -> None:
        """Record one more size, or the way of one size's pixels to it."""
        size = self._todo.pop()
        if isinstance(size, Grid):
            self._record(size)
        else:
            self._record_source(size)

    def stop_recording(self) -> None:
        """Record no more: memory is short."""
        self._todo.clear()
        self._most_patches = self._most_sources = 0

    @torch.inference_mode()
    def encode(self, pixels_HWC: Tensor, grid: Grid) -> Tensor | None:
        """Return features_MC, which own their memory, of uint8 pixels; None for a size that is not recorded."""
        recorded = self._recorded.get(grid)
        if recorded is None:
            self._note(grid)
            return None
        self.num_replays += 1
        source = Source(pixels_HWC.shape[0], pixels_HWC.shape[1], grid)
        if (known := self._sources.get(source)) is not None:
            known.pixels.copy_(pixels_HWC)
            known.replay()
            self.num_source_replays += 1
        else:
            self._note(source)
            recorded.patches.copy_(self._pixel_path(pixels_HWC, self._shown(grid)))
        recorded.replay()
        return recorded.features.clone()

    def _record(self, grid: Grid) -> None:
        model, attend = self._model, self._attend
        tables = model.tables_of(grid)
        patches_PK = torch.zeros(grid.num_patches, model.shape.patch_elements, dtype=model.dtype, device=model.device)
        replay, features_MC = self._recorder.record(lambda: model.encode(patches_PK, [grid], attend))
        self._recorded[grid] = RecordedPicture(patches_PK, features_MC, replay, tables)

    def _record_source(self, source: Source) -> None:
        recorded, shown = self._recorded[source.grid], self._shown(source.grid)
        pixels_HWC = torch.zeros(source.height, source.width, 3, dtype=torch.uint8, device=self._model.device)
        replay, _ = self._recorder.record(lambda: recorded.patches.copy_(self._pixel_path(pixels_HWC, shown)))
        self._sources[source] = RecordedPixels(pixels_HWC, replay)

    def _shown(self, grid: Grid) -> tuple[int, int]:
        """Height and width in pixels on a grid."""
        return self._patch * grid.h, self._patch * grid.w

    def _note(self, size: Grid | Source) -> None:
        if len(self._num_shown) >= MOST_NOTED:
            self._num_shown.clear()
        self._num_shown[size] += 1
        if self._num_shown[size] != OFTEN or size in self._todo:
            return
        if isinstance(size, Grid):
            num_grids = len(self._recorded) + sum(isinstance(each, Grid) for each in self._todo)
            is_room = size.num_patches <= self._most_patches and num_grids < MOST_GRIDS
        else:
            num_sources = len(self._sources) + sum(not isinstance(each, Grid) for each in self._todo)
            height, width = self._shown(size.grid)
            is_room = num_sources < self._most_sources and size.height * size.width <= MOST_SHRUNK * height * width
        if is_room:
            self._todo.append(size)
