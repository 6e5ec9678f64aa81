"""A matrix times one row: the product that a decode step of one sequence is made of, bounded by reading the matrix.

Every program owns some output numbers and reads their rows of the matrix once, so nothing is summed across programs.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from flashsight.models.kernels.overlap import bring_near

OUTPUTS, INPUTS, WARPS = 8, 512, 4
"""Rows and columns of the matrix that a program holds at once."""
LINES_AHEAD = 32
"""Cache lines of each row that an overlapping program asks for while the kernel before still runs."""


def vector_product(x_1C: Tensor, weight_OC: Tensor, bias_O: Tensor | None, *, overlap: bool = False) -> Tensor:
    """Return x @ weight.T + bias for one row, [1, O]."""
    num_outputs, num_inputs = weight_OC.shape
    y_1O = x_1C.new_empty(1, num_outputs)
    _product[(triton.cdiv(num_outputs, OUTPUTS),)](
        x_1C, weight_OC, weight_OC if bias_O is None else bias_O, y_1O, 1.0, OUT=num_outputs, IN=num_inputs,
        HAS_BIAS=bias_O is not None, IS_GATED=False, BO=OUTPUTS, BC=INPUTS, LINES=LINES_AHEAD, OVERLAP=overlap,
        num_warps=WARPS, launch_pdl=overlap,
    )  # fmt: skip
    return y_1O


def vector_swiglu(x_1C: Tensor, weight_OC: Tensor, scale: float, *, overlap: bool = False) -> Tensor:
    """Return silu(x @ gate.T) * (x @ up.T) * scale for one row, [1, O / 2], of a matrix [gate, up] stacked."""
    num_outputs, num_inputs = weight_OC.shape
    y_1O = x_1C.new_empty(1, num_outputs // 2)
    outputs = max(1, OUTPUTS // 2)
    _product[(triton.cdiv(num_outputs // 2, outputs),)](
        x_1C, weight_OC, weight_OC, y_1O, scale, OUT=num_outputs // 2, IN=num_inputs,
        HAS_BIAS=False, IS_GATED=True, BO=outputs, BC=INPUTS, LINES=LINES_AHEAD // 2, OVERLAP=overlap,
        num_warps=WARPS, launch_pdl=overlap,
    )  # fmt: skip
    return y_1O


@triton.jit
def _product(
    x, weight, bias, y, scale, OUT: tl.constexpr, IN: tl.constexpr,
    HAS_BIAS: tl.constexpr, IS_GATED: tl.constexpr, BO: tl.constexpr, BC: tl.constexpr, LINES: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    outputs = tl.program_id(0) * BO + tl.arange(0, BO)
    is_output = outputs < OUT
    rows = weight + outputs.to(tl.int64)[:, None] * IN
    if OVERLAP:
        tl.extra.cuda.gdc_launch_dependents()
        near = weight + tl.minimum(outputs, OUT - 1).to(tl.int64)[:, None] * IN
        bring_near(near, IN, LINES)
        if IS_GATED:
            bring_near(near + OUT * IN, IN, LINES)
        tl.extra.cuda.gdc_wait()
    total = tl.zeros((BO, BC), tl.float32)
    gated = tl.zeros((BO, BC), tl.float32)
    for start in range(0, IN, BC):
        places = start + tl.arange(0, BC)
        is_inside = places < IN
        mask = is_output[:, None] & is_inside[None, :]
        part = tl.load(x + places, mask=is_inside, other=0.0).to(tl.float32)[None, :]
        total += tl.load(rows + places[None, :], mask=mask, other=0.0).to(tl.float32) * part
        if IS_GATED:
            up = tl.load(rows + OUT * IN + places[None, :], mask=mask, other=0.0)
            gated += up.to(tl.float32) * part
    answer = tl.sum(total, axis=1)
    if HAS_BIAS:
        answer += tl.load(bias + outputs, mask=is_output, other=0.0).to(tl.float32)
    if IS_GATED:
        answer = answer * tl.sigmoid(answer) * (tl.sum(gated, axis=1) * scale)
    tl.store(y + outputs, answer, mask=is_output)
