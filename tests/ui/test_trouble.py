"""What a person reads when something is wrong: the reason, the limit, the fix, in their language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import flashsight
from flashsight.core.config import ServerConfig
from flashsight.core.errors import EngineFault, FlashSightError, Overloaded, PromptTooLong
from tests.server.scripted import saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file, mug
from tests.ui.test_answer import ask, outline, text

pytestmark = pytest.mark.browser

KEY = "a-key-of-the-house"


def noise(num_bytes: int) -> bytes:
    """A PNG that is padded behind its end, as large as asked for."""
    return mug((32, 32)) + bytes(num_bytes)


@pytest.mark.parametrize(
    ("picture", "zh", "en"),
    [
        (mug((32, 4)), ["图片太小", "32×4", "至少要 8 像素", "换一张大一些"], ["too small", "32 x 4", "at least 8"]),
        (mug((500, 20)), ["太狭长", "500×20", "20 倍", "裁剪"], ["too narrow", "at most 20 times", "crop"]),
        (mug((1200, 1000)), ["像素太多", "1200×1000", "1000000", "缩小"], ["Too many pixels", "scale it down"]),
        (noise(100_000), ["图片太大", "97.8 kB", "62.5 kB", "压缩"], ["too large", "64000", "more compressed"]),
        (mug()[:20], ["损坏", "重新导出"], ["cannot be read", "damaged", "export it again"]),
    ],
    ids=["small", "narrow", "pixels", "bytes", "damaged"],
)
def test_a_refused_picture_is_named_with_reason_limit_and_fix(
    page: Page, house: PageHouse, picture: bytes, zh: list[str], en: list[str]
):
    choose(page, file("good.png"), file("photo.heic", picture))
    ask(page)
    trouble = page.locator("#trouble")
    for words in ["第 2 张图片", "photo.heic", *zh]:
        expect(trouble).to_contain_text(words)
    expect(page.locator("#pictures .refused .name")).to_have_text("2 · photo.heic")
    page.click("#language")
    for words in ["Picture 2", "photo.heic", *en]:
        expect(trouble).to_contain_text(words)
    assert not re.search(r"[\u4e00-\u9fff]", trouble.inner_text())
    assert house.backend.asked == []
    page.get_by_role("button", name="Remove photo.heic").click()
    ask(page)
    expect(trouble).to_be_hidden()
    expect(page.locator("#answer")).to_have_text("白杯")


@pytest.mark.parametrize("num_bytes", [200_000, 6_000_000])
def test_a_body_beyond_the_limit_is_refused_in_words_though_it_is_still_being_sent(visit: Visit, num_bytes: int):
    house = PageHouse(config=ServerConfig(max_body_bytes=100_000))
    house.open()
    house.start()
    try:
        page = visit(house)
        choose(page, file("large.png", noise(num_bytes)))
        ask(page)
        expect(page.locator("#trouble")).to_contain_text("请求超过了 97.7 kB 的上限")
    finally:
        house.stop()


def test_too_many_pictures_are_counted(page: Page):
    choose(page, *(file(f"{index}.png") for index in range(4)))
    ask(page)
    expect(page.locator("#trouble")).to_contain_text("共有 4 张图片，上限是 3 张")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            PromptTooLong("prompt has 9120 tokens (8000 of them are pictures), the limit is 8191; send smaller ones"),
            "提问有 9120 个词元（其中图片 8000 个），上限是 8191",
        ),
        (
            Overloaded("256 requests are waiting, the limit is 256; try again in about 7 s", retry_after_seconds=7),
            "约 7 秒后重试",
        ),
        (EngineFault("the engine failed on this request"), "服务出错了"),
        (FlashSightError("something new", code="a_code_of_tomorrow"), "服务出错了"),
    ],
    ids=["long", "busy", "fault", "unknown"],
)
def test_other_refusals_say_what_to_do(page: Page, house: PageHouse, error: FlashSightError, words: str):
    house.says(error)
    ask(page)
    expect(page.locator("#trouble")).to_contain_text(words)


def test_an_error_in_the_middle_keeps_what_had_arrived(page: Page, house: PageHouse):
    house.says(text("一只"), 0.2, EngineFault("the engine failed on this request"))
    ask(page)
    expect(page.locator("#trouble")).to_contain_text("服务出错了")
    expect(page.locator("#answer")).to_have_text("一只")


def test_every_code_of_the_product_has_a_sentence_in_both_languages(page: Page):
    """The codes are found in the source, not in the page's own table."""
    found: set[str] = set()
    package = Path(flashsight.__file__).parent
    for layer in ("core/errors.py", "engine", "guard", "processing", "server", "service"):
        path = package / layer
        for file_ in [path] if path.is_file() else path.rglob("*.py"):
            found.update(re.findall(r'\bcode(?:: str)? ?= ?"(\w+)"', file_.read_text(encoding="utf-8")))
    found -= {"bad_setting", "bad_checkpoint", "out_of_memory"}  # told before anything is served
    found -= {"picture_missing", "picture_changed"}  # told by the rating page, which has words of its own
    assert len(found) > 20
    tables = page.evaluate("Promise.all(['zh', 'en'].map(l => import(`/js/words/${l}.js`).then(m => m.default)))")
    for table in tables:
        assert sorted(code for code in found if not table.get(f"refused.{code}")) == []
    assert sorted(code for code in found if not tables[0].get(f"reason.{code}")) == []


def test_both_languages_have_the_same_sentences_with_the_same_gaps(page: Page):
    zh, en = page.evaluate("Promise.all(['zh', 'en'].map(l => import(`/js/words/${l}.js`).then(m => m.default)))")
    gaps = re.compile(r"\{\w+\}")
    assert {name for name in zh if not name.startswith("reason.")} == {n for n in en if not n.startswith("reason.")}
    assert {n for n in en if n.startswith("reason.")} <= set(zh)
    assert [name for name in en if set(gaps.findall(en[name])) != set(gaps.findall(zh[name]))] == []
    assert [name for name in en if re.search(r"[\u4e00-\u9fff]", en[name])] == ["tool.language"]


def test_an_empty_question_is_not_sent(page: Page, house: PageHouse):
    page.fill("#question", "   ")
    page.click("#ask")
    expect(page.locator("#trouble")).to_have_text("先写一个问题。")
    expect(page.locator("#answer-empty")).to_be_hidden()
    assert house.backend.asked == []


def test_when_the_server_goes_the_page_says_so_keeps_the_draft_and_comes_back(visit: Visit):
    house = PageHouse()
    house.open()
    house.start()
    page = visit(house)
    try:
        expect(page.locator("#status")).to_have_text("nano · CPU · 就绪")
        choose(page, file())
        page.fill("#question", "我的草稿")
        house.says(text("说到一半"), 60.0)
        page.click("#ask")
        expect(page.locator("#answer")).to_have_text("说到一半")
    finally:
        house.stop()
    expect(page.locator("#trouble")).to_contain_text("连接中断")
    expect(page.locator("#trouble")).to_contain_text("已收到的内容保留在上面")
    expect(page.locator("#answer")).to_have_text("说到一半")
    expect(page.locator("#status")).to_have_text("服务不在线，正在重连；草稿已保留")
    page.click("#retry")
    expect(page.locator("#trouble")).to_contain_text("还没有收到内容")
    house.says(*saying("说完了"))
    house.start()
    try:
        expect(page.locator("#status")).to_have_text("nano · CPU · 就绪")
        expect(page.locator("#question")).to_have_value("我的草稿")
        page.click("#retry")
        expect(page.locator("#answer")).to_have_text("说完了")
        assert outline(house.backend.asked[-1][0]) == [("user", 1, "我的草稿")]
    finally:
        house.stop()


def test_a_model_that_is_loading_says_what_it_does_and_for_how_long(visit: Visit):
    house = PageHouse()
    house.start()
    try:
        house.readiness.enter("reading weights, 40 %")
        page = visit(house)
        expect(page.locator("#status")).to_have_text(re.compile(r"^正在加载模型：读取权重 40 %，\d+ 秒$"))
        expect(page.locator("#status")).to_have_text(re.compile(r"，([2-9]|\d\d) 秒$"))
        page.click("#ask")
        expect(page.locator("#trouble")).to_contain_text("模型还在加载")
        page.click("#language")
        expect(page.locator("#status")).to_have_text(re.compile(r"^Loading the model: reading weights 40 %, \d+ s$"))
        house.open()
        expect(page.locator("#status")).to_have_text("nano · CPU · ready")
        page.click("#retry")
        expect(page.locator("#answer")).to_have_text("白杯")
    finally:
        house.stop()


def test_a_model_that_could_not_be_loaded_says_where_the_reason_is(visit: Visit):
    house = PageHouse()
    house.start()
    try:
        house.readiness.fail()
        page = visit(house)
        expect(page.locator("#status")).to_have_text("模型加载失败，原因见服务日志")
    finally:
        house.stop()


@pytest.fixture
def locked_house():
    house = PageHouse(config=ServerConfig(api_keys=(KEY,)))
    house.open()
    house.start()
    yield house
    house.stop()


def test_a_missing_key_is_asked_for_and_the_question_is_then_asked_again(visit: Visit, locked_house: PageHouse):
    page = visit(locked_house)
    page.click("#ask")
    expect(page.locator("#trouble")).to_contain_text("这个服务要求 API 密钥")
    page.get_by_role("button", name="填写密钥").click()
    expect(page.locator("#set-key")).to_be_focused()
    page.keyboard.type("a-wrong-key")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_contain_text("not one of this server's", ignore_case=True)
    page.get_by_role("button", name="填写密钥").click()
    page.fill("#set-key", KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("白杯")
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_key_in_the_address_is_used_and_disappears(visit: Visit, locked_house: PageHouse):
    page = visit(locked_house, path=f"/#key={KEY}")
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    assert page.url == f"{locked_house.base}/"
    page.click("#ask")
    expect(page.locator("#answer")).to_have_text("白杯")
    assert page.evaluate("Object.values(localStorage).join().includes('a-key')") is False
    page.reload()
    page.click("#ask")
    expect(page.locator("#answer")).to_have_text("白杯")
