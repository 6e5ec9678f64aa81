"""Encoder and decoder of glm4v behind the door `VisionLanguageModel`. Knows nothing of files and requests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flashsight.core.types import Grid
from flashsight.models.attention.layout import Attend, AttendPacked, AttendPictures
from flashsight.models.attention.sdpa import SdpaPictures
from flashsight.models.door import ModelShape
from flashsight.models.glm4v.config import Glm4vConfig
from flashsight.models.glm4v.text import Text
from flashsight.models.glm4v.vision import Vision
from flashsight.models.layers import RMSNorm


class Glm4v(nn.Module):
    """GLM-4.6V-Flash, GLM-4.1V and nano. Fit for inference and for training, in eager mode or compiled."""

    def __init__(self, config: Glm4vConfig, attend_pictures: AttendPictures | None = None) -> None:
        super().__init__()
        self.config = config
        self.vision = Vision(config.vision, attend_pictures or SdpaPictures())
        self.text = Text(config.text, is_head_tied=config.is_head_tied)

    @property
    def shape(self) -> ModelShape:
        """The model's dimensions."""
        text, vision = self.config.text, self.config.vision
        return ModelShape(
            num_layers=text.num_layers,
            num_heads=text.num_heads,
            num_kv_heads=text.num_kv_heads,
            head_size=text.head_size,
            hidden_size=text.hidden_size,
            intermediate_size=text.intermediate_size,
            vocab_size=text.vocab_size,
            max_positions=text.max_positions,
            vision_layers=vision.depth,
            vision_heads=vision.num_heads,
            vision_hidden_size=vision.hidden_size,
            vision_intermediate_size=max(vision.out_hidden_size, vision.intermediate_size // vision.merge**2),
            patch_elements=vision.patch_elements,
            merge=vision.merge,
        )

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrices, of keys and values, and of picture features."""
        return self.text.head.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.text.head.weight.device

    @property
    def attend_pictures(self) -> AttendPictures:
        """What pictures attend by unless a call names another."""
        return self.vision.attend

    @attend_pictures.setter
    def attend_pictures(self, attend: AttendPictures) -> None:
        self.vision.attend = attend

    def encode(self, patches_PK: Tensor, grids: Sequence[Grid], attend: AttendPictures | None = None) -> Tensor:
        """Return features_MC of packed still pictures."""
        return self.vision(patches_PK, grids, attend)  # type: ignore[no-any-return]

    def tables_of(self, grid: Grid) -> tuple[Tensor, ...]:
        """Return the position table and the angles of a grid."""
        return self.vision.tables_of([grid])

    def embed(self, ids_T: Tensor) -> Tensor:
        """Return hidden_TC of token ids, in the dtype of the residual stream."""
        return self.text.embedding(ids_T).to(self.text.norm.weight.dtype)  # type: ignore[no-any-return]

    def forward(self, hidden_TC: Tensor, positions_3T: Tensor, attend: Attend) -> Tensor:
        """Run the text layers over a packed step; return hidden_TC with the final norm applied."""
        return self.text(hidden_TC, positions_3T, attend)  # type: ignore[no-any-return]

    def logits(self, hidden_NC: Tensor, attend: Attend | None = None) -> Tensor:
        """Return float32 logits_NV."""
        if len(hidden_NC) == 1 and not torch.is_grad_enabled() and isinstance(attend, AttendPacked):
            from flashsight.models.glm4v.fused import head_fused

            return head_fused(self.text.head, hidden_NC, attend).float()
        return self.text.head(hidden_NC).float()  # type: ignore[no-any-return]


def set_dtype(model: nn.Module, dtype: torch.dtype) -> None:
    """Give a model its precision in place; float16 keeps norms, and so the residual stream, in float32."""
    for module in model.modules():
        is_norm = isinstance(module, RMSNorm | nn.LayerNorm)
        wanted = torch.float32 if is_norm and dtype is torch.float16 else dtype
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.to(wanted)
