"""What survives a reload, what is really forgotten, language and light, and the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.server.scripted import saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file
from tests.ui.test_answer import ask, outline, text

pytestmark = pytest.mark.browser

PAPER = "getComputedStyle(document.body.parentElement).backgroundColor"
LIGHT, DARK = "rgb(251, 251, 249)", "rgb(19, 21, 22)"


def test_a_typed_question_survives_a_reload(page: Page):
    page.fill("#question", "还没有问完的")
    page.reload()
    expect(page.locator("#question")).to_have_value("还没有问完的")


def test_an_emptied_question_stays_empty(page: Page):
    page.fill("#question", "")
    page.reload()
    expect(page.locator("#question")).to_have_value("")


@pytest.mark.parametrize(
    ("locale", "question"), [("zh-CN", "请描述这张图片的内容"), ("en-GB", "Describe what is in this picture")]
)
def test_the_page_speaks_the_browsers_language(visit: Visit, house: PageHouse, locale: str, question: str):
    page = visit(house, locale=locale)
    expect(page.locator("#question")).to_have_value(question)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN" if locale == "zh-CN" else "en")


def test_language_switches_everything_and_is_kept(page: Page, house: PageHouse):
    house.says(*saying("a mug"))
    ask(page, "?")
    page.fill("#question", "请描述这张图片的内容")
    page.click("#language")
    page.reload()
    expect(page.locator("#question")).to_have_value("Describe what is in this picture")
    expect(page.locator("#ask")).to_contain_text("Ask")
    expect(page.locator("#status")).to_have_text("nano · CPU · ready")
    seen = page.locator("body").inner_text().replace("中文", "")
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in seen)


def test_a_language_switch_keeps_what_was_typed(page: Page):
    page.fill("#question", "我自己的问题")
    page.click("#language")
    expect(page.locator("#question")).to_have_value("我自己的问题")


@pytest.mark.parametrize(("scheme", "first", "second"), [("light", LIGHT, DARK), ("dark", DARK, LIGHT)])
def test_light_follows_the_system_until_it_is_switched_and_is_kept(
    visit: Visit, house: PageHouse, scheme: str, first: str, second: str
):
    page = visit(house, color_scheme=scheme)
    assert page.evaluate(PAPER) == first
    page.click("#light")
    assert page.evaluate(PAPER) == second
    page.reload()
    assert page.evaluate(PAPER) == second


def test_the_kept_light_is_there_before_the_first_paint(page: Page, house: PageHouse):
    """Without its modules the page must already be dark, or it would flash."""
    page.click("#light")
    page.route("**/js/main.js", lambda route: route.abort())
    page.goto(house.base)
    assert page.evaluate(PAPER) == DARK


def test_settings_are_kept_and_forgetting_forgets_everything(page: Page, house: PageHouse):
    page.fill("#question", "geheim")
    page.click("#open-settings")
    page.fill("#set-temperature", "1.5")
    page.fill("#set-key", "some-key-of-mine")
    page.click("#settings .main")
    page.reload()
    page.click("#open-settings")
    expect(page.locator("#set-temperature")).to_have_value("1.5")
    with page.expect_navigation():
        page.click("#forget")
    expect(page.locator("#question")).to_have_value("请描述这张图片的内容")
    page.click("#open-settings")
    expect(page.locator("#set-temperature")).to_have_value("0")
    expect(page.locator("#set-key")).to_have_value("")
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_setting_is_kept_when_its_field_is_left_not_only_when_the_dialog_closes(page: Page):
    page.click("#open-settings")
    page.fill("#set-temperature", "1.5")
    page.fill("#set-key", "some-key-of-mine")
    page.locator("#set-key").blur()
    page.reload()
    page.click("#open-settings")
    expect(page.locator("#set-temperature")).to_have_value("1.5")
    expect(page.locator("#set-key")).to_have_value("some-key-of-mine")


@pytest.mark.parametrize("damage", ["{", '"text"', "null", '{"temperature": {"a": 1}}'])
def test_a_damaged_memory_does_not_break_the_page(page: Page, damage: str):
    page.evaluate("text => localStorage.setItem('settings', text)", damage)
    page.evaluate("localStorage.setItem('language', 'klingon')")
    page.reload()
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    ask(page)
    expect(page.locator("#answer")).to_have_text("白杯")


def test_a_browser_that_keeps_nothing_is_served_all_the_same(visit: Visit, house: PageHouse):
    page = visit(house, path="/health")
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        "  Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    page.goto(house.base)
    ask(page)
    expect(page.locator("#answer")).to_have_text("白杯")
    page.click("#light")
    page.click("#language")


def test_pictures_and_keys_are_not_kept_on_disk(visit: Visit, house: PageHouse):
    page = visit(house, path="/#key=a-key-of-mine")
    choose(page, file())
    ask(page, "问题")
    assert set(page.evaluate("Object.keys(localStorage)")) <= {"draft", "language", "light", "settings", "turns"}
    written = page.evaluate("Object.values(localStorage).join()")
    assert "问题" in written
    assert "base64" not in written
    assert "a-key-of-mine" not in written


def test_the_keyboard_alone_reaches_everything_in_reading_order(page: Page):
    choose(page, file("a.png"), file("b.png"))
    ask(page)
    name = "(e => e.id || e.getAttribute('aria-label') || e.textContent)(document.activeElement)"
    page.focus("#fresh")
    order = [page.evaluate(name)]
    for _ in range(28):
        page.keyboard.press("Tab")
        order.append(page.evaluate(name))
    assert order == [
        *("fresh", "api", "language", "light", "open-keys", "open-settings", "drop"),
        *("移除 a.png", "前移 b.png", "移除 b.png"),
        *("question", "工单", "作业", "巡检", "商品", "安全", "界面", "对比", "审核", "example", "ask"),
        *("clear-turns", "请描述这张图片的内容", "改写：请描述这张图片的内容"),
        *("answer", "copy", "retry", "code", "download"),
    ]


def test_focus_is_always_visible(page: Page):
    for _ in range(8):
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "2px"


def test_a_question_is_asked_and_stopped_without_a_mouse(page: Page, house: PageHouse):
    house.says(text("一"), 30.0)
    page.focus("#question")
    page.keyboard.press("Control+A")
    page.keyboard.type("有几个?")
    page.keyboard.press("Enter")
    page.keyboard.type("第二行")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_have_text("一")
    page.keyboard.press("Escape")
    expect(page.locator("#phase")).to_have_text("已停止")
    expect(page.locator("#question")).to_be_focused()
    assert outline(house.backend.asked[-1][0]) == [("user", 0, "有几个?\n第二行")]


def test_asking_by_the_button_leaves_the_focus_where_the_keyboard_can_go_on(page: Page, house: PageHouse):
    house.says(text("一"), 30.0, *saying("二"))
    page.focus("#ask")
    page.keyboard.press("Enter")
    expect(page.locator("#stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_focused()


def test_escape_in_the_settings_closes_them_and_stops_nothing(page: Page, house: PageHouse):
    house.says(text("一"), 1.5, *saying("二"))
    page.click("#ask")
    page.click("#open-settings")
    page.keyboard.press("Escape")
    expect(page.locator("#settings")).to_be_hidden()
    expect(page.locator("#answer")).to_have_text("一二")


def test_one_key_changes_the_language_and_all_keys_are_listed(page: Page):
    page.locator("#drop").focus()
    page.keyboard.press("l")
    expect(page.locator("#ask")).to_contain_text("Ask")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("New chat")
    page.keyboard.press("l")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.locator("#ask")).to_contain_text("Ask")
    page.keyboard.press("n")
    expect(page.locator("#question")).to_have_value("Describe what is in this picture")
    page.keyboard.press("q")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("lndq?")
    expect(page.locator("#question")).to_have_value("Describe what is in this picturelndq?")


def test_letters_can_be_left_to_the_browser(page: Page):
    page.click("#open-settings")
    page.uncheck("#set-keys")
    page.click("#settings .main")
    page.locator("#drop").focus()
    page.keyboard.press("l")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.locator("#ask")).to_contain_text("提问")


def test_a_menu_is_opened_walked_and_left_by_the_keyboard(page: Page):
    ask(page)
    page.locator("#code").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#code-curl")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#code-javascript")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#code-menu")).to_be_hidden()
    expect(page.locator("#code")).to_be_focused()


def test_one_slip_of_the_finger_does_not_take_the_conversation_away(page: Page):
    ask(page, "一")
    page.locator("#drop").focus()
    page.keyboard.press("n")
    expect(page.locator("#history .question")).to_have_text(["一"])
    page.keyboard.press("Shift+N")
    expect(page.locator("#history li")).to_have_count(0)


def test_a_browser_without_room_keeps_nothing_rather_than_the_past(page: Page):
    ask(page, "一")
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'x'); }; }")
    ask(page, "二")
    expect(page.locator("#history .question")).to_have_text(["一", "二"])
    page.reload()
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    expect(page.locator("#history li")).to_have_count(0)
