"""The API's documentation in real Chromium: drawn under the page's strict policy, with nothing asked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from flashsight.core.config import ServerConfig
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse

pytestmark = pytest.mark.browser


@pytest.fixture
def locked() -> Iterator[PageHouse]:
    house = PageHouse(config=ServerConfig(api_keys=("let-me-in-to-read",)))
    house.open()
    house.start()
    yield house
    house.stop()


def test_the_documentation_shows_every_route_and_asks_nobody_else(visit: Visit, house: PageHouse):
    page = visit(house, path="/docs")
    document = page.request.get(f"{house.base}/openapi.json").json()
    num_operations = sum(len(methods) for methods in document["paths"].values())
    expect(page.locator(".opblock")).to_have_count(num_operations)
    page.locator("[data-path='/v1/chat/completions']").first.click()
    expect(page.locator(".opblock-body").first).to_contain_text("messages")


def test_a_key_is_asked_for_where_one_is_needed_and_used_for_trying(visit: Visit, locked: PageHouse):
    page = visit(locked, path="/docs")
    page.fill("#value", "wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("key")
    page.fill("#value", "let-me-in-to-read")
    page.keyboard.press("Enter")
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator(".authorize.locked, .authorize")).to_be_visible()
