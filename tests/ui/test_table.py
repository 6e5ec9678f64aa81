"""A JSON answer is text while it is written and a table when it is whole; what is nested stays readable."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.server.scripted import saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse, pieces
from tests.ui.test_answer import ask
from tests.ui.test_looks import _SHIFTS

pytestmark = pytest.mark.browser

REPORT = {
    "device": "主变压器 <b>1</b> 号",
    "readings": [{"name": "油位", "value": 62, "unit": "%"}, {"name": "油温", "value": 45.5, "limit": {"max": 85}}],
    "findings": ["渗油", "锈_蚀_"],
    "is_safe": False,
    "next": None,
    "notes": [],
}


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def test_an_object_is_a_table_of_its_fields_and_what_is_nested_a_table_inside(page: Page, house: PageHouse):
    house.says(*saying(written(REPORT)))
    ask(page)
    fields = page.locator("#answer .sheet > table > tbody > tr > th")
    expect(fields).to_have_text(list(REPORT))
    inner = page.get_by_role("row", name="readings").first.locator("table").first
    expect(inner.locator("thead th")).to_have_text(["name", "value", "unit", "limit"])
    expect(inner.locator("> tbody > tr").last.locator("> td")).to_have_text(["油温", "45.5", "", "max85"])
    expect(page.locator("#answer ol li")).to_have_text(["渗油", "锈_蚀_"])
    expect(page.locator("#answer b")).to_have_count(0)
    expect(page.get_by_role("row", name="notes")).to_contain_text("（空）")


def test_the_text_itself_is_one_press_away_and_is_what_is_copied(visit: Visit, house: PageHouse):
    page = visit(house, permissions=["clipboard-read", "clipboard-write"])
    house.says(*saying(written(REPORT)))
    ask(page)
    page.click("#as-text")
    expect(page.locator("#answer")).to_have_text(written(REPORT))
    expect(page.locator("#answer table")).to_have_count(0)
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("已复制")
    assert page.evaluate("navigator.clipboard.readText()") == written(REPORT)
    page.click("#retry")
    expect(page.locator("#as-text")).to_have_attribute("aria-pressed", "true")
    page.click("#as-table")
    expect(page.locator("#answer table").first).to_be_visible()


@pytest.mark.parametrize("fence", ["```json\n%s\n```", "```\n%s\n```\n", " %s \n"])
def test_a_fenced_list_of_objects_is_a_table_by_rows(page: Page, house: PageHouse, fence: str):
    house.says(*saying(fence % written([{"a": 1, "b": "x"}, {"a": 2}])))
    ask(page)
    expect(page.locator("#answer thead th")).to_have_text(["a", "b"])
    expect(page.locator("#answer tbody td")).to_have_text(["1", "x", "2", ""])


@pytest.mark.parametrize("text", ["42", '"text"', "[链接](https://example.com)", '{"cut": "in the mid', "null"])
def test_other_answers_are_no_table(page: Page, house: PageHouse, text: str):
    house.says(*saying(text))
    ask(page)
    expect(page.locator("#answer table")).to_have_count(0)
    expect(page.locator("#view")).to_be_hidden()


def test_json_is_text_while_it_is_written_and_becoming_a_table_moves_nothing(page: Page, house: PageHouse):
    long = {f"field_{index}": "一段_很长_的*文字*" * 6 for index in range(30)}
    text = written(long)
    half = len(text) // 2
    parts = [text[at : at + 40] for at in range(0, len(text), 40)]
    house.says(*pieces(parts[: len(parts) // 2]), 1.0, *saying(*parts[len(parts) // 2 :]))
    page.click("#ask")
    expect(page.locator("#answer .raw")).to_contain_text(text[half - 60 : half - 40])
    page.evaluate(_SHIFTS)
    expect(page.locator("#answer table").first).to_be_visible()
    expect(page.locator("#ask")).to_be_enabled()
    assert page.evaluate("window.shifts") == []
    expect(page.locator("#answer tbody > tr")).to_have_count(30)


def test_deep_nesting_does_not_break_the_page(page: Page, house: PageHouse):
    text = '{"a":[' * 60 + "1" + "]}" * 60
    house.says(*saying(text))
    ask(page)
    expect(page.locator("#answer code")).to_contain_text('{"a":[{"a"')
