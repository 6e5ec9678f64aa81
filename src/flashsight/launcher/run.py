"""A service in this process: listens at once, loads the model on a thread, finishes what is under way when told to go.

Signals: the first SIGTERM or SIGINT stops taking requests and waits for answers under way; the second ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import uvicorn

from flashsight.core.config import Config
from flashsight.core.errors import FlashSightError
from flashsight.core.telemetry import get_log
from flashsight.guard import AccessPolicy
from flashsight.launcher.salt import lasting_salt
from flashsight.presets import load_presets
from flashsight.server import Metrics, PatientProtocol, build_app
from flashsight.service import Pace, Readiness, Serving
from flashsight.ui import STATIC_FOLDER

if TYPE_CHECKING:
    from flashsight.launcher.build import LocalParts

DRAIN_SECONDS = 30
_log = get_log(__name__)


class Watcher(Protocol):
    """Whoever started the service and wants to tell of it. Called from the loading thread."""

    def entered(self, phase: str, seconds: float) -> None:
        """A phase began, so many seconds after the start."""

    def opened(self, parts: LocalParts, seconds: float) -> None:
        """Requests are answered from now on."""


def run_service(config: Config, listening: socket.socket, watcher: Watcher) -> None:
    """Serve until told to go. Raises the error that kept the model from loading.

    config.server holds the keys already; `listening` is bound and is closed at the end.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    readiness = Readiness("starting")
    metrics = Metrics()
    app = build_app(
        config.server,
        readiness=readiness,
        access=AccessPolicy(
            config.server.api_keys,
            is_open=config.server.open,
            anonymous_salt=lasting_salt(config.engine.picture_folder),
        ),
        metrics=metrics,
        page=STATIC_FOLDER if config.server.page else None,
        presets=load_presets(config.server.presets_folder),
    )
    server = _Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        ),
        readiness,
    )
    loader = _Loader(config, readiness, metrics, watcher, server)
    with listening:
        loader.start()
        asyncio.run(server.serve(sockets=[listening]))
    loader.finish()


class _Server(uvicorn.Server):
    """uvicorn with signals that leave the process alive to put its parts away."""

    def __init__(self, config: uvicorn.Config, readiness: Readiness) -> None:
        super().__init__(config)
        self._readiness = readiness

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave at the first signal, at once at the second."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def leave(self) -> None:
        """Take no new requests, finish those under way, end."""
        self.force_exit = self.should_exit
        self.should_exit = True
        if not self._readiness.has_failed:
            self._readiness.close()
        _log.info("stopping", drain_seconds=0 if self.force_exit else DRAIN_SECONDS)


class _Loader:
    """Builds the parts on a thread of its own, so that the service answers /health from its first moment."""

    def __init__(
        self, config: Config, readiness: Readiness, metrics: Metrics, watcher: Watcher, server: _Server
    ) -> None:
        self._config = config
        self._readiness = readiness
        self._metrics = metrics
        self._watcher = watcher
        self._server = server
        self._parts: LocalParts | None = None
        self._error: BaseException | None = None
        self._began_at = time.monotonic()
        self._thread = threading.Thread(target=self._load, name="flashsight-loading", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Put the engine away; raise what went wrong while loading."""
        if self._error is not None:
            raise self._error
        if self._parts is not None:
            self._parts.engine.stop()

    def _load(self) -> None:
        try:
            self._build()
        except BaseException as error:
            self._error = error
            self._readiness.fail()
            if isinstance(error, FlashSightError):
                _log.error("the model could not be loaded", reason=error.message, code=error.code)
            else:
                _log.exception("the model could not be loaded")
            self._server.should_exit = True

    def _build(self) -> None:
        self._enter("loading libraries")
        from flashsight.launcher.build import build_chat, build_library, build_local

        parts = build_local(self._config, enter=self._enter)
        if self._server.should_exit:
            parts.engine.stop()
            return
        self._parts = parts
        pace = Pace()
        library = build_library(self._config, parts, observers=[self._metrics, pace])
        chat = build_chat(self._config, parts, observers=[self._metrics, pace], library=library)
        about = {
            "model": self._config.model.path,
            "device": parts.plan.device.name,
            "dtype": str(parts.loaded.dtype).removeprefix("torch."),
            **({"fetches": "http, https"} if self._config.media.allow_fetch else {}),
        }
        # What was built stays: the collector need not walk through all of it again and again while answers wait.
        gc.freeze()
        self._readiness.open(
            Serving(
                chat=chat,
                plan=parts.plan_now,
                snapshot=lambda: parts.engine.snapshot().numbers(),
                line=parts.engine.line,
                library=library,
                pace=pace,
                about=about,
            )
        )
        _log.info(
            "ready",
            seconds=round(self._seconds(), 2),
            device=parts.plan.device.name,
            weight_bytes=parts.plan.weight_bytes,
            planned_bytes=parts.plan.used_bytes,
        )
        self._watcher.opened(parts, self._seconds())

    def _enter(self, phase: str) -> None:
        if not self._server.should_exit:
            self._readiness.enter(phase)
        _log.info("loading", phase=phase, seconds=round(self._seconds(), 2))
        self._watcher.entered(phase, self._seconds())

    def _seconds(self) -> float:
        return time.monotonic() - self._began_at
