"""Pictures' attention on a GPU with fast kernels, all turned by one of ours.

Sizes that come and go attend by torch's variable-length flash attention over what is packed: it takes any size as it
is. A size that is recorded attends by torch's fused attention: the fastest kernel, but it may plan anew for each size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from flashsight.models.attention.sdpa import SdpaPictures
from flashsight.models.kernels.rotary import rotate_halves


class KernelPictures(SdpaPictures):
    """The encoder's blocks run on fused kernels where this is what they attend by. Needs triton."""

    def __init__(self, *, is_recorded: bool = False) -> None:
        """is_recorded: calls are recorded for one size, which then stays."""
        self._is_recorded = is_recorded
        self._offsets: tuple[tuple[int, ...], Tensor] | None = None

    def __call__(self, q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, cu_patches: Sequence[int]) -> Tensor:
        """Return o_PHD."""
        if self._is_recorded or q_PHD.device.type == "cpu" or q_PHD.dtype is torch.float32:
            return super().__call__(q_PHD, k_PHD, v_PHD, cu_patches)
        largest = max(end - start for start, end in pairwise(cu_patches))
        cu = self._offsets_of(cu_patches, q_PHD.device)
        o_PHD: Tensor = torch.ops.aten._flash_attention_forward(
            q_PHD, k_PHD, v_PHD, cu, cu, largest, largest, 0.0, False, return_debug_mask=False
        )[0]
        return o_PHD

    def _offsets_of(self, cu_patches: Sequence[int], device: torch.device) -> Tensor:
        """Copied once a call of the encoder, not once a layer; from pinned memory, so that the host need not wait."""
        key = tuple(cu_patches)
        if self._offsets is None or self._offsets[0] != key:
            host = torch.tensor(key, dtype=torch.int32).pin_memory()
            self._offsets = (key, host.to(device, non_blocking=True))
        return self._offsets[1]

    def turn(self, qkv_PHD: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return q, k, v [P, H, D] of a fused product [P, 3 H, D], queries and keys turned."""
        qk_PHD = rotate_halves(qkv_PHD, rope, num_turned=qkv_PHD.shape[1] // 3 * 2)
        q_PHD, k_PHD = qk_PHD.chunk(2, dim=1)
        return q_PHD, k_PHD, qkv_PHD[:, qkv_PHD.shape[1] // 3 * 2 :]
