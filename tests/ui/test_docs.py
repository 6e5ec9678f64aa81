"""The API's documentation in real Chromium: drawn under the page's strict policy, with nothing asked elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from flashsight import __version__
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


def test_the_page_leads_to_the_documentation_and_it_leads_back(page: Page):
    page.click("#api")
    expect(page.locator("#status")).to_have_text(f"API 文档 · {__version__}")
    page.click("#home")
    expect(page.locator("#question")).to_be_visible()


def test_language_and_light_are_the_pages_own(visit: Visit, house: PageHouse):
    page = visit(house, color_scheme="light")
    page.click("#language")
    page.click("#light")
    page.click("#api")
    expect(page.locator("#status")).to_contain_text("API documentation")
    background = "getComputedStyle(document.querySelector('.swagger-ui')).backgroundColor"
    expect(page.locator(".opblock").first).to_be_visible()
    dark = page.evaluate(background)
    page.click("#light")
    assert page.evaluate(background) != dark
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.click("#home")
    expect(page.locator("#ask")).to_contain_text("提问")
    expect(page.locator("html")).to_have_attribute("data-light", "light")


def test_in_a_dark_room_nothing_is_white_from_the_first_moment(visit: Visit, house: PageHouse):
    page = visit(house, path="/docs", color_scheme="dark")
    expect(page.locator("html")).to_have_class("dark-mode")
    for element in ("html", "body", ".bar", ".swagger-ui"):
        expect(page.locator(element).first).to_be_visible()
        colour = page.locator(element).first.evaluate("one => getComputedStyle(one).backgroundColor")
        assert max(int(part) for part in re.findall(r"\d+", colour)[:3]) < 64, element
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).not_to_have_class("dark-mode")


def test_a_server_without_a_page_leads_to_none(visit: Visit, house: PageHouse):
    page = visit(house)
    page.route(house.base + "/", lambda route: route.fulfill(status=404))
    page.goto(house.base + "/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator("#home[href]")).to_have_count(0)


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
