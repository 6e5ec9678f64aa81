"""One Chromium for the folder; each test gets pages that watch themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.server.scripted import ScriptedBackend
from tests.ui.house import PageHouse

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shared_house() -> Iterator[PageHouse]:
    house = PageHouse()
    house.open()
    house.start()
    yield house
    house.stop()


@pytest.fixture
def house(shared_house: PageHouse) -> PageHouse:
    """A ready server with a backend of its own: the last test's may still be ending its answers."""
    shared_house.backend = ScriptedBackend()
    shared_house.open()
    return shared_house


@dataclass
class Watch:
    """What no page may ever do: ask elsewhere, break its own policy, throw."""

    base: str
    faults: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if not request.url.startswith((self.base + "/", "data:", "blob:" + self.base)):
            self.faults.append(f"asked {request.url}")

    def console(self, message: ConsoleMessage) -> None:
        # Chromium itself writes such a line for every refused or broken request.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"{message.type}: {message.text}")

    def fault(self, fault: object) -> None:
        self.faults.append(f"threw {fault}")


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Open the page of a house: `visit(house, locale=…, viewport=…, path="/")`; every page is checked at the end."""
    watches: list[Watch] = []
    contexts = []

    def open_page(house: PageHouse, *, path: str = "/", **options: Any) -> Page:
        settings = {"locale": "zh-CN", "viewport": {"width": 1366, "height": 768}, **options}
        context = browser.new_context(**settings)
        context.set_default_timeout(15_000)
        contexts.append(context)
        watch = Watch(house.base)
        watches.append(watch)
        context.on("request", watch.request)
        context.on("console", watch.console)
        context.on("weberror", lambda error: watch.fault(error.error))
        page = context.new_page()
        page.goto(house.base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [watch.faults for watch in watches if watch.faults] == []


@pytest.fixture
def page(visit: Visit, house: PageHouse) -> Page:
    """The page in Chinese at 1366x768, ready."""
    opened = visit(house)
    opened.wait_for_selector("#dot[data-state=ready]")
    return opened
