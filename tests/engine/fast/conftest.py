"""Engines on kernels of our own."""

import pytest
from tests.support.interpreter import cut_into_few, use_interpreter

use_interpreter()


@pytest.fixture(autouse=True)
def few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are what is tested here."""
    cut_into_few(monkeypatch, pieces=1)
