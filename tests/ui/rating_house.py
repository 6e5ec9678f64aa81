"""A live rating page around runs written for the test, with pictures of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image, ImageDraw

from flashsight.core.config import MediaConfig
from flashsight.guard import AccessPolicy
from flashsight.processing.media import MediaGate
from flashsight.server.workbench import build_workbench
from flashsight.ui import STATIC_FOLDER, WORKBENCH_FOLDER
from flashsight.workbench.panel import Panel
from flashsight.workbench.records import CasePicture, Doubt, Run, open_run, to_line
from flashsight.workbench.rules import read_rules
from tests.workbench.runs import Answers, write_run

COLOURS = ("#c8553d", "#2d6a8a", "#5a8a3c", "#d9a441", "#7a5a8a", "#8a8a8a")


def draw_pictures(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(names):
        image = Image.new("RGB", (640, 480), "#f4f1ea")
        pen = ImageDraw.Draw(image)
        pen.rounded_rectangle((200, 90, 440, 390), 40, fill=COLOURS[at % len(COLOURS)])
        pen.ellipse((420, 170, 520, 290), outline=COLOURS[at % len(COLOURS)], width=24)
        image.save(folder / name)


def rated_run(
    folder: Path,
    answers: Answers,
    *,
    pictures: Path,
    margins: Mapping[str, Mapping[str, float]] | None = None,
    boxes: Sequence[Mapping[str, Any]] = (),
    prompt: str = "请描述商品",
) -> Run:
    """A complete run whose pictures lie in a folder, with their hashes; boxes: of every item."""
    run = write_run(folder, answers, prompt=prompt)
    known = [
        replace(
            result,
            pictures=(CasePicture(path=result.id, sha256=sha256((pictures / result.id).read_bytes()).hexdigest()),),
            boxes=tuple(boxes),
        )
        for result in run.results()
    ]
    (folder / "results.jsonl").write_text("".join(map(to_line, known)), encoding="utf-8")
    manifest = (folder / "manifest.json").read_text(encoding="utf-8").replace('"/pictures"', f'"{pictures}"')
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    if margins is not None:
        lines = [to_line(Doubt(id=one, margins=margins.get(one, {}))) for one in answers]
        (folder / "doubts.jsonl").write_text("".join(lines), encoding="utf-8")
    return open_run(folder)


@dataclass
class RatingHouse:
    """The product's rating page on a free port."""

    run: Run
    second: Run | None = None
    keys: tuple[str, ...] = ()
    port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        app = build_workbench(
            Panel(self.run, read_rules(), self.second),
            MediaGate(MediaConfig(), offline=True),
            access=AccessPolicy(self.keys),
            page=WORKBENCH_FOLDER,
            borrowed=STATIC_FOLDER,
            max_picture_bytes=1 << 20,
        )
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
