from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from flashsight.core.config import ServerConfig
from flashsight.guard import AccessPolicy
from flashsight.server import Metrics, build_app
from flashsight.service import ChatService, Readiness, Serving
from tests.server.live import Live, serving
from tests.server.scripted import OpenGate, ScriptedBackend

MODEL = "glm-4.6v-flash-web"


@dataclass
class House:
    """A whole server around a scripted backend."""

    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    readiness: Readiness = field(default_factory=Readiness)
    metrics: Metrics = field(default_factory=Metrics)
    config: ServerConfig = field(default_factory=ServerConfig)
    page: Path | None = None

    def open(self) -> None:
        chat = ChatService(OpenGate(), self.backend, model=MODEL, max_pictures=3, observers=[self.metrics])
        self.readiness.open(
            Serving(
                chat=chat,
                plan=lambda: {"weights_bytes": 7, "num_blocks": 3},
                snapshot=lambda: {"num_waiting": 2, "totals": {"steps": 5}},
            )
        )

    def app(self) -> FastAPI:
        access = AccessPolicy(self.config.api_keys, is_open=self.config.open)
        return build_app(self.config, readiness=self.readiness, access=access, metrics=self.metrics, page=self.page)


@dataclass
class LiveHouse:
    house: House
    live: Live
    http: httpx2.Client

    @property
    def backend(self) -> ScriptedBackend:
        return self.house.backend


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
