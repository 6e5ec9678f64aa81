"""Takes the pictures of the page in docs/pictures: real answers of the built-in checkpoint, both languages and lights.

    PYTHONPATH=src python scripts/screenshots.py [FOLDER OF ANOTHER CHECKPOINT]

Needs Chromium at /usr/bin/chromium and the `test` dependencies.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from flashsight.core.config import Config, ModelConfig
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import build_chat, build_library, build_local
from flashsight.presets import load_presets
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from flashsight.ui import STATIC_FOLDER

ROOT = Path(__file__).parents[1]
EXAMPLES, PICTURES = ROOT / "examples" / "pictures", ROOT / "docs" / "pictures"
MOST_BYTES = 250_000


@dataclass(frozen=True)
class Shot:
    """One picture of the page: what is dropped, which scene is pressed, what is asked."""

    name: str
    picture: str
    questions: tuple[str | None, ...]
    """None asks what the scene fills in."""
    scene: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


CHINESE, ENGLISH, DARK = {"locale": "zh-CN"}, {"locale": "en-GB"}, {"color_scheme": "dark"}
SHOTS = (
    Shot("page-zh.png", "card_tshirt_zh.png", (None,), scene="商品", options=CHINESE),
    Shot("page-zh-dark.png", "settings_zh.png", ("列表里有哪些项？", "“深色模式”打开了吗？"), options=CHINESE | DARK),
    Shot("page-en.png", "card_headphones_en.png", ("What colour is it?", "What is the price?"), options=ENGLISH),
    Shot(
        "page-en-dark.png",
        "dialog_login_zh.png",
        ("Which buttons are there?", "What problem did the user run into?"),
        options=ENGLISH | DARK,
    ),
)


@contextmanager
def serving(checkpoint: str) -> Iterator[str]:
    """Serve a checkpoint on a free port; the value is the page's address."""
    config = Config(model=ModelConfig(path=checkpoint))
    parts = build_local(config)
    library = build_library(config, parts)
    about = {"model": config.model.path, "device": parts.plan.device.name}
    readiness = Readiness()
    readiness.open(
        Serving(
            chat=build_chat(config, parts, library=library),
            plan=parts.plan.as_dict,
            snapshot=parts.engine.snapshot,
            library=library,
            about=about,
        )
    )
    app = build_app(
        config.server,
        readiness=readiness,
        access=AccessPolicy(),
        metrics=Metrics(),
        page=STATIC_FOLDER,
        presets=load_presets(),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        parts.engine.stop()


def shoot(browser: Browser, address: str, shot: Shot) -> None:
    """Ask each question about the picture, the last one's answer stays on view."""
    page = browser.new_page(viewport={"width": 1366, "height": 768}, **shot.options)
    page.goto(address)
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready", timeout=60_000)
    page.set_input_files("#file", EXAMPLES / shot.picture)
    expect(page.locator("#pictures .progress")).to_have_attribute("data-state", "ready", timeout=60_000)
    if shot.scene:
        page.get_by_role("button", name=shot.scene, exact=True).click()
    for question in shot.questions:
        if question is not None:
            page.fill("#question", question)
        page.click("#ask")
        expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
        expect(page.locator("#trouble")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / shot.name)
    page.close()
    shrink(PICTURES / shot.name)


def shrink(path: Path) -> None:
    """Pack it as tightly as PNG can."""
    with Image.open(path) as image:
        image.convert("RGB").save(path, optimize=True)
    if path.stat().st_size >= MOST_BYTES:
        raise SystemExit(f"{path} is larger than {MOST_BYTES} bytes")


def main() -> None:
    """Take them all."""
    with serving(sys.argv[1] if len(sys.argv) > 1 else "nano") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for shot in SHOTS:
            shoot(browser, address, shot)
        browser.close()


if __name__ == "__main__":
    main()
