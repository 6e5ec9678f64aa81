"""A matrix times one row or a few: what decode steps are made of, bounded by reading the matrix.

Every program owns some output numbers and reads their rows of the matrix once, so nothing is summed across programs.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from flashsight.models.kernels.capability import has_room
from flashsight.models.kernels.overlap import begin

Form = tuple[int, int, int, int]
"""Rows and columns of the matrix that a program holds at once, its warps, and how many such parts are on their way."""

NARROW: Form = (2, 4096, 4, 1)
DEEP: Form = (4, 1024, 4, 3)
WIDE: Form = (4, 1024, 4, 3)
GATED: Form = (1, 2048, 4, 1)
"""Forms for one row: few outputs of few inputs, few outputs of many inputs, many outputs; and with a second matrix,
which is on its way at the same time."""
MANY = 8192
"""What is more is many."""

ROWS_AT_ONCE = 16
"""Most rows of a product of a few."""
FEW_NARROW: Form = (64, 128, 4, 5)
FEW_ROOMY: Form = (64, 128, 4, 6)
FEW_DEEP: Form = (16, 256, 2, 6)
FEW_GATED: Form = (16, 256, 1, 3)
"""Forms for a few rows, within the 99 KiB of shared memory that smaller cards have; FEW_ROOMY stands for FEW_NARROW
where there are ROOMY_BYTES. Many outputs without a second matrix are drawn from one row only."""
ROOMY_BYTES = 122_880


def vector_product(x_1C: Tensor, weight_OC: Tensor, bias_O: Tensor | None, *, overlap: bool = False) -> Tensor:
    """Return x @ weight.T + bias for one row, [1, O]."""
    num_outputs, num_inputs = weight_OC.shape
    y_1O = x_1C.new_empty(1, num_outputs)
    form = WIDE if num_outputs > MANY else DEEP if num_inputs > MANY else NARROW
    _product[(triton.cdiv(num_outputs, form[0]),)](
        x_1C, weight_OC, weight_OC if bias_O is None else bias_O, y_1O, 1.0, OUT=num_outputs, IN=num_inputs,
        HAS_BIAS=bias_O is not None, IS_GATED=False, BO=form[0], BC=form[1], STAGES=form[3], OVERLAP=overlap,
        num_warps=form[2], launch_pdl=overlap,
    )  # fmt: skip
    return y_1O


def vector_swiglu(x_1C: Tensor, weight_OC: Tensor, scale: float, *, overlap: bool = False) -> Tensor:
    """Return silu(x @ gate.T) * (x @ up.T) * scale for one row, [1, O / 2], of a matrix [gate, up] stacked."""
    num_outputs, num_inputs = weight_OC.shape
    y_1O = x_1C.new_empty(1, num_outputs // 2)
    _product[(triton.cdiv(num_outputs // 2, GATED[0]),)](
        x_1C, weight_OC, weight_OC, y_1O, scale, OUT=num_outputs // 2, IN=num_inputs,
        HAS_BIAS=False, IS_GATED=True, BO=GATED[0], BC=GATED[1], STAGES=GATED[3], OVERLAP=overlap,
        num_warps=GATED[2], launch_pdl=overlap,
    )  # fmt: skip
    return y_1O


def are_few(x_TC: Tensor) -> bool:
    """True for rows that `rows_product` takes; the matrix units multiply no float32."""
    return len(x_TC) <= ROWS_AT_ONCE and x_TC.dtype is not torch.float32


def rows_product(x_TC: Tensor, weight_OC: Tensor, bias_O: Tensor | None, *, overlap: bool = False) -> Tensor:
    """Return x @ weight.T + bias for up to ROWS_AT_ONCE rows, [T, O], on the matrix units."""
    return _rows_product_of(x_TC, weight_OC, bias_O, None, overlap)


def rows_swiglu(x_TC: Tensor, weight_OC: Tensor, scale: float, *, overlap: bool = False) -> Tensor:
    """Return silu(x @ gate.T) * (x @ up.T) * scale for up to ROWS_AT_ONCE rows, [T, O / 2]; see `vector_swiglu`."""
    return _rows_product_of(x_TC, weight_OC, None, scale, overlap)


def _rows_product_of(
    x_TC: Tensor, weight_OC: Tensor, bias_O: Tensor | None, gated_scale: float | None, overlap: bool
) -> Tensor:
    (num_rows, num_inputs), is_gated = x_TC.shape, gated_scale is not None
    num_outputs = weight_OC.shape[0] // (2 if is_gated else 1)
    y_TO = x_TC.new_empty(num_rows, num_outputs)
    narrow = FEW_ROOMY if has_room(x_TC, ROOMY_BYTES) else FEW_NARROW
    form = FEW_GATED if is_gated else FEW_DEEP if num_inputs > MANY else narrow
    _rows_product[(triton.cdiv(num_outputs, form[0]),)](
        x_TC, weight_OC, weight_OC if bias_O is None else bias_O, y_TO, gated_scale or 1.0, num_rows,
        OUT=num_outputs, IN=num_inputs, HAS_BIAS=bias_O is not None, IS_GATED=is_gated, BO=form[0], BC=form[1],
        BR=ROWS_AT_ONCE, STAGES=form[3], OVERLAP=overlap, num_warps=form[2], launch_pdl=overlap,
    )  # fmt: skip
    return y_TO


@triton.jit
def _rows_product(
    x, weight, bias, y, scale, num_rows, OUT: tl.constexpr, IN: tl.constexpr, HAS_BIAS: tl.constexpr,
    IS_GATED: tl.constexpr, BO: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, STAGES: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    outputs = tl.program_id(0) * BO + tl.arange(0, BO)
    is_output = outputs < OUT
    rows = weight + tl.minimum(outputs, OUT - 1).to(tl.int64)[:, None] * IN
    row = tl.arange(0, BR)
    is_row = row < num_rows
    begin(OVERLAP)
    total = tl.zeros((BO, BR), tl.float32)
    gated = tl.zeros((BO, BR), tl.float32)
    for start in tl.range(0, IN, BC, num_stages=STAGES):
        places = start + tl.arange(0, BC)
        is_inside = places < IN
        x_CR = tl.load(x + row[None, :] * IN + places[:, None], mask=is_row[None, :] & is_inside[:, None], other=0.0)
        w_OC = _loaded(rows + places[None, :], is_inside[None, :], IN % BC == 0)
        total = tl.dot(w_OC, x_CR, total, input_precision="ieee")
        if IS_GATED:
            up_OC = _loaded(rows + OUT * IN + places[None, :], is_inside[None, :], IN % BC == 0)
            gated = tl.dot(up_OC, x_CR, gated, input_precision="ieee")
    if HAS_BIAS:
        total += tl.load(bias + outputs, mask=is_output, other=0.0).to(tl.float32)[:, None]
    if IS_GATED:
        total = total * tl.sigmoid(total) * (gated * scale)
    tl.store(y + row[None, :] * OUT + outputs[:, None], total, mask=is_output[:, None] & is_row[None, :])


@triton.jit
def _product(
    x, weight, bias, y, scale, OUT: tl.constexpr, IN: tl.constexpr,
    HAS_BIAS: tl.constexpr, IS_GATED: tl.constexpr, BO: tl.constexpr, BC: tl.constexpr,
    STAGES: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    outputs = tl.program_id(0) * BO + tl.arange(0, BO)
    is_output = outputs < OUT
    rows = weight + outputs.to(tl.int64)[:, None] * IN
    begin(OVERLAP)
    IS_EVEN: tl.constexpr = (OUT % BO == 0) and (IN % BC == 0)
    total = tl.zeros((BO, BC), tl.float32)
    gated = tl.zeros((BO, BC), tl.float32)
    for start in tl.range(0, IN, BC, num_stages=STAGES):
        places = start + tl.arange(0, BC)
        is_inside = places < IN
        mask = is_output[:, None] & is_inside[None, :]
        part = _loaded(x + places, is_inside, IS_EVEN).to(tl.float32)[None, :]
        total += _loaded(rows + places[None, :], mask, IS_EVEN).to(tl.float32) * part
        if IS_GATED:
            gated += _loaded(rows + OUT * IN + places[None, :], mask, IS_EVEN).to(tl.float32) * part
    answer = tl.sum(total, axis=1)
    if HAS_BIAS:
        answer += tl.load(bias + outputs, mask=is_output, other=0.0).to(tl.float32)
    if IS_GATED:
        answer = answer * tl.sigmoid(answer) * (tl.sum(gated, axis=1) * scale)
    tl.store(y + outputs, answer, mask=is_output)


@triton.jit
def _loaded(pointers, mask, IS_EVEN: tl.constexpr):
    """What is whole is loaded without a mask, which would cost the widest loads."""
    if IS_EVEN:
        return tl.load(pointers)
    return tl.load(pointers, mask=mask, other=0.0)
