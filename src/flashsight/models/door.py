"""The door of a vision-language model: what the engine may ask of one. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.models.attention.layout import Attend, AttendPictures


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The numbers that memory is planned from, in elements; merge is the side of a merged square of patches."""

    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    vision_layers: int
    vision_heads: int
    vision_hidden_size: int
    vision_intermediate_size: int
    patch_elements: int
    merge: int


class VisionLanguageModel(Protocol):
    """Pictures and token ids in, logits out. Keeps no state between calls: keys and values belong to `attend`."""

    @property
    def shape(self) -> ModelShape:
        """The model's dimensions."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrices, of keys and values, and of picture features."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""

    attend_pictures: AttendPictures
    """What pictures attend by unless a call names another; may be replaced between calls."""

    def encode(self, patches_PK: Tensor, grids: Sequence[Grid], attend: AttendPictures | None = None) -> Tensor:
        """Return features_MC, M = P / merge**2, of packed still pictures.

        K = 3 * 14 * 14 in (channel, row, column) order, normalised; patches come in squares of merge x merge.
        A picture's features don't depend on what it is packed with.
        """

    def tables_of(self, grid: Grid) -> tuple[Tensor, ...]:
        """Return what encoding a picture of this grid reads beside weights and patches: the same tensors each time, for
        as long as they are kept or somebody holds them."""

    def embed(self, ids_T: Tensor) -> Tensor:
        """Return hidden_TC of token ids. Picture features, cast to its dtype, replace the rows of picture tokens."""

    def forward(self, hidden_TC: Tensor, positions_3T: Tensor, attend: Attend) -> Tensor:
        """Run the text layers over a packed step; return hidden_TC with the final norm applied."""

    def logits(self, hidden_NC: Tensor, attend: Attend | None = None) -> Tensor:
        """Return float32 logits_NV of the rows that are sampled. attend: what they came by, where it is known."""
