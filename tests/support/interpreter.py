"""Triton's kernels run on the CPU by its interpreter where there is no GPU; asked for before triton is imported."""

import os

import pytest
import torch

LARGE_PART = (64, 128, 4, 1)
"""The part of a matrix that a program holds where the kernels themselves are not what is tested."""


def prefer_interpreter() -> None:
    """Ask for the interpreter. The first conftest does: torch imports triton, too, and triton asks once."""
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"


def use_interpreter() -> None:
    """Skip the caller's tests where triton is not installed. Call it at the top of a conftest."""
    prefer_interpreter()
    pytest.importorskip("triton", reason="triton is not installed")


def cut_into_few(monkeypatch: pytest.MonkeyPatch, *, pieces: int) -> None:
    """The interpreter runs one program after the other: give it fewer than a GPU has. pieces: of a decode's context."""
    if not torch.cuda.is_available():
        from flashsight.models.kernels import paged, product

        monkeypatch.setattr(paged, "num_splits_for", lambda num_rows: pieces)
        for form in ("NARROW", "DEEP", "WIDE", "GATED"):
            monkeypatch.setattr(product, form, LARGE_PART)
