"""Fixtures that every package's tests share."""

import pytest
from hypothesis import settings

from tests.support.interpreter import prefer_interpreter

prefer_interpreter()
settings.register_profile("any machine", deadline=None)  # no test judges how long it takes
settings.load_profile("any machine")
pytest_plugins = ["tests.support.tiny"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which the server uses."""
    return "asyncio"
