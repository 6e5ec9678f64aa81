"""Scene chips: they fill in the question and send the schema while they are pressed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import Constraint, JsonConstraint
from flashsight.presets import load_presets
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file
from tests.ui.test_answer import ask, outline
from tests.ui.test_looks import _SHIFTS

pytestmark = pytest.mark.browser
PRESETS = load_presets()


def constraint(house: PageHouse) -> Constraint | None:
    return house.backend.asked[-1][1].constraint


def test_a_chip_fills_in_its_question_and_sends_its_schema_until_it_is_released(page: Page, house: PageHouse):
    chip = page.get_by_role("button", name="商品", exact=True)
    chip.click()
    expect(page.locator("#question")).to_have_value(PRESETS["product"].prompt.zh)
    ask(page)
    assert outline(house.backend.asked[-1][0])[-1] == ("user", 0, PRESETS["product"].prompt.zh)
    sent = constraint(house)
    assert isinstance(sent, JsonConstraint)
    assert sent.schema == PRESETS["product"].schema
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#question")).to_have_value(PRESETS["product"].prompt.zh)
    ask(page)
    assert constraint(house) is None


def test_only_one_chip_is_pressed_and_the_keyboard_reaches_it(page: Page, house: PageHouse):
    page.get_by_role("button", name="商品", exact=True).click()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("#scenes [aria-pressed=true]")).to_have_text("巡检")
    ask(page, "改过的问题")
    sent = constraint(house)
    assert isinstance(sent, JsonConstraint)
    assert sent.schema == PRESETS["inspection"].schema
    page.get_by_role("button", name="工单", exact=True).click()
    ask(page)
    assert house.backend.asked[-1][1].max_tokens == PRESETS["ticket"].sampling.max_tokens


def test_chips_survive_a_reload_follow_the_language_and_end_with_the_conversation(page: Page):
    page.get_by_role("button", name="审核", exact=True).click()
    page.reload()
    expect(page.locator("#scenes [aria-pressed=true]")).to_have_text("审核")
    page.click("#language")
    expect(page.locator("#scenes [aria-pressed=true]")).to_have_text("Moderation")
    expect(page.locator("#question")).to_have_value(PRESETS["moderation"].prompt.en)
    page.click("#fresh")
    expect(page.locator("#scenes [aria-pressed=true]")).to_have_count(0)


def test_a_server_without_scenes_shows_no_chips(visit: Visit, house: PageHouse):
    page = visit(house, path="/health")
    page.route("**/v1/presets", lambda route: route.fulfill(status=404, json={}))
    page.goto(house.base)
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    expect(page.locator("#scenes")).to_be_hidden()


def test_where_nothing_can_be_stored_a_chip_still_lends_its_schema(visit: Visit, house: PageHouse):
    page = visit(house, path="/health")
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    page.goto(house.base)
    page.get_by_role("button", name="商品", exact=True).click()
    expect(page.locator("#scenes [aria-pressed=true]")).to_have_text("商品")
    ask(page)
    sent = constraint(house)
    assert isinstance(sent, JsonConstraint)
    assert sent.schema == PRESETS["product"].schema


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_eight_chips_take_two_rows_and_pressing_one_moves_nothing(visit: Visit, house: PageHouse, locale: str):
    page = visit(house, locale=locale)
    chips = page.locator("#scenes button")
    expect(chips).to_have_count(8)
    chips.nth(2).click()
    assert len({chip.bounding_box()["y"] for chip in chips.all()}) == 2  # type: ignore[index]
    assert chips.evaluate_all("chips => chips.filter((chip) => chip.scrollWidth > chip.clientWidth)") == []
    page.evaluate(_SHIFTS)
    chips.nth(7).click()
    expect(chips.nth(7)).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(200)
    assert page.evaluate("window.shifts") == []


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_every_scene_has_an_example_picture_one_press_away(visit: Visit, house: PageHouse, locale: str):
    page = visit(house, locale=locale)
    pictures = page.locator("#pictures img")
    for name, preset in PRESETS.items():
        title = preset.title.zh if locale == "zh-CN" else preset.title.en
        page.get_by_role("button", name=title, exact=True).click()
        page.click("#example")
        expect(pictures).to_have_count(2 if name == "difference" else 1)
        expect(page.locator("#pictures .name").first).to_contain_text(f"{name}")


def test_an_example_leaves_a_persons_own_pictures_alone(page: Page, house: PageHouse):
    choose(page, file("own.png"))
    page.click("#example")
    expect(page.locator("#pictures img")).to_have_count(2)
    page.get_by_role("button", name="安全", exact=True).click()
    page.click("#example")
    expect(page.locator("#pictures .name")).to_have_text(["1 · own.png", "2 · safety.png"])
    ask(page)
    assert outline(house.backend.asked[-1][0])[0][1] == 2


def test_the_model_inside_the_package_is_not_praised_for_scenes_that_it_never_learnt(page: Page, house: PageHouse):
    hint, language = page.locator("#scene-hint"), page.locator("#language")
    page.get_by_role("button", name="审核", exact=True).click()
    expect(hint).to_have_text(PRESETS["moderation"].hint.zh)
    house.about["model"] = "nano"
    page.reload()
    expect(hint).to_have_text(f"{PRESETS['moderation'].hint.zh}。内置小模型没有学过这个场景，回答不可信")
    language.click()
    expect(hint).to_contain_text("The built-in model has not learnt this scene")
    page.get_by_role("button", name="Ticket", exact=True).click()
    expect(hint).to_have_text(PRESETS["ticket"].hint.en)
