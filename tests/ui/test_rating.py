"""The rating page in real Chromium: by keyboard, in both languages, kept at once, blind between two rounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flashsight.workbench.rating_records import RatingRow, Said
from flashsight.workbench.rating_store import RatingStore
from flashsight.workbench.ratings import read_ratings, store_of
from tests.ui.conftest import Visit
from tests.ui.rating_house import RatingHouse, draw_pictures, rated_run
from tests.ui.test_looks import DESKTOP, PHONE, serious_faults

pytestmark = pytest.mark.browser

NAMES = [f"mug_{at}.png" for at in range(6)]
ANSWERS = {
    name: {"category": "杯子", "color": "红", "marketing_copy": f"第{at}款手感温润的马克杯"}
    for at, name in enumerate(NAMES)
}
MARGINS = {name: {"category": 0.99, "color": 0.9 - 0.15 * at} for at, name in enumerate(NAMES)}
BOX = {"picture": 0, "left": 200, "top": 90, "right": 440, "bottom": 390, "label": "color"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RatingHouse]:
    draw_pictures(tmp_path / "shop", NAMES)
    house = RatingHouse(rated_run(tmp_path / "run1", ANSWERS, pictures=tmp_path / "shop", margins=MARGINS, boxes=[BOX]))
    house.start()
    yield house
    house.stop()


@pytest.fixture
def page(visit: Visit, house: RatingHouse) -> Page:
    opened = visit(house, path="/workbench")  # type: ignore[arg-type]
    expect(opened.locator("#dot")).to_have_attribute("data-state", "ready")
    return opened


def said(house: RatingHouse) -> dict[str, Any]:
    return {row.item: row.said for row in read_ratings(house.run)}


def deliver(page: Page) -> None:
    """Wait until the page has nothing left to send."""
    for _ in range(300):
        if not page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('unsent ')).length"):
            return
        page.wait_for_timeout(50)
    pytest.fail("the page still keeps what the server has not confirmed")


def shown(page: Page) -> str:
    return page.locator("#queue [aria-current=true] .name").inner_text()


def test_the_most_doubtful_comes_first_with_its_picture_fields_margins_and_box(page: Page):
    assert page.locator("#queue .name").all_inner_texts() == NAMES[::-1]
    expect(page.locator("#fields tr").nth(1)).to_contain_text("红")
    expect(page.locator("#fields .margin.low")).to_have_text("0.15")
    expect(page.locator("#margins")).to_have_text("右侧：把握，0 到 1")
    expect(page.locator("#pictures img")).to_have_js_property("naturalWidth", 640)
    box = page.locator("#pictures g[data-label=color] rect")
    assert [box.get_attribute(name) for name in ("x", "y", "width", "height")] == ["200", "90", "240", "300"]
    page.hover("#fields tr:nth-child(2)")
    expect(page.locator("#pictures g")).to_have_class("lit")


def test_a_person_rates_by_keyboard_alone(page: Page, house: RatingHouse):
    page.keyboard.press("4")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("4")
    page.keyboard.press("q")
    page.keyboard.press("a")
    page.keyboard.press("c")
    page.keyboard.press("End")
    page.keyboard.type("!!")
    expect(page.locator("#distance")).to_have_text("改动 2 个字")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.keyboard.type("光线 暗")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#tags [aria-pressed=true]")).to_have_count(2)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    assert shown(page) == NAMES[4]
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("2")
    expect(page.locator("#status")).to_have_text("run1：已评 2 / 6")
    page.reload()
    expect(page.locator("#status")).to_have_text("run1：已评 2 / 6")
    deliver(page)
    first = said(house)[NAMES[5]]
    assert (first.score, first.tags, first.is_accepted) == (4, ("wrong_color", "光线 暗"), True)
    assert first.corrected == "第5款手感温润的马克杯!!"
    assert {row.item: row.edit_distance for row in read_ratings(house.run)} == {NAMES[5]: 2, NAMES[4]: None}


def test_undo_takes_back_the_last_word_even_after_a_reload_and_goes_there(page: Page, house: RatingHouse):
    page.keyboard.press("3")
    page.keyboard.press("5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    expect(page.locator("#status")).to_have_text("run1：已评 2 / 6")
    deliver(page)
    page.reload()
    expect(page.locator("#status")).to_have_text("run1：已评 2 / 6")
    page.keyboard.press("u")
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    page.keyboard.press("u")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("3")
    assert shown(page) == NAMES[5]
    page.keyboard.press("u")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("#trouble")).to_have_text("没有可撤销的")
    assert said(house) == {}
    assert len(store_of(house.run).history()) == 6


def test_a_taken_back_correction_does_not_come_again(page: Page, house: RatingHouse):
    page.locator("#corrected").fill("别的文案")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    page.locator("#queue .said").first.wait_for()
    page.click("#undo")
    expect(page.locator("#corrected")).to_have_value("第5款手感温润的马克杯")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#status")).to_have_text("run1：已评 0 / 6")
    assert said(house) == {}


def test_one_key_changes_the_language_and_the_choice_lasts(page: Page):
    page.keyboard.press("l")
    expect(page.locator("#status")).to_have_text("run1: 0 of 6 rated")
    expect(page.locator("#tags button").first).to_contain_text("wrong color")
    page.reload()
    expect(page.locator("#head-score")).to_have_text("Rating")
    page.keyboard.press("l")
    expect(page.locator("#head-score")).to_have_text("评分")


def test_work_goes_on_where_it_was_left(page: Page):
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.reload()
    expect(page.locator("#queue [aria-current=true] .name")).to_have_text(NAMES[3])
    page.select_option("#order", "run")
    assert page.locator("#queue .name").all_inner_texts() == NAMES
    expect(page.locator("#queue [aria-current=true] .name")).to_have_text(NAMES[3])


def test_two_people_have_their_own_ratings(page: Page, visit: Visit, house: RatingHouse):
    page.keyboard.press("4")
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    other = visit(house, path="/workbench", locale="en-GB")  # type: ignore[arg-type]
    expect(other.locator("#status")).to_have_text("run1: 0 of 6 rated")
    other.keyboard.press("2")
    expect(other.locator("#status")).to_have_text("run1: 1 of 6 rated")
    other.reload()
    expect(other.locator("#status")).to_have_text("run1: 1 of 6 rated")
    deliver(page)
    deliver(other)
    assert sorted(row.said.score or 0 for row in read_ratings(house.run)) == [2, 4]


def test_a_rating_that_the_server_could_not_take_is_sent_again(page: Page, house: RatingHouse):
    house.stop()
    page.keyboard.press("5")
    expect(page.locator("#trouble")).to_contain_text("没有保存")
    house.start()
    expect(page.locator("#trouble")).to_be_hidden()
    deliver(page)
    assert said(house)[NAMES[5]].score == 5


def test_a_rating_that_the_server_never_got_is_sent_by_the_next_visit(page: Page, house: RatingHouse):
    page.route("**/workbench/api/ratings", lambda route: route.abort())
    page.keyboard.press("5")
    page.keyboard.press("q")
    expect(page.locator("#trouble")).to_contain_text("没有保存")
    assert said(house) == {}
    page.unroute("**/workbench/api/ratings")
    page.reload()
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("5")
    expect(page.locator("#trouble")).to_be_hidden()
    page.reload()
    expect(page.locator("#status")).to_have_text("run1：已评 1 / 6")
    deliver(page)
    assert said(house)[NAMES[5]].score == 5
    assert len(said(house)[NAMES[5]].tags) == 1


def test_a_word_on_its_way_from_a_page_that_is_left_does_not_replace_a_later_one(
    page: Page, house: RatingHouse, monkeypatch: pytest.MonkeyPatch
):
    add, begun, released, ended = RatingStore.add, threading.Event(), threading.Event(), threading.Event()

    def slow(store: RatingStore, *, said: Said, **about: Any) -> RatingRow:
        if said.score != 3:
            return add(store, said=said, **about)
        begun.set()
        assert released.wait(15)
        kept = add(store, said=said, **about)
        ended.set()
        return kept

    monkeypatch.setattr(RatingStore, "add", slow)
    page.keyboard.press("3")
    page.keyboard.press("5")
    assert begun.wait(15)
    page.reload()
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("5")
    deliver(page)
    released.set()
    assert ended.wait(15)
    assert said(house)[NAMES[5]].score == 5


def test_a_picture_that_is_gone_or_changed_is_told_in_its_place(page: Page, house: RatingHouse, tmp_path: Path):
    (tmp_path / "shop" / NAMES[3]).unlink()
    (tmp_path / "shop" / NAMES[2]).write_bytes((tmp_path / "shop" / NAMES[0]).read_bytes())
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#pictures")).to_have_text("图片已不在原处。")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#pictures")).to_have_text("图片在运行之后被改动，不再显示。")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, house: RatingHouse, viewport: Any, scheme: str):
    page = visit(house, path="/workbench", viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    expect(page.locator("#pictures img")).to_be_visible()
    page.keyboard.press("4")
    expect(page.locator("#scores [aria-pressed=true]")).to_have_text("4")
    assert serious_faults(page) == []


def test_a_key_in_the_address_opens_the_page_and_leaves_it(visit: Visit, house: RatingHouse):
    locked = RatingHouse(house.run, keys=("let-me-in-to-rate",))
    locked.start()
    try:
        shut = visit(locked, path="/workbench")  # type: ignore[arg-type]
        expect(shut.locator("#trouble")).to_contain_text("需要密钥")
        page = visit(locked, path="/workbench#key=let-me-in-to-rate")  # type: ignore[arg-type]
        expect(page.locator("#pictures img")).to_be_visible()
        assert "key" not in page.url
    finally:
        locked.stop()


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[RatingHouse]:
    draw_pictures(tmp_path / "shop", NAMES)
    better = {name: {**answer, "marketing_copy": "新文案"} for name, answer in ANSWERS.items() if name != NAMES[0]}
    house = RatingHouse(
        rated_run(tmp_path / "old", ANSWERS, pictures=tmp_path / "shop", margins=MARGINS, boxes=[BOX]),
        rated_run(tmp_path / "new", better, pictures=tmp_path / "shop", prompt="换一个问法"),
    )
    house.start()
    yield house
    house.stop()


def test_two_rounds_are_compared_without_knowing_which_is_which(visit: Visit, blind: RatingHouse):
    page = visit(blind, path="/workbench")  # type: ignore[arg-type]
    expect(page.locator("#status")).to_have_text("双盲对比：已选 0 / 5")
    assert blind.second is not None
    sides = []
    for at in range(5):
        expect(page.locator("#queue [aria-current=true] .name")).to_have_text(NAMES[at + 1])
        expect(page.locator("#left tbody")).not_to_be_empty()
        expect(page.locator("#pairing")).to_contain_text(f"第{at + 1}款")
        text = page.locator("main").inner_text()
        assert "old" not in text
        assert "0.15" not in text
        expect(page.locator("#pictures img")).to_be_visible()
        expect(page.locator("#pictures svg")).to_have_count(0)
        assert "换一个问法" not in text
        is_left = "新文案" in page.locator("#left").inner_text()
        sides.append(is_left)
        page.keyboard.press("1" if is_left else "3")
        expect(page.locator("#status")).to_have_text(f"双盲对比：已选 {at + 1} / 5")
    expect(page.locator("#outcome")).to_contain_text("选了 new 而不是 old")
    expect(page.locator("#outcome")).to_contain_text("1 人参评")
    page.keyboard.press("u")
    expect(page.locator("#status")).to_have_text("双盲对比：已选 4 / 5")
    page.reload()
    expect(page.locator("#status")).to_have_text("双盲对比：已选 4 / 5")
    expect(page.locator("#left tbody")).not_to_be_empty()
    assert ("新文案" in page.locator("#left").inner_text()) == sides[4]
    page.keyboard.press("b")
    expect(page.locator("#status")).to_have_text("old：已评 0 / 6")


def test_whatever_an_answer_says_stays_text(visit: Visit, tmp_path: Path):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    draw_pictures(tmp_path / "shop", ["a.png"])
    answers = {"a.png": {"color": evil, "marketing_copy": evil}}
    house = RatingHouse(
        rated_run(tmp_path / "run", answers, pictures=tmp_path / "shop", boxes=[{**BOX, "label": evil}])
    )
    house.start()
    try:
        page = visit(house, path="/workbench")  # type: ignore[arg-type]
        expect(page.locator("#fields tr").first).to_contain_text(evil)
        expect(page.locator("#pictures text")).to_have_text(evil)
        expect(page.locator("main img")).to_have_count(1)
        page.keyboard.press("t")
        page.keyboard.type(evil[:40])
        page.keyboard.press("Enter")
        expect(page.locator("#tags button").last).to_have_text(evil[:40])
    finally:
        house.stop()


def test_both_languages_have_the_same_sentences(page: Page):
    tables = page.evaluate(
        "Promise.all(['zh', 'en'].map(l => import(`/workbench/js/words/${l}.js`).then(m => m.default)))"
    )
    assert tables[0].keys() == tables[1].keys()


def test_the_page_counts_edits_as_the_server_does(page: Page):
    pairs = [["", "红"], ["红色杯子", "蓝色的杯"], ["cafe\u0301", "café"], ["a👍b", "ab"], ["kitten", "sitting"]]
    counted = page.evaluate(
        "pairs => import('/workbench/js/distance.js').then(m => pairs.map(([a, b]) => m.editDistance(a, b)))", pairs
    )
    assert counted == [1, 3, 0, 1, 3]
