from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.types import Box
from flashsight.processing.boxes import parse_boxes

NUMBER = st.integers(0, 1000)


def box(left: int, top: int, right: int, bottom: int, label: str | None = None, picture: int = 0) -> Box:
    return Box(picture=picture, left=left, top=top, right=right, bottom=bottom, label=label)


@pytest.mark.parametrize(
    "inside",
    ["[[100,200,300,400]]", "[100, 200, 300, 400]", "(100,200,300,400)", "<100,200,300,400>", "{100,200,300,400}"],
)
def test_every_style_of_bracket_is_read(inside: str) -> None:
    answer = f"It is here: <|begin_of_box|>{inside}<|end_of_box|>."
    assert parse_boxes(answer, [(2000, 500)]) == (box(200, 100, 600, 200),)


def test_several_boxes_stand_in_one_pair_of_tags() -> None:
    answer = "<|begin_of_box|>[[0,0,500,500],[500,500,1000,1000]]<|end_of_box|>"
    assert parse_boxes(answer, [(640, 480)]) == (box(0, 0, 320, 240), box(320, 240, 640, 480))


def test_json_boxes_carry_their_label_also_in_a_code_fence() -> None:
    answer = '```json\n[{"label": "红杯子", "bbox_2d": [10, 20, 30, 40]}, {"bbox_2d": [[1,2,3,4],[5,6,7,8]]}]\n```'
    assert parse_boxes(answer, [(1000, 1000)]) == (*(box(10, 20, 30, 40, "红杯子"), box(1, 2, 3, 4), box(5, 6, 7, 8)),)


def test_json_inside_the_tags_is_read_once() -> None:
    answer = '<|begin_of_box|>{"label": "cup", "bbox_2d": [10, 20, 30, 40]}<|end_of_box|>'
    assert parse_boxes(answer, [(1000, 1000)]) == (box(10, 20, 30, 40, "cup"),)


@pytest.mark.parametrize(
    "inside",
    [
        "42",
        "yes",
        "3.14",
        "click(start_box='[100,200]')",
        '{"label": "bbox_2d"}',
        "[1,2,3]",
        "[-5,0,3,4]",
        "[0,0,5,1001]",
        "",
        "1,2,3,x",
    ],
)
def test_plain_answers_in_tags_are_no_boxes(inside: str) -> None:
    assert parse_boxes(f"<|begin_of_box|>{inside}<|end_of_box|>", [(100, 100)]) == ()


def test_swapped_corners_are_put_in_order_and_no_picture_has_no_boxes() -> None:
    answer = "<|begin_of_box|>[300,400,100,200]<|end_of_box|>"
    assert parse_boxes(answer, [(1000, 1000)]) == (box(100, 200, 300, 400),)
    assert parse_boxes(answer, []) == ()


@given(corners=st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), max_size=5), width=st.integers(1, 9000))
def test_boxes_lie_inside_the_picture(corners: list[tuple[int, int, int, int]], width: int) -> None:
    answer = f"<|begin_of_box|>{json.dumps(corners)}<|end_of_box|>"
    boxes = parse_boxes(answer, [(10, 10), (width, 777)])
    assert len(boxes) == len(corners)
    for found, (x1, y1, x2, y2) in zip(boxes, corners, strict=True):
        assert 0 <= found.left <= found.right <= width
        assert 0 <= found.top <= found.bottom <= 777
        assert found.picture == 1
        assert abs(found.right - found.left - abs(x2 - x1) * width / 1000) <= 1
        assert abs(found.bottom - found.top - abs(y2 - y1) * 0.777) <= 1


FRAGMENTS = [
    "<|begin_of_box|>",
    "<|end_of_box|>",
    '{"bbox_2d":',
    "[[",
    "1,",
    "9e99",
    "}",
    "]",
    "NaN",
    '"label": 3',
    "x",
]


@given(text=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3))).map("".join))
def test_odd_text_never_raises(text: str) -> None:
    parse_boxes(text, [(100, 100)])


def test_long_odd_text_is_read_in_one_go() -> None:
    deep = '{"bbox_2d": ' + "[" * 100_000 + "]" * 100_000 + "}"
    for text in (deep, "{" * 100_000, '{"bbox_2d"' * 20_000, "<|begin_of_box|>" * 20_000, "[" * 100_000):
        assert parse_boxes(text, [(100, 100)]) == ()
