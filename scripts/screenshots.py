"""Takes the README's pictures of the page, with real answers of the built-in checkpoint: Chinese light, English dark.

    PYTHONPATH=src python scripts/screenshots.py

Needs Chromium at /usr/bin/chromium and the `test` dependencies. Writes docs/pictures/page-zh.png and page-en-dark.png.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from flashsight.core.config import Config
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import build_chat, build_local
from flashsight.presets import load_presets
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from flashsight.ui import STATIC_FOLDER

ROOT = Path(__file__).parents[1]
EXAMPLES, PICTURES = ROOT / "examples" / "pictures", ROOT / "docs" / "pictures"
MOST_BYTES = 300_000

SHOTS: tuple[tuple[str, str, list[str], dict[str, Any]], ...] = (
    ("page-zh.png", "card_tshirt_zh.png", ["请描述这张图片的内容", "价格是多少？"], {"locale": "zh-CN"}),
    (
        "page-en-dark.png",
        "dialog_login_zh.png",
        ["Which buttons are there?", "What problem did the user run into?"],
        {"locale": "en-GB", "color_scheme": "dark"},
    ),
)


@contextmanager
def serving() -> Iterator[str]:
    """Serve the built-in checkpoint on a free port; the value is the page's address."""
    config = Config()
    parts = build_local(config)
    about = {"model": config.model.path, "device": parts.plan.device.name}
    readiness = Readiness()
    readiness.open(
        Serving(chat=build_chat(config, parts), plan=parts.plan.as_dict, snapshot=parts.engine.snapshot, about=about)
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


def shoot(browser: Browser, address: str, name: str, picture: str, questions: list[str], **options: Any) -> None:
    """Ask each question about the picture, the last one's answer stays on view."""
    page = browser.new_page(viewport={"width": 1366, "height": 768}, **options)
    page.goto(address)
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready", timeout=60_000)
    page.set_input_files("#file", EXAMPLES / picture)
    expect(page.locator("#pictures img")).to_have_count(1)
    for question in questions:
        page.fill("#question", question)
        page.click("#ask")
        expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
        expect(page.locator("#trouble")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / name)
    page.close()
    shrink(PICTURES / name)


def shrink(path: Path) -> None:
    """Pack it as tightly as PNG can."""
    with Image.open(path) as image:
        image.convert("RGB").save(path, optimize=True)
    if path.stat().st_size >= MOST_BYTES:
        raise SystemExit(f"{path} is larger than {MOST_BYTES} bytes")


def main() -> None:
    """Take them all."""
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, picture, questions, options in SHOTS:
            shoot(browser, address, name, picture, questions, **options)
        browser.close()


if __name__ == "__main__":
    main()
