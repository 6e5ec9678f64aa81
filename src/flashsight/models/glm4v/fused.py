"""The layers of decoder and encoder on fused kernels: the same numbers in a quarter of the launches.

Used where attention offers `attend_packed`, or `turn` for pictures: then the kernels run here. Needs triton.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from flashsight.models.attention.layout import AttendPacked, TurnPictures
from flashsight.models.glm4v.text import FP16_SCALE, Block, Text
from flashsight.models.glm4v.vision import Block as PictureBlock
from flashsight.models.glm4v.vision import Rope, Vision
from flashsight.models.kernels.product import are_few, rows_product, rows_swiglu, vector_product, vector_swiglu
from flashsight.models.kernels.rows import add_norm, add_plain_norm, norm, silu_mul
from flashsight.models.layers import Linear, RMSNorm


def forward_fused(text: Text, hidden_TC: Tensor, positions_3T: Tensor, attend: AttendPacked) -> Tensor:
    """Return hidden_TC of the last layer, final norm applied; hidden_TC itself is overwritten."""
    cos, sin = text.rope(positions_3T)
    rope = (cos.contiguous(), sin.contiguous())
    blocks = [cast(Block, block) for block in text.blocks]
    dtype = text.head.weight.dtype
    scale = FP16_SCALE if dtype is torch.float16 else 1.0
    overlap = attend.overlaps
    first = blocks[0].attn_norm
    normed_TC = norm(hidden_TC, first.weight, first.eps, dtype, overlap=overlap)
    for block, following in zip(blocks, [*(block.attn_norm for block in blocks[1:]), text.norm], strict=True):
        qkv_THD = _product(block.qkv, normed_TC, overlap).view(len(hidden_TC), -1, block.head_size)
        o_TC = attend.attend_packed(block.layer, qkv_THD, rope).flatten(1)
        update_TC = _product(block.out, o_TC if scale == 1.0 else o_TC * scale, overlap)
        normed_TC = _join(hidden_TC, update_TC, (block.attn_post_norm, block.mlp_norm), scale, dtype, overlap)
        update_TC = _product(block.down, _wide(block.gate_up, normed_TC, scale, overlap), overlap)
        normed_TC = _join(hidden_TC, update_TC, (block.mlp_post_norm, following), scale, dtype, overlap)
    return normed_TC


def head_fused(head: Linear, hidden_1C: Tensor, attend: AttendPacked) -> Tensor:
    """Return the head's product with one row, [1, V]."""
    return vector_product(hidden_1C, head.weight, None, overlap=attend.overlaps)


def encode_fused(vision: Vision, hidden_PC: Tensor, rope: Rope, attend: TurnPictures, cu: Sequence[int]) -> Tensor:
    """Return hidden_PC of the last block, final norm applied; hidden_PC itself is overwritten."""
    blocks = [cast(PictureBlock, block) for block in vision.blocks]
    dtype = blocks[0].qkv.weight.dtype
    first = blocks[0].attn_norm
    normed_PC = norm(hidden_PC, first.weight, first.eps, dtype)
    for block, following in zip(blocks, [*(block.attn_norm for block in blocks[1:]), vision.norm], strict=True):
        qkv_PHD = block.qkv(normed_PC).view(len(hidden_PC), -1, block.head_size)
        o_PHD = attend(*attend.turn(qkv_PHD, rope), cu)
        update_PC = block.out(o_PHD.flatten(1))
        normed_PC = add_plain_norm(hidden_PC, update_PC, block.mlp_norm.weight, block.mlp_norm.eps, dtype)
        update_PC = block.down(silu_mul(block.gate_up(normed_PC), 1.0))
        normed_PC = add_plain_norm(hidden_PC, update_PC, following.weight, following.eps, dtype)
    return normed_PC


def _join(
    hidden_TC: Tensor,
    update_TC: Tensor,
    norms: tuple[RMSNorm, RMSNorm],
    scale: float,
    dtype: torch.dtype,
    overlap: bool,
) -> Tensor:
    post, following = norms
    eps = (post.eps * scale * scale, following.eps)
    return add_norm(hidden_TC, update_TC, (post.weight, following.weight), eps, dtype, overlap=overlap)


def _product(linear: Linear, x_TC: Tensor, overlap: bool) -> Tensor:
    if len(x_TC) == 1:
        return vector_product(x_TC, linear.weight, linear.bias, overlap=overlap)
    if are_few(x_TC):
        return rows_product(x_TC, linear.weight, linear.bias, overlap=overlap)
    return F.linear(x_TC, linear.weight, linear.bias)


def _wide(gate_up: Linear, normed_TC: Tensor, scale: float, overlap: bool) -> Tensor:
    if len(normed_TC) == 1:
        return vector_swiglu(normed_TC, gate_up.weight, scale, overlap=overlap)
    if are_few(normed_TC):
        return rows_swiglu(normed_TC, gate_up.weight, scale, overlap=overlap)
    return silu_mul(F.linear(normed_TC, gate_up.weight), scale)
