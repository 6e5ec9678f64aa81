"""Triton's kernels run on the CPU by its interpreter where there is no GPU; asked for before triton is imported."""

import os

import pytest
import torch


def prefer_interpreter() -> None:
    """Ask for the interpreter. The first conftest does: torch imports triton, too, and triton asks once."""
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"


def use_interpreter() -> None:
    """Skip the caller's tests where triton is not installed. Call it at the top of a conftest."""
    prefer_interpreter()
    pytest.importorskip("triton", reason="triton is not installed")
