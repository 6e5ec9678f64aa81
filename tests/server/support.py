"""A whole server around a scripted backend, and how tests write bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from flashsight.core.config import ServerConfig
from flashsight.guard import AccessPolicy
from flashsight.presets import load_presets
from flashsight.server import Metrics, build_app
from flashsight.service import ChatService, Library, Readiness, Serving
from flashsight.service.shelf import ENTRY_BYTES
from tests.server.live import Live
from tests.server.scripted import OpenGate, ScriptedBackend, ScriptedReader

MODEL = "glm-4.6v-flash-web"


@dataclass
class House:
    """A whole server around a scripted backend."""

    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    readiness: Readiness = field(default_factory=Readiness)
    metrics: Metrics = field(default_factory=Metrics)
    config: ServerConfig = field(default_factory=ServerConfig)
    page: Path | None = None
    reader: ScriptedReader = field(default_factory=ScriptedReader)
    now: float = 1000.0

    def open(self) -> None:
        library = Library(
            OpenGate(),
            self.reader,
            max_bytes=10 * (ENTRY_BYTES + 1000),
            max_file_bytes=1000,
            keep_seconds=3600,
            observers=[self.metrics],
            clock=lambda: self.now,
        )
        chat = ChatService(
            OpenGate(), self.backend, model=MODEL, max_pictures=3, observers=[self.metrics], library=library
        )
        self.readiness.open(
            Serving(
                chat=chat,
                plan=lambda: {"weights_bytes": 7, "num_blocks": 3},
                snapshot=lambda: {"num_waiting": 2, "totals": {"steps": 5}},
                library=library,
            )
        )

    def app(self) -> FastAPI:
        access = AccessPolicy(self.config.api_keys, is_open=self.config.open)
        return build_app(
            self.config,
            readiness=self.readiness,
            access=access,
            metrics=self.metrics,
            page=self.page,
            presets=load_presets(),
        )


@dataclass
class LiveHouse:
    house: House
    live: Live
    http: httpx2.Client

    @property
    def backend(self) -> ScriptedBackend:
        return self.house.backend


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()
