from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog

from tests.server.live import serving
from tests.server.support import MODEL, House, LiveHouse


@pytest.fixture(scope="package", autouse=True)
def _quiet_log() -> Iterator[None]:
    """Keep lines short: structlog's own default draws a traceback for a person, which takes seconds."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def house() -> Iterator[LiveHouse]:
    """One live, ready server for a whole module; tests change its backend's script."""
    made = House()
    made.open()
    with serving(made.app()) as live, httpx2.Client(base_url=live.base, timeout=20) as http:
        yield LiveHouse(made, live, http)


@pytest.fixture(autouse=True)
def _fresh_script(request: pytest.FixtureRequest) -> None:
    if "house" in request.fixturenames:
        made: LiveHouse = request.getfixturevalue("house")
        made.house.backend.__init__()  # type: ignore[misc]


@pytest.fixture
def body() -> Callable[..., dict[str, object]]:
    """A chat body with the given fields besides the two that are needed."""

    def make(**fields: object) -> dict[str, object]:
        return {"model": MODEL, "messages": [{"role": "user", "content": "这是什么?"}], **fields}

    return make


@pytest.fixture
def open_schema() -> Callable[[], dict[str, Any]]:
    """The OpenAPI document of an app that has not loaded its model."""
    return lambda: House().app().openapi()
