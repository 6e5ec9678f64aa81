"""The row kernels against the formulas, written out in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

EPS, POST_EPS = 1e-5, 3e-6
FORMATS = [
    (torch.float32, torch.float32, 1e-5),
    (torch.bfloat16, torch.bfloat16, 2e-2),
    (torch.float32, torch.float16, 2e-3),
]


def exact_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    x = x.double()
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * weight.double()


def some(*shape: int, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape) + shape[-1])).to(device, dtype)


@pytest.mark.parametrize(("stream", "matrices", "tolerance"), FORMATS, ids=str)
@pytest.mark.parametrize("size", [64, 100, 1040])
def test_a_norm_is_the_formula(
    device: torch.device, size: int, stream: torch.dtype, matrices: torch.dtype, tolerance: float
) -> None:
    from flashsight.models.kernels.rows import norm

    x, weight = 3 * some(5, size, device=device, dtype=stream), 1 + some(size, device=device, dtype=stream)
    found = norm(x, weight, EPS, matrices)
    assert found.dtype is matrices
    torch.testing.assert_close(found.double(), exact_norm(x, weight, EPS), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("stream", "matrices", "tolerance"), FORMATS, ids=str)
def test_the_sandwich_adds_in_place_and_norms_what_it_stored(
    device: torch.device, stream: torch.dtype, matrices: torch.dtype, tolerance: float
) -> None:
    from flashsight.models.kernels.rows import add_norm

    hidden = some(4, 72, device=device, dtype=stream)
    update = 5 * some(4, 72, device=device, dtype=matrices).flip(0)
    weights = (1 + some(72, device=device, dtype=stream), 1 + some(72, device=device, dtype=stream).flip(0))
    expected = hidden.double() + exact_norm(update, weights[0], POST_EPS)
    normed = add_norm(hidden, update, weights, (POST_EPS, EPS), matrices)
    torch.testing.assert_close(hidden.double(), expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(normed.double(), exact_norm(hidden, weights[1], EPS), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("size", [112, 1100])
def test_swiglu_is_gate_times_its_sigmoid_times_up(device: torch.device, size: int) -> None:
    from flashsight.models.kernels.rows import silu_mul

    gate, up = some(3, size, device=device), some(3, size, device=device).flip(1)
    found = silu_mul(torch.cat((gate, up), dim=1), 0.25)
    gate, up = gate.double(), up.double()
    torch.testing.assert_close(found.double(), gate / (1 + (-gate).exp()) * up * 0.25, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("outputs", "inputs"), [(32, 512), (37, 700), (8, 64), (9, 1500)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_product_of_one_row_is_the_matrix_product(
    device: torch.device, outputs: int, inputs: int, has_bias: bool
) -> None:
    from flashsight.models.kernels.product import vector_product

    x, weight = some(1, inputs, device=device), some(outputs, inputs, device=device)
    bias = some(outputs, device=device) if has_bias else None
    expected = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    torch.testing.assert_close(vector_product(x, weight, bias).double(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("outputs", "inputs"), [(32, 512), (74, 700), (6, 1100)])
def test_a_gated_product_of_one_row_is_swiglu_of_both_halves(device: torch.device, outputs: int, inputs: int) -> None:
    from flashsight.models.kernels.product import vector_swiglu

    x, weight = some(1, inputs, device=device), some(outputs, inputs, device=device) / inputs**0.5
    gate, up = (x.double() @ weight.double().T).chunk(2, dim=-1)
    expected = gate / (1 + (-gate).exp()) * up * 0.5
    torch.testing.assert_close(vector_swiglu(x, weight, 0.5).double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(2, 32, 512), (7, 37, 700), (16, 8, 64)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_product_of_a_few_rows_is_the_matrix_product(
    device: torch.device, rows: int, outputs: int, inputs: int, has_bias: bool
) -> None:
    from flashsight.models.kernels.product import rows_product

    x, weight = some(rows, inputs, device=device), some(outputs, inputs, device=device)
    bias = some(outputs, device=device) if has_bias else None
    expected = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    torch.testing.assert_close(rows_product(x, weight, bias).double(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(3, 32, 512), (16, 74, 700)])
def test_a_gated_product_of_a_few_rows_is_swiglu_of_both_halves(
    device: torch.device, rows: int, outputs: int, inputs: int
) -> None:
    from flashsight.models.kernels.product import rows_swiglu

    x, weight = some(rows, inputs, device=device), some(outputs, inputs, device=device) / inputs**0.5
    gate, up = (x.double() @ weight.double().T).chunk(2, dim=-1)
    expected = gate / (1 + (-gate).exp()) * up * 0.5
    torch.testing.assert_close(rows_swiglu(x, weight, 0.5).double(), expected, atol=1e-5, rtol=1e-5)
