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

Method = TypeVar("Method", bound=Callable[..., Tensor])


def _uncompiled(method: Method) -> Method:
    return cast(Method, torch.compiler.disable(method))


class EqualPictures:
    """Full attention inside each of `num_pictures` pictures of one size, which pose as one grid of as many frames."""

    def __init__(self) -> None:
        self.num_pictures = 1

    @_uncompiled
    def __call__(self, q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, cu_patches: Sequence[int]) -> Tensor:
        """Return o_PHD."""
        q, k, v = (x.unflatten(0, (self.num_pictures, -1)).transpose(1, 2) for x in (q_PHD, k_PHD, v_PHD))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)


class BlindGroups:
    """Causal attention in B packed rows in which a group sees what is shared and itself."""

    def __init__(self, groups_BL: Tensor) -> None:
        self.mask = visible(groups_BL)[:, None]

    @_uncompiled
    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD."""
        num_rows, queries_per_key = len(self.mask), q_THD.shape[1] // k_TGD.shape[1]
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


class Decoding:
    """Keys and values of B prompts of different lengths, side by side; first the prompts, then one token each per step.

    Row b of a call is written to its places [num_past[b], num_past[b] + num_new); `advance` moves on.
    """

    def __init__(
        self, lengths_B: Tensor, *, num_layers: int, num_kv_heads: int, head_size: int, room: int, dtype: torch.dtype
    ) -> None:
        shape = (num_layers, len(lengths_B), room, num_kv_heads, head_size)
        self.k, self.v = (torch.zeros(shape, dtype=dtype, device=lengths_B.device) for _ in range(2))
        self.num_past = torch.zeros_like(lengths_B)
        self.lengths = lengths_B
        self.places = torch.arange(room, device=lengths_B.device)

    def advance(self) -> None:
        """Take the tokens of the last call as read: the whole prompts the first time, then one token of each."""
        self.num_past = torch.where(self.num_past == 0, self.lengths, self.num_past + 1)

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD."""
        num_rows = len(self.lengths)
        q, k, v = (x.unflatten(0, (num_rows, -1)) for x in (q_THD, k_TGD, v_TGD))
        new = torch.arange(q.shape[1], device=q.device)
        places_BL = self.num_past[:, None] + new
        rows = torch.arange(num_rows, device=q.device)[:, None]
        self.k[layer, rows, places_BL], self.v[layer, rows, places_BL] = k, v
        mask = self.places <= places_BL[:, :, None]
        o = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            self.k[layer].transpose(1, 2),
            self.v[layer].transpose(1, 2),
            attn_mask=mask[:, None],
            enable_gqa=True,
        )
        return o.transpose(1, 2).flatten(0, 1)
