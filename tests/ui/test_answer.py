"""Asking and reading: the answer as it is written, Stop, follow-up questions, retrying, copying."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import (
    Conversation,
    Finish,
    PicturePart,
    ReasoningDelta,
    TextDelta,
    TextPart,
)
from tests.server.scripted import USAGE, saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file, mug

pytestmark = pytest.mark.browser


def text(piece: str) -> TextDelta:
    return TextDelta(index=0, text=piece)


def ask(page: Page, question: str | None = None) -> None:
    if question is not None:
        page.fill("#question", question)
    page.click("#ask")
    expect(page.locator("#ask")).to_be_enabled()


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def outline(conversation: Conversation) -> list[tuple[str, int, str]]:
    """(role, number of pictures, text) of each message."""
    return [
        (
            message.role,
            sum(isinstance(part, PicturePart) for part in message.parts),
            "".join(part.text for part in message.parts if isinstance(part, TextPart)),
        )
        for message in conversation.messages
    ]


def test_the_question_is_filled_in_and_one_press_asks_it(page: Page, house: PageHouse):
    expect(page.locator("#question")).to_have_value("请描述这张图片的内容")
    choose(page, file())
    ask(page)
    expect(page.locator("#answer")).to_have_text("白杯")
    conversation, sampling = house.backend.asked[-1]
    assert outline(conversation) == [("user", 1, "请描述这张图片的内容")]
    assert sampling.temperature == 0
    assert sampling.max_tokens is None


def test_the_answer_is_read_while_it_is_being_written(page: Page, house: PageHouse):
    house.says(text("第一句。"), 30.0, *saying("第二句。"))
    page.click("#ask")
    expect(page.locator("#answer")).to_have_text("第一句。")
    expect(page.locator("#phase")).to_have_text("正在回答")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    assert house.backend.num_open == 1


def test_waiting_says_for_how_long(page: Page, house: PageHouse):
    house.says(30.0)
    page.click("#ask")
    expect(page.locator("#phase")).to_have_text(re.compile(r"^已发送，等待第一个词 · [1-9]\d* 秒$"))


@pytest.mark.parametrize("way", ["button", "key"])
def test_stop_ends_the_work_on_the_server_and_keeps_what_had_arrived(page: Page, house: PageHouse, way: str):
    house.says(text("一只红色的"), 30.0, *saying("马克杯"))
    page.click("#ask")
    expect(page.locator("#answer")).to_have_text("一只红色的")
    if way == "button":
        page.click("#stop")
    else:
        page.keyboard.press("Escape")
    until(lambda: house.backend.num_abandoned == 1 and house.backend.num_open == 0)
    expect(page.locator("#answer")).to_have_text("一只红色的")
    expect(page.locator("#phase")).to_have_text("已停止")
    expect(page.locator("#ask")).to_be_enabled()


def test_stopping_before_the_first_word_says_that_nothing_came(page: Page, house: PageHouse):
    house.says(30.0)
    page.click("#ask")
    until(lambda: house.backend.num_open == 1)
    page.keyboard.press("Escape")
    expect(page.locator("#phase")).to_have_text("已停止，还没有收到内容")
    until(lambda: house.backend.num_abandoned == 1)


def test_a_question_while_one_is_answered_is_not_sent(page: Page, house: PageHouse):
    house.says(text("x"), 30.0)
    page.click("#ask")
    until(lambda: house.backend.num_open == 1)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ask")).to_be_disabled()
    assert len(house.backend.asked) == 1


def test_a_follow_up_sends_the_conversation_and_each_picture_once(page: Page, house: PageHouse):
    choose(page, file("a.png", mug(colour="#c0392b")))
    ask(page, "这是什么")
    choose(page, file("b.png", mug(colour="#2980b9")))
    ask(page, "和这张比呢")
    ask(page, "谢谢")
    assert outline(house.backend.asked[-1][0]) == [
        ("user", 1, "这是什么"),
        ("assistant", 0, "白杯"),
        ("user", 1, "和这张比呢"),
        ("assistant", 0, "白杯"),
        ("user", 0, "谢谢"),
    ]
    expect(page.locator("#history .question")).to_have_text(["这是什么", "和这张比呢", "谢谢"])


def test_an_earlier_answer_comes_back_by_its_question(page: Page, house: PageHouse):
    house.says(*saying("第一个回答\n\n" * 50))
    ask(page, "一")
    house.says(*saying("第二个回答"))
    ask(page, "二")
    page.get_by_role("button", name="一", exact=True).click()
    expect(page.locator("#answer p")).to_have_text(["第一个回答"] * 50)
    assert page.locator("#answer").evaluate("box => box.scrollTop") == 0
    expect(page.locator("#retry")).to_be_disabled()
    page.get_by_role("button", name="二", exact=True).click()
    expect(page.locator("#answer")).to_have_text("第二个回答")
    expect(page.locator("#retry")).to_be_enabled()


def test_retrying_asks_the_last_question_again_in_its_place(page: Page, house: PageHouse):
    ask(page, "一")
    ask(page, "二")
    page.click("#retry")
    expect(page.locator("#retry")).to_be_enabled()
    assert outline(house.backend.asked[-1][0]) == outline(house.backend.asked[-2][0])
    expect(page.locator("#history .question")).to_have_count(2)


def test_times_and_counts_under_the_answer_are_the_servers(page: Page, house: PageHouse):
    choose(page, file())
    ask(page)
    expect(page.locator("#phase")).to_have_text(
        "排队 1.0 · 解码 2.0 · 编码 3.0 · 预填 4.0 · 首词 10 毫秒 · 图片缓存：设备 · 20 + 3 词元"
    )
    expect(page.locator("#waterfall i")).to_have_count(4)


def test_an_answer_that_was_cut_says_so(page: Page, house: PageHouse):
    house.says(text("很长"), Finish(index=0, reason="length"), USAGE)
    ask(page)
    expect(page.locator("#phase")).to_contain_text("到达最长回答，已截断")


def test_thinking_is_folded_with_its_length_and_apart_from_the_answer(page: Page, house: PageHouse):
    page.click("#open-settings")
    page.check("#set-thinking")
    page.keyboard.press("Escape")
    house.says(ReasoningDelta(index=0, text="先看看"), ReasoningDelta(index=0, text="颜色。"), *saying("红色"))
    ask(page)
    assert house.backend.asked[-1][0].thinking
    expect(page.locator("#reasoning-head")).to_have_text("思考过程（6 字）")
    expect(page.locator("#reasoning-text")).to_be_hidden()
    expect(page.locator("#answer")).to_have_text("红色")
    page.click("#reasoning-head")
    expect(page.locator("#reasoning-text")).to_have_text("先看看颜色。")


def test_settings_reach_the_request_and_impossible_ones_do_not(page: Page, house: PageHouse):
    page.click("#open-settings")
    page.fill("#set-temperature", "0.75")
    page.fill("#set-length", "77")
    page.click("#settings .main")
    ask(page)
    _, sampling = house.backend.asked[-1]
    assert (sampling.temperature, sampling.max_tokens) == (0.75, 77)
    page.click("#open-settings")
    page.fill("#set-temperature", "9")
    page.fill("#set-length", "")
    page.keyboard.press("Escape")
    ask(page)
    _, sampling = house.backend.asked[-1]
    assert (sampling.temperature, sampling.max_tokens) == (0, None)


def test_the_answer_is_copied_as_it_was_written(visit: Visit, house: PageHouse):
    page = visit(house, permissions=["clipboard-read", "clipboard-write"])
    house.says(*saying("**红色** 马克杯"))
    ask(page)
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("已复制")
    assert page.evaluate("navigator.clipboard.readText()") == "**红色** 马克杯"


def test_pictures_are_read_in_tiles_only_when_switched_on_and_the_reply_says_how_many(page: Page, house: PageHouse):
    choose(page, file())
    ask(page, "一")
    assert details(house) == ["auto"]
    assert "分块" not in page.locator("#phase").inner_text()
    page.click("#open-settings")
    page.check("#set-detail")
    page.click("#settings .main")
    house.says(text("好"), Finish(index=0, reason="stop"), replace(USAGE, picture_tiles=(6,)))
    ask(page, "二")
    assert details(house) == ["high"]
    expect(page.locator("#phase")).to_contain_text("分块 6")
    page.reload()
    expect(page.locator("#phase")).to_contain_text("分块 6")
    expect(page.locator("body")).to_be_focused()
    page.click("#fresh")
    house.says(text("好"), Finish(index=0, reason="stop"), replace(USAGE, picture_tiles=(0, 0)))
    ask(page, "三")
    expect(page.locator("#phase")).to_contain_text("无需分块")
    page.click("#open-settings")
    expect(page.locator("#set-detail")).to_be_checked()


def details(house: PageHouse) -> list[str]:
    messages = house.backend.asked[-1][0].messages
    return [part.detail for message in messages for part in message.parts if isinstance(part, PicturePart)]
