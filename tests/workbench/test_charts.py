"""Charts are XML that any reader parses, with every point inside the frame and every word as it was given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsight.workbench.charts import HEIGHT, WIDTH, Bar, Series, as_percent, bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"
shares = st.floats(0, 1, allow_nan=False)


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def corners(root: ElementTree.Element) -> list[tuple[float, float]]:
    lines = [*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")]
    return [tuple(map(float, pair.split(","))) for line in lines for pair in line.attrib["points"].split()]  # type: ignore[misc]


@settings(max_examples=40, deadline=None)
@given(points=st.lists(st.tuples(shares, shares), min_size=1, max_size=30))
def test_every_point_of_a_line_lies_inside_the_frame(points: list[tuple[float, float]]):
    band = [(x, y / 2, y) for x, y in points]
    root = drawn(line_chart([Series(name="a", points=points, band=band)], title="t"))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners(root))


def test_words_are_shown_as_they_are_and_several_lines_have_a_legend():
    one, other = Series(name="a < b & c", points=[(0, 0), (1, 1)]), Series(name="随机", points=[(0, 0), (1, 1)])
    root = drawn(line_chart([one, other], title='<script>"x"</script>', x_label="复核", y_label="准确率"))
    told = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert {"a < b & c", "随机", "复核", "准确率", '<script>"x"</script>'} <= set(told)
    assert not list(root.iter(f"{SVG}script"))


def test_a_higher_share_is_drawn_higher():
    root = drawn(line_chart([Series(name="a", points=[(0, 0.2), (1, 0.9)])], title="t"))
    (x1, y1), (x2, y2) = [
        corner for line in root.iter(f"{SVG}polyline") if line.get("stroke-width") == "2" for corner in corners_of(line)
    ]
    assert x1 < x2
    assert y1 > y2


def corners_of(line: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]  # type: ignore[misc]


def test_bars_are_as_long_as_their_values_and_whiskers_enclose_them():
    root = drawn(bar_chart([Bar(name="color", value=0.5, low=0.4, high=0.6), Bar(name="b", value=1.0)], title="t"))
    half, whole = (float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect"))
    assert whole == pytest.approx(2 * half, abs=0.2)
    whisker = corners_of(next(root.iter(f"{SVG}polyline")))
    end = 200 + half
    assert whisker[0][0] < end < whisker[1][0]
    assert as_percent(0.125) == "12.5%"


def test_a_chart_of_nothing_is_refused():
    with pytest.raises(ValueError, match="point"):
        line_chart([Series(name="a", points=[])], title="t")
    with pytest.raises(ValueError, match="bar"):
        bar_chart([], title="t")
