"""Engines on kernels of our own."""

import pytest
import torch
from tests.support.interpreter import use_interpreter

use_interpreter()


@pytest.fixture(autouse=True)
def few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter runs one program after the other; tests of the kernels themselves have as many as a GPU."""
    if not torch.cuda.is_available():
        from flashsight.models.kernels import paged

        monkeypatch.setattr(paged, "num_splits_for", lambda num_rows: 2)
