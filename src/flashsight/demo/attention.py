"""Attention of training and evaluation behind the model's own doors. Knows no weight and no token.

Left out of compilation: its shapes change with the size of the pictures, all others only in length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from flashsight.demo.packing import PADDING_GROUP
from flashsight.models.attention.sdpa import SdpaPictures

Method = TypeVar("Method", bound=Callable[..., Tensor])
ROOM = 64  # places by which memory grows


def _uncompiled(method: Method) -> Method:
    return cast(Method, torch.compiler.disable(method))


class EqualPictures:
    """Full attention inside each of `num_pictures` pictures of one size, which pose as one grid of as many frames."""

    def __init__(self) -> None:
        self.num_pictures = 1
        self._attend = SdpaPictures()

    @_uncompiled
    def __call__(self, q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, cu_patches: Sequence[int]) -> Tensor:
        """Return o_PHD."""
        size = len(q_PHD) // self.num_pictures
        return self._attend(q_PHD, k_PHD, v_PHD, range(0, len(q_PHD) + 1, size))


class BlindGroups:
    """Causal attention in B packed rows in which a group sees what is shared and itself."""

    def __init__(self, groups_BL: Tensor) -> None:
        self.mask = visible(groups_BL)[:, None]

    @_uncompiled
    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD."""
        num_rows, queries_per_key = len(self.mask), q_THD.shape[1] // k_TGD.shape[1]
        if q_THD.device.type == "cpu" and q_THD.dtype is torch.bfloat16:
            q_BLGRD = q_THD.unflatten(0, (num_rows, -1)).unflatten(2, (-1, queries_per_key))
            k_BSGD, v_BSGD = (x.unflatten(0, (num_rows, -1)) for x in (k_TGD, v_TGD))
            return attend_by_products(q_BLGRD, k_BSGD, v_BSGD, self.mask[:, 0]).flatten(2, 3).flatten(0, 1)
        q = q_THD.unflatten(0, (num_rows, -1)).transpose(1, 2)
        k, v = (
            x.repeat_interleave(queries_per_key, dim=1).unflatten(0, (num_rows, -1)).transpose(1, 2)
            for x in (k_TGD, v_TGD)
        )
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask).transpose(1, 2).flatten(0, 1)


def visible(groups_BL: Tensor) -> Tensor:
    """Return bool [B, L, L]: may token i look at token j? Group 0 is shared, every other one is blind to the rest."""
    causal = torch.ones(groups_BL.shape[1], groups_BL.shape[1], dtype=torch.bool, device=groups_BL.device).tril()
    theirs = groups_BL[:, None, :]
    return causal & ((groups_BL[:, :, None] == theirs) | ((theirs == 0) & (groups_BL[:, :, None] != PADDING_GROUP)))


class Memory:
    """Keys and values of B rows that are equally long before each call; a call's tokens stand behind what is kept.

    Row b keeps its places [0, num_kept[b]): what was padding in an earlier call is written over by the next.
    """

    def __init__(self, num_layers: int) -> None:
        self._k: list[Tensor | None] = [None] * num_layers
        self._v: list[Tensor | None] = [None] * num_layers
        self._places_BL: Tensor | None = None
        self._needed = 0

    def begin(self, num_kept_B: Tensor, num_new: int) -> None:
        """Say how many tokens of each row are kept, and how many the next call brings, padding among them."""
        self._places_BL = num_kept_B[:, None] + torch.arange(num_new, device=num_kept_B.device)
        self._needed = int(num_kept_B.max()) + num_new

    def choose(self, rows: Tensor) -> None:
        """Go on with these rows only, as often as they are named."""
        for kept in (self._k, self._v):
            kept[:] = [None if tensor is None else tensor.index_select(0, rows) for tensor in kept]

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD, T = B * L."""
        assert self._places_BL is not None
        num_rows, num_new = self._places_BL.shape
        k_BSGD = self._kept(self._k, layer, k_TGD.unflatten(0, (num_rows, num_new)))
        v_BSGD = self._kept(self._v, layer, v_TGD.unflatten(0, (num_rows, num_new)))
        is_seen_BLS = torch.arange(k_BSGD.shape[1], device=q_THD.device) <= self._places_BL[:, :, None]
        q_BLGRD = q_THD.unflatten(0, (num_rows, num_new)).unflatten(2, (k_TGD.shape[1], -1))
        return attend_by_products(q_BLGRD, k_BSGD, v_BSGD, is_seen_BLS).flatten(2, 3).flatten(0, 1)

    def _kept(self, kept: list[Tensor | None], layer: int, new_BLGD: Tensor) -> Tensor:
        """Put the new tokens in their places; return what of the layer is kept, [B, S, G, D]."""
        old = kept[layer]
        if old is None:
            kept[layer] = old = new_BLGD
        else:
            if self._needed > old.shape[1]:
                kept[layer] = old = F.pad(old, (0, 0, 0, 0, 0, max(self._needed - old.shape[1], ROOM)))
            old[torch.arange(len(old), device=old.device)[:, None], self._places_BL] = new_BLGD
        return old


def attend_by_products(q_BLGRD: Tensor, k_BSGD: Tensor, v_BSGD: Tensor, is_seen_BLS: Tensor) -> Tensor:
    """Return o_BLGRD; R query heads share each of G key heads.

    Plain matrix products: in bfloat16 on a CPU they take a fifth of the time of torch's fused kernel with a mask.
    """
    num_new, num_shared = q_BLGRD.shape[1], q_BLGRD.shape[3]
    q = q_BLGRD.permute(0, 2, 3, 1, 4).flatten(2, 3) * q_BLGRD.shape[-1] ** -0.5
    scores = q @ k_BSGD.permute(0, 2, 3, 1)
    hidden = ~is_seen_BLS.repeat(1, num_shared, 1)[:, None]
    shares = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    o: Tensor = (shares @ v_BSGD.transpose(1, 2)).unflatten(2, (num_shared, num_new))
    return o.permute(0, 3, 1, 2, 4)
