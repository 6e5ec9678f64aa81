"""Turns queries and keys of a fused product and puts keys and values where they belong in the paged cache: one pass."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from flashsight.models.kernels.overlap import begin

FEW_ROWS, FEW_HEADS, MANY_HEADS = 8, 1, 4
"""Heads of one program: a few rows are spread over as many programs as there are heads."""


def rotate_and_write(
    qkv_THD: Tensor,
    rope: tuple[Tensor, Tensor],
    slots_T: Tensor,
    k_SGD: Tensor,
    v_SGD: Tensor,
    *,
    overlap: bool = False,
) -> Tensor:
    """Return the turned q_THD of qkv [T, H + 2 G, D]; write turned keys and plain values to their slots.

    rope: cos and signed sin [T, 1, D] in float32 for interleaved pairs. Rows whose slot is negative write nothing.
    """
    num_rows, num_all, size = qkv_THD.shape
    num_kv_heads = k_SGD.shape[1]
    num_heads = num_all - 2 * num_kv_heads
    q_THD = qkv_THD.new_empty(num_rows, num_heads, size)
    heads = FEW_HEADS if num_rows <= FEW_ROWS else MANY_HEADS
    _rotate_and_write[(num_rows, triton.cdiv(num_all, heads))](
        qkv_THD, *rope, slots_T, q_THD, k_SGD, v_SGD, H=num_heads, G=num_kv_heads, D=size,
        HEADS=heads, BLOCK=triton.next_power_of_2(size), OVERLAP=overlap, num_warps=1, launch_pdl=overlap,
    )  # fmt: skip
    return q_THD


@triton.jit
def _rotate_and_write(
    qkv, cos, sin, slots, q, k, v, H: tl.constexpr, G: tl.constexpr, D: tl.constexpr, HEADS: tl.constexpr,
    BLOCK: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    begin(OVERLAP)
    row = tl.program_id(0).to(tl.int64)
    head, places = tl.program_id(1) * HEADS + tl.arange(0, HEADS)[:, None], tl.arange(0, BLOCK)[None, :]
    is_place = places < D
    is_inside = (head < H + 2 * G) & is_place
    source = qkv + (row * (H + 2 * G) + head) * D
    x = tl.load(source + places, mask=is_inside, other=0.0)
    partner = tl.load(source + (places ^ 1), mask=is_inside, other=0.0).to(tl.float32)
    c = tl.load(cos + row * D + places, mask=is_place, other=0.0)
    s = tl.load(sin + row * D + places, mask=is_place, other=0.0)
    turned = (x.to(tl.float32) * c + partner * s).to(x.dtype)
    tl.store(q + (row * H + head) * D + places, turned, mask=is_inside & (head < H))
    slot = tl.load(slots + row).to(tl.int64)
    if slot >= 0:
        is_key = is_inside & (head >= H) & (head < H + G)
        tl.store(k + (slot * G + head - H) * D + places, turned, mask=is_key)
        tl.store(v + (slot * G + head - H - G) * D + places, x, mask=is_inside & (head >= H + G))


def rotate_halves(qkv_PHD: Tensor, rope: tuple[Tensor, Tensor], *, num_turned: int) -> Tensor:
    """Return the first num_turned heads, turned: a pair is a dimension and the one half a head further on.

    rope: cos and signed sin [P, 1, D] in float32.
    """
    num_rows, num_all, size = qkv_PHD.shape
    turned_PHD = qkv_PHD.new_empty(num_rows, num_turned, size)
    _rotate_halves[(num_rows,)](
        qkv_PHD, *rope, turned_PHD, ALL=num_all, TURNED=num_turned, D=size,
        HEADS=triton.next_power_of_2(num_turned), BLOCK=triton.next_power_of_2(size), num_warps=4,
    )  # fmt: skip
    return turned_PHD


@triton.jit
def _rotate_halves(
    qkv, cos, sin, turned, ALL: tl.constexpr, TURNED: tl.constexpr, D: tl.constexpr,
    HEADS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    heads, places = tl.arange(0, HEADS)[:, None], tl.arange(0, BLOCK)[None, :]
    is_inside = (heads < TURNED) & (places < D)
    source = qkv + (row * ALL + heads) * D
    x = tl.load(source + places, mask=is_inside, other=0.0).to(tl.float32)
    partner = tl.load(source + (places + D // 2) % D, mask=is_inside, other=0.0).to(tl.float32)
    c = tl.load(cos + row * D + places, mask=places < D, other=0.0)
    s = tl.load(sin + row * D + places, mask=places < D, other=0.0)
    tl.store(turned + (row * TURNED + heads) * D + places, x * c + partner * s, mask=is_inside)
