"""Where the kernels are tested."""

import pytest
import torch

from tests.support.interpreter import use_interpreter

use_interpreter()


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where the kernels run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
