"""A live server of the real page around a scripted backend, which can be stopped and started again on its port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvicorn

from flashsight.core.config import MediaConfig, ServerConfig
from flashsight.core.errors import FlashSightError
from flashsight.core.types import Delta, TextDelta
from flashsight.guard import AccessPolicy
from flashsight.presets import load_presets
from flashsight.processing.media import MediaGate
from flashsight.server import Metrics, build_app
from flashsight.service import ChatService, Library, Readiness, Serving
from flashsight.ui import STATIC_FOLDER
from tests.server.scripted import ScriptedBackend, ScriptedReader

MODEL = "a-model-of-another-name"
LIMITS = MediaConfig(max_bytes=64_000, max_pixels=1_000_000, min_side=8, max_aspect=20, max_pictures=3)


@dataclass
class PageHouse:
    """The product's app, its real picture gate with small limits, and a backend that says what it is told to."""

    config: ServerConfig = field(default_factory=ServerConfig)
    about: dict[str, str] = field(default_factory=lambda: {"model": "/models/nano/", "device": "CPU"})
    port: int = 0
    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    readiness: Readiness = field(default_factory=Readiness)
    reader: ScriptedReader | None = None
    """Reads uploads ahead; without it the server keeps no files."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        library = None
        if self.reader is not None:
            library = Library(
                MediaGate(LIMITS), self.reader, max_bytes=1 << 20, max_file_bytes=LIMITS.max_bytes, keep_seconds=60
            )
        chat = ChatService(
            MediaGate(LIMITS), self.backend, model=MODEL, max_pictures=LIMITS.max_pictures, library=library
        )
        self.readiness.open(Serving(chat=chat, plan=dict, snapshot=dict, library=library, about=self.about))

    def says(self, *script: Delta | FlashSightError | Exception | float) -> None:
        self.backend.script = script

    def start(self) -> None:
        """Listen; on the same port as before if it has listened before."""
        access = AccessPolicy(self.config.api_keys, is_open=self.config.open)
        app = build_app(
            self.config,
            readiness=self.readiness,
            access=access,
            metrics=Metrics(),
            page=STATIC_FOLDER,
            presets=load_presets(),
        )
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break off everything and listen no more."""
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()


def pieces(texts: Sequence[str]) -> list[Delta]:
    return [TextDelta(index=0, text=text) for text in texts]
