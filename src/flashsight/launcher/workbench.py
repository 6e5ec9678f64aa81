"""The rating page of a run, served by this process until it is told to go. Loads no model and asks nobody."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import uvicorn

from flashsight.core.config import Config
from flashsight.guard import AccessPolicy
from flashsight.processing.media import MediaGate
from flashsight.server import PatientProtocol
from flashsight.server.workbench import build_workbench
from flashsight.ui import STATIC_FOLDER, WORKBENCH_FOLDER
from flashsight.workbench.panel import Panel
from flashsight.workbench.records import open_run
from flashsight.workbench.rules import read_rules

DRAIN_SECONDS = 5


def open_panel(run: Path, second: Path | None, rules: Path | None) -> Panel:
    """Read one run, or two to be compared blindly. Raises RunError in words."""
    return Panel(open_run(run), read_rules(rules), open_run(second) if second is not None else None)


def serve_workbench(config: Config, panel: Panel, listening: socket.socket) -> None:
    """Serve until Ctrl-C. config.server holds the keys already; `listening` is bound and is closed at the end."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    app = build_workbench(
        panel,
        MediaGate(config.media, offline=True),
        access=AccessPolicy(config.server.api_keys, is_open=config.server.open),
        page=WORKBENCH_FOLDER,
        borrowed=STATIC_FOLDER,
        max_picture_bytes=config.media.max_bytes,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    with listening:
        asyncio.run(server.serve(sockets=[listening]))
