"""How sure the model was, beside the answer: counted from the probabilities of the tokens that the server sent."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import Delta, TextDelta, TextLogprob
from tests.server.scripted import saying
from tests.ui.house import PageHouse
from tests.ui.test_answer import ask

pytestmark = pytest.mark.browser


def spoken(*tokens: tuple[str | bytes, float]) -> list[Delta]:
    """Pieces with their probabilities; half a character comes with the piece that completes it."""
    deltas: list[Delta] = []
    held: list[TextLogprob] = []
    for token, probability in tokens:
        content = token.encode() if isinstance(token, str) else token
        shown = content.decode("utf-8", "replace")
        held.append(TextLogprob(token=shown, token_bytes=content, logprob=math.log(probability)))
        whole = b"".join(one.token_bytes for one in held)
        try:
            deltas.append(TextDelta(index=0, text=whole.decode(), logprobs=tuple(held)))
        except UnicodeDecodeError:
            continue
        held = []
    return [*deltas, *saying()]


def test_the_mean_is_told_and_where_the_model_was_least_sure(page: Page, house: PageHouse):
    house.says(*spoken(("这是", 0.98), ("陶瓷", 0.4), ("杯", 0.95), ("。", 0.1)))
    ask(page)
    mean = math.floor(100 * (0.98 * 0.4 * 0.95 * 0.1) ** (1 / 4))
    expect(page.locator("#sure")).to_have_text(f"把握 {mean} %，最没把握的是“陶瓷”（40 %）")
    expect(page.locator("#sure")).to_have_attribute("title", "模型给回答各个词元的概率的平均；不等于正确率")
    assert house.backend.asked[-1][1].logprobs
    page.click("#language")
    expect(page.locator("#sure")).to_have_text(f"sure {mean} %, least of “陶瓷” (40 %)")


@pytest.mark.parametrize(
    ("tokens", "word"),
    [
        ([("Blue", 0.9), (" head", 0.8), ("phones", 0.3), (".", 0.9)], "headphones"),
        ([("It is", 0.9), (" pla", 0.3), ("stic", 0.9)], "plastic"),
        ([("only $", 0.9), ("59", 0.5), (".90", 0.9)], "59.90"),
        ([("🦉", 0.9), (b"\xe7\x8c\xab\xe5\xa4", 0.2), (b"\xb4\xe9\xb9\xb0", 0.6), ("。", 0.9)], "猫头鹰"),
    ],
)
def test_the_whole_word_is_named_however_it_was_cut_into_tokens(
    page: Page, house: PageHouse, tokens: list[tuple[str | bytes, float]], word: str
):
    house.says(*spoken(*tokens))
    ask(page)
    expect(page.locator("#sure")).to_contain_text(f"“{word}”")


def test_it_is_never_said_to_be_more_than_it_was(page: Page, house: PageHouse):
    house.says(*spoken(("白", 0.999), ("杯", 0.9999)))
    ask(page)
    expect(page.locator("#sure")).to_have_text("把握 99 %")


def test_nothing_is_said_where_nothing_is_known(page: Page, house: PageHouse):
    ask(page)
    expect(page.locator("#answer")).to_have_text("白杯")
    expect(page.locator("#sure")).to_have_text("")


def test_it_belongs_to_its_answer_and_is_kept_and_downloaded_with_it(page: Page, house: PageHouse):
    house.says(*spoken(("红", 0.5)))
    ask(page, "一")
    house.says(*spoken(("蓝", 0.95)))
    ask(page, "二")
    expect(page.locator("#sure")).to_have_text("把握 95 %")
    page.get_by_role("button", name="一", exact=True).click()
    expect(page.locator("#sure")).to_have_text("把握 50 %，最没把握的是“红”（50 %）")
    page.reload()
    expect(page.locator("#sure")).to_have_text("把握 95 %")
    page.click("#download")
    with page.expect_download() as saved:
        page.click("#save-json")
    turns = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))["turns"]
    assert [turn["sureness"] for turn in turns] == [
        {"mean": 50, "word": "红", "least": 50},
        {"mean": 95, "word": None, "least": None},
    ]
    page.click("#fresh")
    expect(page.locator("#sure")).to_have_text("")
