"""Fixtures that every package's tests share."""

import pytest
from hypothesis import settings

from tests.support.interpreter import prefer_interpreter

prefer_interpreter()
settings.register_profile("any machine", deadline=None)  # no test judges how long it takes
settings.load_profile("any machine")
pytest_plugins = ["tests.support.tiny"]
LONG = ("test_poc.py", "test_compiling.py", "test_schemas.py")
"""Few tests that take long: run last, they would keep one worker busy while the other has nothing left."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which the server uses."""
    return "asyncio"
