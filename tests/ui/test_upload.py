"""Pictures are sent when they come in, in real Chromium: what the page says of them, and what the question names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.errors import Overloaded, PictureError
from flashsight.core.types import Caller, Media, PromptStats
from tests.server.scripted import ScriptedReader
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import bring, choose, file, mug
from tests.ui.test_answer import until
from tests.ui.test_pictures import ask, sent

pytestmark = pytest.mark.browser


_HALF_SENT = """() => {
  XMLHttpRequest.prototype.send = function () {
    this.upload.onprogress({ loaded: 500, total: 1000 });
  };
}"""


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
    expect(page.locator("#pictures .progress")).to_have_text("正在编码")
    hold(keeping, False)
    ready(page)
    expect(page.locator("#pictures .progress")).to_have_text("已就绪")
    page.click("#language")
    expect(page.locator("#pictures .progress")).to_have_text("ready")
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


@pytest.mark.parametrize("way", ["clear", "fresh", "forget"])
def test_what_is_cleared_here_is_forgotten_by_the_server_too(page: Page, keeping: PageHouse, way: str):
    choose(page, file("a.png"), file("b.png", mug(colour="#2a6f97")))
    ready(page, 2)
    ask(page)
    page.locator("#pictures button[title*='a.png']").last.click()
    assert num_files(keeping) == 2, "the conversation has both"
    if way == "clear":
        page.click("#clear-turns")
        until(lambda: num_files(keeping) == 1)
        page.locator("#pictures button[title*='b.png']").last.click()
    elif way == "fresh":
        page.click("#fresh")
    else:
        page.click("#open-settings")
        page.click("#forget")
    until(lambda: num_files(keeping) == 0)


def test_pictures_of_an_earlier_visit_are_forgotten_with_their_conversation(page: Page, keeping: PageHouse):
    choose(page, file("a.png"))
    ready(page)
    ask(page)
    page.reload()
    expect(page.locator("#pictures .progress")).to_have_text("已就绪")
    page.click("#fresh")
    until(lambda: num_files(keeping) == 0)


def test_what_the_server_refuses_is_said_at_its_picture_at_once_and_again_when_it_is_asked_about(
    page: Page, keeping: PageHouse
):
    choose(page, file("good.png"), file("noise.png", mug((4000, 4000))))
    ready(page)
    expect(page.locator("#pictures .progress").last).to_have_text("被拒绝")
    why = page.locator("#pictures .why")
    expect(why.first).to_be_hidden()
    expect(why.last).to_have_text("图片像素太多 图片是 4000×4000 像素，总像素上限是 1000000；请缩小后再试。")
    page.click("#language")
    expect(why.last).to_contain_text("Too many pixels The picture is 4000 x 4000 pixels, the limit is 1000000")
    assert num_files(keeping) == 1
    ask(page)
    expect(page.locator("#trouble")).to_contain_text("Picture 2, “noise.png”: Too many pixels")


def test_a_picture_that_turns_out_to_be_damaged_says_so_when_it_has_been_read(page: Page, keeping: PageHouse):
    assert keeping.reader is not None
    keeping.reader.error = PictureError("the picture is damaged or cut off; export it again", code="invalid_image")
    choose(page, file())
    expect(page.locator("#pictures .progress")).to_have_text("被拒绝")
    expect(page.locator("#pictures .why")).to_have_text("图片已损坏或不完整 请重新导出，或换一张图片。")


def test_a_picture_that_was_not_read_ahead_is_not_called_ready(page: Page, keeping: PageHouse):
    assert keeping.reader is not None
    keeping.reader.error = Overloaded("9 requests are waiting", retry_after_seconds=3)
    choose(page, file())
    expect(page.locator("#pictures .progress")).to_have_text("已收到")


def test_a_name_that_the_server_does_not_take_is_no_fault_of_the_picture(page: Page, keeping: PageHouse):
    choose(page, file("a" * 300 + ".png"))
    expect(page.locator("#pictures .progress")).to_have_text("")
    ask(page)
    assert sent(keeping) == [mug()]


def test_while_a_picture_is_sent_it_says_how_much_has_arrived(page: Page):
    """The network is the test's own: half of the bytes, and no end."""
    page.evaluate(_HALF_SENT)
    content = mug((200, 200))
    choose(page, file(content=content))
    total, half = f"{len(content)} B", f"{round(len(content) / 2)} B"
    expect(page.locator("#pictures .progress")).to_have_text(f"已上传 {half}，共 {total}")
    expect(page.locator("#pictures .rest")).to_be_hidden()


def test_a_server_that_comes_back_empty_is_sent_its_pictures_again(page: Page, keeping: PageHouse):
    choose(page, file("a.png"), file("b.png", mug(colour="#2a6f97")))
    ready(page, 2)
    keeping.stop()
    expect(page.locator("#dot")).to_have_attribute("data-state", "gone")
    choose(page, file("c.png", mug(colour="#27ae60")))
    keeping.open()
    assert num_files(keeping) == 0
    keeping.start()
    ready(page, 3)
    assert num_files(keeping) == 3
    bodies = asked_bodies(page)
    ask(page)
    assert sent(keeping) == [mug(), mug(colour="#2a6f97"), mug(colour="#27ae60")]
    assert "base64" not in bodies[0]


def test_a_server_that_still_has_them_is_not_sent_them_twice(page: Page, keeping: PageHouse):
    choose(page, file("a.png"))
    ready(page)
    keeping.readiness.enter("x")
    serving = keeping.readiness.require()
    keeping.readiness.close()
    expect(page.locator("#dot")).to_have_attribute("data-state", "loading")
    keeping.readiness.open(serving)
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    ready(page)
    assert num_files(keeping) == 1
