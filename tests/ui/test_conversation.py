"""A conversation: asked again in other words, kept by this browser only, downloaded, cleared; and how one waits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.errors import Overloaded
from flashsight.core.line import Waiting
from flashsight.core.types import Box, Finish, PicturePart, TextDelta
from flashsight.service import Serving
from tests.server.scripted import USAGE, ScriptedReader, saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file, mug
from tests.ui.test_answer import ask, outline, text

pytestmark = pytest.mark.browser


@pytest.fixture
def keeping() -> Iterator[PageHouse]:
    """A server that keeps files."""
    house = PageHouse(reader=ScriptedReader())
    house.open()
    house.start()
    yield house
    house.stop()


def test_an_edited_question_takes_its_own_place_and_those_after_it_go(page: Page, house: PageHouse):
    choose(page, file())
    ask(page, "一")
    ask(page, "二")
    ask(page, "三")
    page.get_by_role("button", name="改写：二").click()
    expect(page.locator("#question")).to_have_value("二")
    expect(page.locator("#question")).to_be_focused()
    expect(page.locator("#editing")).to_be_visible()
    ask(page, "二，换句话说")
    expect(page.locator("#history .question")).to_have_text(["一", "二，换句话说"])
    expect(page.locator("#editing")).to_be_hidden()
    assert outline(house.backend.asked[-1][0]) == [
        ("user", 1, "一"),
        ("assistant", 0, "白杯"),
        ("user", 0, "二，换句话说"),
    ]


def test_an_edited_question_keeps_its_pictures_whatever_lies_in_the_list_now(page: Page, house: PageHouse):
    choose(page, file("a.png"))
    ask(page, "一")
    page.get_by_role("button", name="移除 a.png").click()
    page.get_by_role("button", name="改写：一").click()
    ask(page, "一，再问")
    assert outline(house.backend.asked[-1][0]) == [("user", 1, "一，再问")]


def test_editing_can_be_given_up(page: Page, house: PageHouse):
    ask(page, "一")
    page.get_by_role("button", name="改写：一").click()
    page.click("#end-editing")
    ask(page, "二")
    expect(page.locator("#history .question")).to_have_text(["一", "二"])
    assert len(outline(house.backend.asked[-1][0])) == 3


def test_the_conversation_survives_a_reload_with_its_pictures_while_the_server_has_them(
    visit: Visit, keeping: PageHouse
):
    page = visit(keeping)
    choose(page, file("mug.png"))
    keeping.says(
        text("杯身 [[0,0,500,500]]"),
        Finish(index=0, reason="stop", boxes=(Box(picture=0, left=0, top=0, right=160, bottom=120),)),
        USAGE,
    )
    ask(page, "一")
    page.reload()
    expect(page.locator("#history .question")).to_have_text(["一"])
    expect(page.locator("#answer p")).to_contain_text("杯身")
    expect(page.locator("#phase")).to_contain_text("20 + 3 词元")
    expect(page.locator("#pictures .name")).to_have_text("mug.png")
    expect(page.locator(".box")).to_be_visible()
    keeping.says(*saying("二"))
    ask(page, "再问")
    conversation, _ = keeping.backend.asked[-1]
    assert outline(conversation)[0] == ("user", 1, "一")
    sent = [p.media.content for m in conversation.messages for p in m.parts if isinstance(p, PicturePart)]
    assert sent == [mug()]


def test_a_picture_that_nobody_has_any_more_is_named(visit: Visit, keeping: PageHouse):
    page = visit(keeping)
    choose(page, file("mug.png"))
    ask(page, "一")
    keeping.open()
    page.reload()
    expect(page.locator("#history .question")).to_have_text(["一"])
    expect(page.locator("#pictures li")).to_have_count(0)
    page.click("#retry")
    expect(page.locator("#trouble")).to_contain_text("“mug.png”：图片已不在服务上")


def test_clearing_clears_the_questions_for_good_and_leaves_the_pictures(page: Page):
    choose(page, file())
    ask(page, "一")
    page.click("#clear-turns")
    expect(page.locator("#history li")).to_have_count(0)
    expect(page.locator("#answer")).to_have_text("")
    expect(page.locator("#pictures li")).to_have_count(1)
    assert page.evaluate("localStorage.getItem('turns')") is None
    page.reload()
    expect(page.locator("#history-empty")).to_be_visible()


@pytest.mark.parametrize("damage", ["{", "[1]", '[{"question": 3}]', '{"a": 1}'])
def test_a_damaged_history_is_no_history(page: Page, damage: str):
    page.evaluate("text => localStorage.setItem('turns', text)", damage)
    page.reload()
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    expect(page.locator("#history li")).to_have_count(0)
    ask(page, "一")
    expect(page.locator("#answer")).to_have_text("白杯")


def downloaded(page: Page, button: str, folder: Path) -> str:
    page.click("#download")
    with page.expect_download() as download:
        page.click(button)
    assert re.fullmatch(r"flashsight-[\d-]+\.(md|json)", download.value.suggested_filename)
    download.value.save_as(folder / "saved")
    return (folder / "saved").read_text(encoding="utf-8")


def test_the_conversation_is_downloaded_with_names_of_pictures_and_no_bytes(
    visit: Visit, house: PageHouse, tmp_path: Path
):
    page = visit(house, accept_downloads=True)
    choose(page, file("mug.png"))
    house.says(TextDelta(index=0, text="**白**杯\n\n- 一"), Finish(index=0, reason="stop"), USAGE)
    ask(page, "是什么")
    markdown = downloaded(page, "#save-markdown", tmp_path)
    assert "## 问题\n\n是什么\n\n- mug.png\n" in markdown
    assert "## 回答\n\n**白**杯\n\n- 一\n" in markdown
    saved = downloaded(page, "#save-json", tmp_path)
    (turn,) = json.loads(saved)["turns"]
    assert turn["pictures"] == [{"name": "mug.png", "width": 320, "height": 240, "bytes": len(mug())}]
    assert (turn["answer"], turn["finish_reason"], turn["usage"]["total_tokens"]) == ("**白**杯\n\n- 一", "stop", 23)
    assert "base64" not in saved + markdown
    assert "> 回答由人工智能生成。\n" in markdown
    hidden = re.match(r"<!-- AIGC: (.*) -->\n", markdown)
    assert hidden is not None
    for label in (json.loads(hidden[1]), json.loads(saved)["AIGC"]):
        assert label["Label"] == "1"
        assert label["ContentProducer"].startswith("FlashSight")
        assert label["ProduceID"]


def test_waiting_tells_the_place_in_line_and_about_how_long_it_takes(page: Page, house: PageHouse):
    serving, places = house.readiness.require(), [3, 1, 0]

    def line() -> list[Waiting]:
        conversation = house.backend.asked[-1][0]
        place = places.pop(0) if len(places) > 1 else places[0]
        asked = {"request_id": conversation.request_id, "salt": conversation.caller.salt}
        return [Waiting(**asked, position=place, seconds=1.8)] if place else []

    house.readiness.open(Serving(chat=serving.chat, plan=dict, snapshot=dict, line=line, about=serving.about))
    house.says(6.0, *saying("好"))
    page.click("#ask")
    phase = page.locator("#phase")
    expect(phase).to_contain_text("排队第 3 位，约 2 秒")
    expect(phase).to_contain_text("排队第 1 位，约 2 秒")
    expect(phase).not_to_contain_text("排队")
    expect(phase).to_contain_text("等待第一个词")
    expect(page.locator("#answer")).to_have_text("好")


def test_what_went_wrong_is_still_there_after_a_reload(page: Page, house: PageHouse):
    house.says(Overloaded("64 requests are waiting, the limit is 64; try again in about 12 s", retry_after_seconds=12))
    ask(page, "忙吗？")
    expect(page.locator("#trouble")).to_contain_text("现在太忙")
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("已有 64 个请求在等待，上限是 64；约 12 秒后重试。")
    house.says(*saying("好"))
    page.click("#retry")
    expect(page.locator("#answer")).to_have_text("好")
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_picture_is_named_by_its_address_where_the_server_fetches(visit: Visit, house: PageHouse):
    """The browser itself never asks the address; the server's word on the picture is played here."""
    house.readiness.open(
        Serving(chat=house.readiness.require().chat, plan=dict, snapshot=dict, about={"fetches": "http, https"})
    )
    page = visit(house)
    told = {"width": 40, "height": 30, "format": "png", "bytes": 512}
    page.route("**/v1/images/estimate", lambda route: route.fulfill(json=told))
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or "") if "chat" in request.url else None)
    page.fill("#url", "https://example.com/a/mug.png?size=1")
    page.keyboard.press("Enter")
    expect(page.locator("#pictures .name")).to_have_text("mug.png")
    expect(page.locator("#pictures .size")).to_have_text("40×30 · 512 B")
    expect(page.locator("#url")).to_have_value("")
    expect(page.locator("#pictures .plate")).to_contain_text("由服务从网址读取")
    ask(page, "一")
    assert '"url":"https://example.com/a/mug.png?size=1"' in bodies[0]
    refusal = {"error": {"message": "private addresses are refused", "code": "fetch_refused"}}
    page.route("**/v1/images/estimate", lambda route: route.fulfill(status=400, json=refusal))
    page.fill("#url", "https://example.com/b.png")
    page.keyboard.press("Enter")
    expect(page.locator("#picture-trouble")).to_contain_text("不能从网址取图片")
    expect(page.locator("#url")).to_have_value("https://example.com/b.png")


def test_a_server_that_does_not_fetch_shows_no_field_for_addresses(page: Page):
    expect(page.locator("#by-url")).to_be_hidden()
