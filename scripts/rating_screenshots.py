"""Takes the pictures of the rating page in docs/workbench.md, of two runs over examples/poc:

    flashsight batch examples/poc/pictures --preset product --out runs/first
    flashsight batch examples/poc/pictures --schema product --prompt "Describe the product" --out runs/second
    PYTHONPATH=src python scripts/rating_screenshots.py runs/first runs/second

Needs Chromium at /usr/bin/chromium and the `test` dependencies. Writes rating-zh.png and rating-blind-en.png; rates the
first run a little as it goes.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from flashsight.core.config import MediaConfig
from flashsight.core.telemetry import configure_logging
from flashsight.guard import AccessPolicy
from flashsight.launcher.workbench import open_panel
from flashsight.processing.media import MediaGate
from flashsight.server.workbench import build_workbench
from flashsight.ui import STATIC_FOLDER, WORKBENCH_FOLDER

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
MOST_BYTES = 250_000


@contextmanager
def serving(run: Path, second: Path | None) -> Iterator[str]:
    """Serve the rating page on a free port; the value is its address."""
    app = build_workbench(
        open_panel(run, second, None),
        MediaGate(MediaConfig(), offline=True),
        access=AccessPolicy(),
        page=WORKBENCH_FOLDER,
        borrowed=STATIC_FOLDER,
        max_picture_bytes=MediaConfig().max_bytes,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/workbench"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def rate(page: Page) -> None:
    """Rate a few, leave one with a tag and a corrected copy on view."""
    for score in "44":
        page.keyboard.press(score)
        page.keyboard.press("Enter")
    page.keyboard.press("3")
    page.keyboard.press("e")
    page.keyboard.press("c")
    page.keyboard.press("End")
    page.keyboard.type(",618 到手更省")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_contain_text("3 / ")


def choose(page: Page) -> None:
    """Choose for a few, leave the next pair on view."""
    for done, side in enumerate("13231", 1):
        expect(page.locator("#left tbody")).not_to_be_empty()
        page.keyboard.press(side)
        expect(page.locator("#status")).to_contain_text(f"{done} of ")


def shoot(browser: Browser, address: str, name: str, act: Any, **options: Any) -> None:
    """Open the page, act on it, keep the picture."""
    page = browser.new_page(viewport={"width": 1366, "height": 768}, **options)
    page.goto(address)
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    act(page)
    expect(page.locator("#pictures img")).to_be_visible()
    page.mouse.move(0, 0)
    page.screenshot(path=PICTURES / name)
    page.close()
    with Image.open(PICTURES / name) as image:
        image.convert("RGB").save(PICTURES / name, optimize=True)
    if (PICTURES / name).stat().st_size >= MOST_BYTES:
        raise SystemExit(f"{name} is larger than {MOST_BYTES} bytes")


def main() -> None:
    """Take both."""
    first, second = map(Path, sys.argv[1:3])
    configure_logging(format="human", level="warning")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        with serving(first, None) as address:
            shoot(browser, address, "rating-zh.png", rate, locale="zh-CN")
        with serving(first, second) as address:
            shoot(browser, address, "rating-blind-en.png", choose, locale="en-GB", color_scheme="dark")
        browser.close()


if __name__ == "__main__":
    main()
