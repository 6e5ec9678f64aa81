"""Nothing jumps, nothing is cut off, nothing is unreadable: sizes, motion, weight, and what axe-core says of it all."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import Box, Finish
from tests.server.scripted import USAGE, saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse, pieces
from tests.ui.pictures import choose, file, mug
from tests.ui.test_answer import ask, text

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "assets" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}

_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const moved = entry.sources.map((s) => s.node?.id || s.node?.className || s.node?.nodeName);
      window.shifts.push([entry.value, moved.join(" ")]);
    }
  }).observe({ type: "layout-shift", buffered: false });
}"""


def serious_faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{fault['id']}: {node['html'][:120]} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical", "moderate")
        for node in fault["nodes"]
    ]


FOUND = '{"name": "杯", "parts": [{"label": "杯身", "bbox_2d": [0, 0, 500, 500]}], "none": null, "tags": []}'
BOX = Box(picture=0, left=0, top=0, right=160, bottom=120, label="杯身")


@pytest.mark.parametrize(
    ("viewport", "scheme", "locale"),
    [(DESKTOP, "light", "zh-CN"), (DESKTOP, "dark", "en-GB"), (PHONE, "dark", "zh-CN"), (PHONE, "light", "en-GB")],
    ids=["desktop-light-zh-CN", "desktop-dark-en-GB", "phone-dark-zh-CN", "phone-light-en-GB"],  # every pair of two
)
def test_axe_finds_nothing_in_any_state(visit: Visit, house: PageHouse, viewport: Any, scheme: str, locale: str):
    page = visit(house, viewport=viewport, color_scheme=scheme, locale=locale, reduced_motion="reduce")
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    faults = {"empty": serious_faults(page)}
    house.says(text("**半**句"), 30.0)
    page.click("#ask")
    expect(page.locator("#answer")).to_have_text("半句")
    faults["streaming"] = serious_faults(page)
    page.keyboard.press("Escape")
    choose(page, file("a.png"))
    house.says(text(FOUND), Finish(index=0, reason="stop", boxes=(BOX,)), USAGE)
    ask(page, "找")
    page.locator(".box").focus()
    faults["boxes and table"] = serious_faults(page)
    house.says(*saying("| a | b |\n|--|--|\n| `c` | [d](https://example.com) |\n\n> e\n\n```\nf\n```"))
    ask(page, "再问")
    choose(page, file("tiny.png", mug((4, 4))))
    ask(page, "又问")
    expect(page.locator("#trouble")).to_be_visible()
    faults["refused"] = serious_faults(page)
    page.get_by_role("button", name="再问", exact=True).click()
    page.locator("#history .sign").first.click()
    faults["answered, editing"] = serious_faults(page)
    page.click("#download")
    faults["menu"] = serious_faults(page)
    page.keyboard.press("Escape")
    for button, dialog in (("#open-settings", "#settings"), ("#open-keys", "#keys")):
        page.evaluate("button => document.querySelector(button).click()", button)
        expect(page.locator(dialog)).to_be_visible()
        faults[dialog] = serious_faults(page)
        page.keyboard.press("Escape")
    assert {state: found for state, found in faults.items() if found} == {}


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 320, "height": 568}], ids=["desktop", "phone", "small"])
def test_nothing_is_cut_off_sideways(visit: Visit, house: PageHouse, viewport: Any):
    page = visit(house, viewport=viewport)
    choose(page, file("很长的名字" * 20 + ".png"), file("b.png", mug((60, 900))))
    house.says(
        *saying("很长" * 200 + "x" * 400 + "\n\n```\n" + "y" * 500 + "\n```\n\n|" + "a|" * 40 + "\n|" + "-|" * 40)
    )
    for language in range(2):
        ask(page, "一个很长的问题" * 30)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], language
        for selector in ("button", "textarea", "h1", "h2", "#status", "#answer", "#phase"):
            for box in (one.bounding_box() for one in page.locator(selector).all()):
                assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"] + 1), selector
        page.click("#language")


@pytest.mark.parametrize("width", [320, 390, 768, 861, 1024, 1180, 1181, 1366, 1920])
def test_no_word_on_a_button_is_cut_off(visit: Visit, house: PageHouse, width: int):
    page = visit(house, viewport={"width": width, "height": 768}, locale="en-GB")
    expect(page.locator("#scenes button")).to_have_count(8)
    for language in ("en", "zh"):
        cut = page.locator("button:visible, a:visible").evaluate_all(
            "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
        )
        assert cut == [], language
        page.click("#language")


def test_a_line_of_an_answer_stays_readable_on_a_wide_screen(visit: Visit, house: PageHouse):
    page = visit(house, viewport={"width": 3840, "height": 1200})
    house.says(*saying("很长的一段话。" * 200))
    ask(page, "一")
    box = page.locator("#answer p").bounding_box()
    assert box is not None
    assert box["width"] <= 52 * 16


def test_without_scripts_the_page_says_what_it_needs(visit: Visit, house: PageHouse):
    page = visit(house, java_script_enabled=False)
    assert "This page needs JavaScript" in page.locator("noscript").inner_text()


def test_on_a_desktop_everything_one_needs_is_in_view_at_once(page: Page):
    for selector in ("#drop", "#question", "#ask", "#stop", "#answer", "#copy", "#retry", "#code"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 768, selector


def test_on_a_phone_asking_brings_the_answer_into_view_and_fingers_hit_every_button(visit: Visit, house: PageHouse):
    page = visit(house, viewport=PHONE, reduced_motion="reduce", has_touch=True)
    choose(page, file())
    ask(page)
    expect(page.locator("#answer")).to_be_in_viewport()
    for button in page.locator("main button:visible, header button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, button.inner_text()


def tokens(count: int) -> list[str]:
    """Words, Chinese characters, marks and paragraphs, none of them Markdown's own signs."""
    chance = random.Random(7)
    letters = ["红", "色", "的", "杯", "子", "，", "。", " mug", " with", " handle", " 128", "！"]
    return ["\n\n" if index % 90 == 89 else chance.choice(letters) for index in range(count)]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_two_thousand_tokens_arrive_whole_and_move_nothing(visit: Visit, house: PageHouse, viewport: Any):
    page = visit(house, viewport=viewport, reduced_motion="reduce")
    choose(page, file())
    stream = tokens(2000)
    script: list[Any] = []
    for start in range(0, len(stream), 20):
        script += [*pieces(stream[start : start + 20]), 0.01]
    house.says(1.0, *script, *saying("。"))
    page.click("#ask")
    expect(page.locator("#answer")).to_be_in_viewport()
    page.wait_for_timeout(600)
    page.evaluate(_SHIFTS)
    expect(page.locator("#ask")).to_be_enabled(timeout=60_000)
    assert page.evaluate("window.shifts") == []
    shown = page.locator("#answer").inner_text()
    assert "".join(shown.split()) == "".join("".join([*stream, "。"]).split())


def test_a_growing_answer_is_followed_unless_the_reader_scrolled_back(page: Page, house: PageHouse):
    lines = [f"第 {index} 行\n\n" for index in range(60)]
    house.says(*pieces(lines), 1.5, *pieces(lines), 30.0)
    page.click("#ask")
    expect(page.locator("#answer")).to_contain_text("第 59 行")
    answer = page.locator("#answer")
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 4"
    assert answer.evaluate(at_end)
    answer.evaluate("box => (box.scrollTop = 100)")
    expect(answer.locator("p")).to_have_count(120)
    assert answer.evaluate("box => box.scrollTop") == 100


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "blink")])
def test_motion_is_left_out_where_it_is_not_wanted(visit: Visit, house: PageHouse, motion: str, name: str):
    page = visit(house, reduced_motion=motion)
    house.says(30.0)
    page.click("#ask")
    expect(page.locator("#answer.waiting")).to_be_attached()
    style = "getComputedStyle(document.querySelector('#answer > :last-child'), '::after').animationName"
    assert page.evaluate(style) == name


def test_the_whole_page_weighs_less_than_400_kb(visit: Visit, house: PageHouse):
    page = visit(house, path="/health")
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto(house.base, wait_until="networkidle")
    assert len(sizes) > 10
    assert sum(sizes) < 400_000
