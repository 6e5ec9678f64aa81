"""Boxes of an answer lie on its picture where the server says, and light their places in the text, and the reverse."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from flashsight.core.types import Box, Delta, Finish, TextDelta
from tests.server.scripted import USAGE
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file, mug
from tests.ui.test_answer import ask

pytestmark = pytest.mark.browser

ANSWER = "杯身 [[250,250,650,800]]，杯把 [[500,350,800,650]]。"


def with_boxes(text: str, *boxes: Box) -> tuple[Delta, ...]:
    return TextDelta(index=0, text=text), Finish(index=0, reason="stop", boxes=boxes), USAGE


BODY = Box(picture=0, left=80, top=60, right=208, bottom=192, label="杯身")
HANDLE = Box(picture=0, left=160, top=84, right=256, bottom=156)


def place_of(box: Locator, picture: Locator) -> list[float]:
    """Left, top, right and bottom of an element in parts of the picture, as they lie on the screen."""
    inner, outer = box.bounding_box(), picture.bounding_box()
    assert inner is not None
    assert outer is not None
    left, top = (inner["x"] - outer["x"]) / outer["width"], (inner["y"] - outer["y"]) / outer["height"]
    return [left, top, left + inner["width"] / outer["width"], top + inner["height"] / outer["height"]]


def test_boxes_lie_on_the_picture_where_they_belong(page: Page, house: PageHouse):
    choose(page, file())
    house.says(*with_boxes(ANSWER, BODY, HANDLE))
    ask(page)
    expect(page.locator(".box")).to_have_count(2)
    expect(page.locator(".box span")).to_have_text(["1 杯身", "2"])
    for box, parts in zip(page.locator(".box").all(), ([0.25, 0.25, 0.65, 0.8], [0.5, 0.35, 0.8, 0.65]), strict=True):
        assert place_of(box, page.locator("#pictures img")) == pytest.approx(parts, abs=0.01)


def test_a_box_lies_right_on_a_turned_photo_and_on_one_of_several_thumbnails(page: Page, house: PageHouse):
    """The camera's picture is 300x200 and has to be turned by a quarter: a person sees 200x300."""
    photo = Image.open(io.BytesIO(mug((300, 200))))
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    photo.save(content, "JPEG", exif=exif)
    choose(page, file("a.png"), file("turned.jpg", content.getvalue(), "image/jpeg"))
    house.says(*with_boxes("左上 [[0,0,500,500]]", Box(picture=1, left=0, top=0, right=100, bottom=150)))
    ask(page)
    image = page.locator("#pictures img").last
    frame, box = page.locator(".boxes > div"), page.locator(".box")
    outer, inner, shape = image.bounding_box(), frame.bounding_box(), box.bounding_box()
    assert outer is not None
    assert inner is not None
    assert shape is not None
    assert inner["width"] / inner["height"] == pytest.approx(200 / 300, abs=0.01)
    assert inner["height"] == pytest.approx(outer["height"], abs=1)
    assert place_of(box, frame) == pytest.approx([0, 0, 0.5, 0.5], abs=0.02)


def test_pointing_at_a_box_lights_its_place_and_the_keyboard_does_the_same_the_other_way(page: Page, house: PageHouse):
    choose(page, file())
    house.says(*with_boxes(ANSWER, BODY, HANDLE))
    ask(page)
    places = page.locator("#answer p .place")
    expect(places).to_have_text(["[[250,250,650,800]]", "[[500,350,800,650]]"])
    page.locator(".box").last.hover()
    expect(places.last).to_have_class("place lit")
    expect(places.first).to_have_class("place")
    places.first.focus()
    expect(page.locator(".box.lit span")).to_have_text("1 杯身")
    page.keyboard.press("Tab")
    expect(page.locator(".box.lit span")).to_have_text("2")


def test_boxes_of_a_json_answer_light_with_their_row(page: Page, house: PageHouse):
    found = [
        {"label": "杯身", "bbox_2d": [250, 250, 650, 800]},
        {"label": "杯把", "bbox_2d": [500, 350, 800, 650]},
    ]
    choose(page, file())
    house.says(*with_boxes(json.dumps(found, ensure_ascii=False), BODY, HANDLE))
    ask(page)
    page.get_by_role("cell", name="杯把").hover()
    expect(page.locator(".box.lit span")).to_have_text("2")
    page.locator(".box").first.focus()
    expect(page.locator("#answer tr:has(.lit)")).to_contain_text("杯身")


def test_boxes_can_be_switched_off_and_stay_off(page: Page, house: PageHouse):
    choose(page, file())
    house.says(*with_boxes(ANSWER, BODY, HANDLE))
    ask(page)
    page.click("#boxes-toggle")
    expect(page.locator("#boxes-toggle")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".box").first).to_be_hidden()
    page.click("#retry")
    expect(page.locator("#boxes-toggle")).to_have_attribute("aria-pressed", "false")
    page.click("#boxes-toggle")
    expect(page.locator(".box").first).to_be_visible()


def test_boxes_belong_to_the_answer_on_view(page: Page, house: PageHouse):
    choose(page, file())
    house.says(*with_boxes(ANSWER, BODY))
    ask(page, "哪里")
    house.says(TextDelta(index=0, text="不知道"), Finish(index=0, reason="stop"), USAGE)
    ask(page, "还有呢")
    expect(page.locator(".box")).to_have_count(0)
    page.get_by_role("button", name="哪里", exact=True).click()
    expect(page.locator(".box")).to_have_count(1)
    page.click("#fresh")
    expect(page.locator(".box, .places")).to_have_count(0)


def test_what_a_label_says_is_text(visit: Visit, house: PageHouse):
    page = visit(house)
    choose(page, file())
    label = "<img src=x onerror='window.hacked=1'>"
    house.says(*with_boxes("[[0,0,500,500]]", Box(picture=0, left=0, top=0, right=160, bottom=120, label=label)))
    ask(page)
    expect(page.locator(".box span")).to_have_text(f"1 {label}")
    assert page.evaluate("window.hacked") is None
