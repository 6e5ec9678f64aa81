"""Kernels that work row by row: norms with the residual's sum, SwiGLU's product. One program per row or piece of it."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from flashsight.models.kernels.overlap import let_next_start, wait_for_last

WIDE_BLOCK = 1024


def norm(hidden_TC: Tensor, weight: Tensor, eps: float, dtype: torch.dtype, *, overlap: bool = False) -> Tensor:
    """Return RMSNorm(hidden_TC) * weight in dtype."""
    num_rows, size = hidden_TC.shape
    normed_TC = torch.empty_like(hidden_TC, dtype=dtype)
    block = triton.next_power_of_2(size)
    _norm[(num_rows,)](
        hidden_TC, weight, normed_TC, eps, SIZE=size, BLOCK=block, OVERLAP=overlap, num_warps=_warps(block),
        launch_pdl=overlap,
    )  # fmt: skip
    return normed_TC


def add_norm(
    hidden_TC: Tensor,
    update_TC: Tensor,
    weights: tuple[Tensor, Tensor],
    eps: tuple[float, float],
    dtype: torch.dtype,
    *,
    overlap: bool = False,
) -> Tensor:
    """Add RMSNorm(update_TC) to hidden_TC in place; return RMSNorm of that sum in dtype.

    weights and eps: first of the norm after the sublayer, then of the norm before the next one.
    """
    num_rows, size = hidden_TC.shape
    normed_TC = torch.empty_like(hidden_TC, dtype=dtype)
    block = triton.next_power_of_2(size)
    _add_norm[(num_rows,)](
        hidden_TC, update_TC, *weights, normed_TC, *eps, SIZE=size, BLOCK=block, OVERLAP=overlap,
        num_warps=_warps(block), launch_pdl=overlap,
    )  # fmt: skip
    return normed_TC


def add_plain_norm(hidden_TC: Tensor, update_TC: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """Add update_TC to hidden_TC in place; return RMSNorm of that sum in dtype."""
    num_rows, size = hidden_TC.shape
    normed_TC = torch.empty_like(hidden_TC, dtype=dtype)
    block = triton.next_power_of_2(size)
    _add_plain_norm[(num_rows,)](
        hidden_TC, update_TC, weight, normed_TC, eps, SIZE=size, BLOCK=block, num_warps=_warps(block)
    )
    return normed_TC


def silu_mul(gate_up_TC: Tensor, scale: float) -> Tensor:
    """Return silu(gate) * up * scale of a matrix that holds [gate, up] side by side."""
    num_rows, size = gate_up_TC.shape[0], gate_up_TC.shape[1] // 2
    wide_TC = gate_up_TC.new_empty(num_rows, size)
    grid = (num_rows, triton.cdiv(size, WIDE_BLOCK))
    _silu_mul[grid](gate_up_TC, wide_TC, scale, SIZE=size, BLOCK=WIDE_BLOCK, num_warps=4)
    return wide_TC


def _warps(block: int) -> int:
    return min(16, max(1, block // 256))


@triton.jit
def _normed(x, w, eps, SIZE: tl.constexpr):
    mean_square = tl.sum(x * x) / SIZE
    return x * tl.rsqrt(mean_square + eps) * w.to(tl.float32)


@triton.jit
def _norm(hidden, weight, normed, eps, SIZE: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    let_next_start(OVERLAP)
    row = tl.program_id(0).to(tl.int64) * SIZE
    places = tl.arange(0, BLOCK)
    is_inside = places < SIZE
    w = tl.load(weight + places, mask=is_inside, other=0.0)
    wait_for_last(OVERLAP)
    x = tl.load(hidden + row + places, mask=is_inside, other=0.0).to(tl.float32)
    tl.store(normed + row + places, _normed(x, w, eps, SIZE), mask=is_inside)


@triton.jit
def _add_norm(
    hidden, update, post_weight, pre_weight, normed, post_eps, pre_eps, SIZE: tl.constexpr, BLOCK: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    let_next_start(OVERLAP)
    row = tl.program_id(0).to(tl.int64) * SIZE
    places = tl.arange(0, BLOCK)
    is_inside = places < SIZE
    post = tl.load(post_weight + places, mask=is_inside, other=0.0)
    pre = tl.load(pre_weight + places, mask=is_inside, other=0.0)
    wait_for_last(OVERLAP)
    y = tl.load(update + row + places, mask=is_inside, other=0.0).to(tl.float32)
    x = tl.load(hidden + row + places, mask=is_inside, other=0.0)
    # Rounded as it is stored: the next layer's norm must see what the residual stream really holds.
    x = (x.to(tl.float32) + _normed(y, post, post_eps, SIZE)).to(hidden.dtype.element_ty)
    tl.store(hidden + row + places, x, mask=is_inside)
    x = x.to(tl.float32)
    tl.store(normed + row + places, _normed(x, pre, pre_eps, SIZE), mask=is_inside)


@triton.jit
def _add_plain_norm(hidden, update, weight, normed, eps, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * SIZE
    places = tl.arange(0, BLOCK)
    is_inside = places < SIZE
    y = tl.load(update + row + places, mask=is_inside, other=0.0).to(tl.float32)
    x = tl.load(hidden + row + places, mask=is_inside, other=0.0)
    x = (x.to(tl.float32) + y).to(hidden.dtype.element_ty)
    tl.store(hidden + row + places, x, mask=is_inside)
    x = x.to(tl.float32)
    w = tl.load(weight + places, mask=is_inside, other=0.0)
    tl.store(normed + row + places, _normed(x, w, eps, SIZE), mask=is_inside)


@triton.jit
def _silu_mul(gate_up, wide, scale, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    places = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    is_inside = places < SIZE
    gate = tl.load(gate_up + row * 2 * SIZE + places, mask=is_inside, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * SIZE + SIZE + places, mask=is_inside, other=0.0).to(tl.float32)
    tl.store(wide + row * SIZE + places, gate * tl.sigmoid(gate) * (up * scale), mask=is_inside)
