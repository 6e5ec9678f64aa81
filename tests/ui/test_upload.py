"""Pictures are sent when they come in, in real Chromium: what the page says of them, and what the question names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import Caller, Media, PromptStats
from tests.server.scripted import ScriptedReader
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import bring, choose, file, mug
from tests.ui.test_pictures import ask, sent

pytestmark = pytest.mark.browser


class HeldReader(ScriptedReader):
    """Reads nothing ahead while it is held."""

    is_held = False

    async def prewarm(self, media: Media, *, caller: Caller, request_id: str) -> PromptStats:
        while self.is_held:  # noqa: ASYNC110 - it is let go from another thread
            await asyncio.sleep(0.01)
        return await super().prewarm(media, caller=caller, request_id=request_id)


@pytest.fixture
def keeping() -> Iterator[PageHouse]:
    house = PageHouse(reader=HeldReader())
    house.open()
    house.start()
    yield house
    house.stop()


@pytest.fixture
def page(visit: Visit, keeping: PageHouse) -> Page:
    opened = visit(keeping)
    opened.wait_for_selector("#dot[data-state=ready]")
    return opened


def hold(house: PageHouse, is_held: bool) -> None:
    assert isinstance(house.reader, HeldReader)
    house.reader.is_held = is_held


def num_files(house: PageHouse) -> int:
    library = house.readiness.require().library
    assert library is not None
    return library.numbers["num_files"]


def asked_bodies(page: Page) -> list[str]:
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or "") if "chat" in request.url else None)
    return bodies


def ready(page: Page, count: int = 1) -> None:
    expect(page.locator("#pictures .progress[data-state=ready]")).to_have_count(count)


def test_a_picture_is_sent_when_it_comes_in_and_the_question_names_it(page: Page, keeping: PageHouse):
    bodies = asked_bodies(page)
    hold(keeping, True)
    bring(page, "drop", "mug.png", mug())
    expect(page.locator("#pictures .progress")).to_have_text("正在编码 · ")
    hold(keeping, False)
    ready(page)
    expect(page.locator("#pictures .progress")).to_have_text("已就绪 · ")
    page.click("#language")
    expect(page.locator("#pictures .progress")).to_have_text("ready · ")
    ask(page)
    assert sent(keeping) == [mug()]
    assert re.search(r'"url":"file-[0-9a-f]+"', bodies[0])
    assert "base64" not in bodies[0]


def test_a_question_may_come_before_the_picture_is_ready(page: Page, keeping: PageHouse):
    hold(keeping, True)
    choose(page, file("a.png"), file("b.png", mug(colour="#2a6f97")))
    ask(page)
    assert sent(keeping) == [mug(), mug(colour="#2a6f97")]
    hold(keeping, False)
    ready(page, 2)


def test_pictures_that_the_server_has_lost_go_with_the_question(page: Page, keeping: PageHouse):
    bodies = asked_bodies(page)
    choose(page, file("a.png"))
    ready(page)
    keeping.open()
    ask(page)
    assert sent(keeping) == [mug()]
    assert ["base64" in body for body in bodies] == [False, True]
    expect(page.locator("#pictures .progress")).to_have_text("")


def test_a_removed_picture_is_forgotten_unless_it_was_asked_about(page: Page, keeping: PageHouse):
    choose(page, file("a.png"), file("b.png", mug(colour="#2a6f97")))
    ready(page, 2)
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.locator("#pictures button[title*='b.png']").last.click()
    assert num_files(keeping) == 1
    ask(page)
    page.locator("#pictures button[title*='a.png']").last.click()
    expect(page.locator("#pictures li")).to_have_count(0)
    ask(page)
    assert sent(keeping) == [mug()], "the conversation still has it"
    assert num_files(keeping) == 1


def test_what_the_server_refuses_is_said_when_it_is_asked_about(page: Page, keeping: PageHouse):
    too_large: Any = file("noise.png", mug((4000, 4000)))
    choose(page, too_large)
    expect(page.locator("#pictures .progress")).to_have_text("")
    ask(page)
    expect(page.locator("#trouble")).to_contain_text("像素")
    assert num_files(keeping) == 0
