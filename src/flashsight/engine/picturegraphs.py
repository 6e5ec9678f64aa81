"""Pictures of common sizes, encoded by replaying what was recorded once: two hundred kernels start at the price of one.

Every recorded size takes its own patches in and leaves its features in a tensor of its own. Needs triton.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.engine.graphs import Recorder, Replay
from flashsight.models.attention.layout import AttendPictures
from flashsight.models.door import VisionLanguageModel

COMMON_GRIDS = (Grid(t=1, h=36, w=36), Grid(t=1, h=74, w=74))
"""Squares of 512 and of 1024 pixels; recorded before anybody shows one."""
OFTEN = 4
"""So many pictures of one size are shown before it is recorded, too."""
MOST_GRIDS = 8


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """One recorded size: patches_PK in, features_MC out.

    tables: what the recording reads beside weights and patches, kept alive with it.
    """

    patches: Tensor
    features: Tensor
    replay: Replay
    tables: tuple[Tensor, ...]


class PictureGraphs:
    """The recorded sizes of one encoder. Used by the engine's thread."""

    def __init__(
        self, model: VisionLanguageModel, recorder: Recorder, attend: AttendPictures, *, most_patches: int
    ) -> None:
        """most_patches: larger pictures are never recorded; their kernels take longer than their start."""
        self._model, self._recorder, self._attend = model, recorder, attend
        self._most_patches = most_patches
        self._num_shown: Counter[Grid] = Counter()
        self._recorded: dict[Grid, RecordedPicture] = {}
        self._todo = [grid for grid in reversed(COMMON_GRIDS) if grid.num_patches <= most_patches]
        self.num_replays = 0

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
        """Record one more size."""
        grid = self._todo.pop()
        model, attend = self._model, self._attend
        tables = model.tables_of(grid)
        patches_PK = torch.zeros(grid.num_patches, model.shape.patch_elements, dtype=model.dtype, device=model.device)
        replay, features_MC = self._recorder.record(lambda: model.encode(patches_PK, [grid], attend))
        self._recorded[grid] = RecordedPicture(patches_PK, features_MC, replay, tables)

    def stop_recording(self) -> None:
        """Record no more: memory is short."""
        self._todo.clear()
        self._most_patches = 0

    def encode(self, patches_PK: Tensor, grid: Grid) -> Tensor | None:
        """Return features_MC that own their memory; None for a size that is not recorded."""
        recorded = self._recorded.get(grid)
        if recorded is None:
            self._note(grid)
            return None
        self.num_replays += 1
        recorded.patches.copy_(patches_PK)
        recorded.replay()
        return recorded.features.clone()

    def _note(self, grid: Grid) -> None:
        self._num_shown[grid] += 1
        is_due = self._num_shown[grid] == OFTEN and grid not in self._todo
        if is_due and grid.num_patches <= self._most_patches and len(self._recorded) + len(self._todo) < MOST_GRIDS:
            self._todo.append(grid)
