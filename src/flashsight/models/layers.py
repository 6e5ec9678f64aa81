"""The few layers that glm4v is made of. Each computes in the dtype of its own weight; the model decides which that is.

So one code path serves every precision: in bfloat16 and float32 no cast happens, in float16 the norms and with them
the residual stream stay float32 while the matrices run in float16, and under autocast the same holds for bfloat16.
"""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW_ROWS = 8


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang & Sennrich, 2019)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """Return the norm of x / scale for an x that holds only scale times its value."""
        weight = self.weight
        return F.rms_norm(x.to(weight.dtype), weight.shape, weight, self.eps * scale * scale)


class Linear(nn.Linear):
    """nn.Linear that takes its input in any dtype, and on a CPU reads a matrix that was stored in int8 in fewer bytes.

    A CPU decodes as fast as it reads weights: half the bytes are half the time. In bfloat16 a few rows read int8
    itself; for more than FEW_ROWS rows full numbers are faster. In float32 the int8 numbers are read as float16, which
    holds each of them exactly, and sums are float32. All are the same matrix; gradients flow through full numbers only.
    """

    int8: Tensor | None = None
    int8_scale: Tensor | None = None
    halves: torch.ScriptObject | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return x @ weight.T + bias in the weight's dtype."""
        x = x.to(self.weight.dtype)
        if self.int8_scale is None or torch.is_grad_enabled():
            return F.linear(x, self.weight, self.bias)
        if self.halves is not None:
            y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.halves)
            return y.mul_(self.int8_scale) if self.bias is None else torch.addcmul(self.bias, y, self.int8_scale)
        if self.int8 is None or x.shape[0] > FEW_ROWS:
            return F.linear(x, self.weight, self.bias)
        y = torch._weight_int8pack_mm(x.contiguous(), self.int8, self.int8_scale)
        return y if self.bias is None else y + self.bias

    def allocate_int8(self) -> tuple[Tensor, Tensor]:
        """Make room for the int8 form and return (int8 [O, I], scale [O]) to be filled."""
        if self.int8 is None or self.int8_scale is None:
            self.int8 = torch.empty_like(self.weight, dtype=torch.int8)
            self.int8_scale = torch.full_like(self.weight[:, 0], torch.nan)
        return self.int8, self.int8_scale

    def finish_int8(self) -> None:
        """Take the int8 form into use, in float32 as halves; where not every row was stored in int8, drop it."""
        if self.int8 is None or self.int8_scale is None:
            return
        if self.int8_scale.isnan().any():
            self.int8 = self.int8_scale = None
        elif self.weight.dtype is torch.float32:
            self.halves = torch.ops.quantized.linear_prepack_fp16(self.int8.float(), None)
            self.int8 = None

    @property
    def num_bytes(self) -> int:
        """What the matrix takes in all its forms, without the bias."""
        int8 = 0 if self.int8 is None else self.int8.nbytes
        return self.weight.nbytes + int8 + (0 if self.halves is None else 2 * self.weight.numel())

    def train(self, mode: bool = True) -> Self:
        """Switch training mode; weights that will change are no longer what was stored."""
        if mode:
            self.int8 = self.int8_scale = self.halves = None
        return super().train(mode)


def swiglu(gate_up: Tensor) -> Tensor:
    """Return silu(gate) * up of a matrix that holds [gate, up] side by side."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def rotate(x: Tensor, partner: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn x in float32 and return it in its dtype; `partner` holds each pair's other coordinate, `sin` the sign."""
    return torch.addcmul(x * cos, partner, sin).to(x.dtype)
