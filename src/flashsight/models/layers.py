"""The few layers that glm4v is made of. Each computes in the dtype of its own weight; the model decides which that is.

So one code path serves every precision: in bfloat16 and float32 no cast happens, in float16 the norms and with them
the residual stream stay float32 while the matrices run in float16, and under autocast the same holds for bfloat16.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
    """nn.Linear that takes its input in any dtype."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x @ weight.T + bias in the weight's dtype."""
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


def swiglu(gate_up: Tensor) -> Tensor:
    """Return silu(gate) * up of a matrix that holds [gate, up] side by side."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def rotate(x: Tensor, partner: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn x in float32 and return it in its dtype; `partner` holds each pair's other coordinate, `sin` the sign."""
    return torch.addcmul(x * cos, partner, sin).to(x.dtype)
