"""A server on a free port in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from flashsight.server import PatientProtocol


@dataclass(frozen=True)
class Live:
    """Where it listens."""

    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(app: FastAPI) -> Iterator[Live]:
    """Serve until the block ends; the port takes connections when the block begins."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = uvicorn.Server(
        uvicorn.Config(app, http=PatientProtocol, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield Live(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
