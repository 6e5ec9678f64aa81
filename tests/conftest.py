"""Fixtures that every package's tests share."""

import pytest

from tests.support.interpreter import prefer_interpreter

prefer_interpreter()
pytest_plugins = ["tests.support.tiny"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which the server uses."""
    return "asyncio"
