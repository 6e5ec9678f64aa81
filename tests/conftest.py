"""Fixtures that every package's tests share."""

import pytest

pytest_plugins = ["tests.support.tiny"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which the server uses."""
    return "asyncio"
