"""Charts as SVG texts that stand alone or inside a page: lines with bands, bars with intervals. Knows no run.

No script, no font file, no style sheet: they print as they look, and `currentColor` takes the page's ink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 360
COLOURS = ("#0b6a6a", "#4a5bb5", "#8a5a00", "#a8261c", "#5c6267")
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 28, 40, 56
_FONT = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"

Point = tuple[float, float]
Words = Callable[[float], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line. band: lower and upper end at each x, for its interval. is_dashed: for what it is compared with."""

    name: str
    points: Sequence[Point]
    band: Sequence[tuple[float, float, float]] = ()
    is_dashed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar. low and high: its interval, where there is one. colour: as SVG writes it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    colour: str = COLOURS[0]


@dataclass(frozen=True, slots=True)
class _Frame:
    x_range: Point
    y_range: Point
    height: int = HEIGHT

    def x(self, value: float) -> float:
        low, high = self.x_range
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / ((high - low) or 1), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return round(self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * (value - low) / ((high - low) or 1), 1)


def as_percent(value: float) -> str:
    """A share as an axis writes it."""
    return f"{100 * value:g}%"


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    x_range: Point | None = None,
    y_range: Point | None = None,
    x_words: Words = "{:g}".format,
    y_words: Words = "{:g}".format,
    marks: Sequence[Point] = (),
) -> str:
    """Lines over one pair of axes, with a legend where there are several. marks: points that get a ring.

    The ranges are those of the points where none are given. Raises ValueError for no point at all.
    """
    points = [point for one in series for point in one.points]
    if not points:
        raise ValueError("a line chart needs a point")
    ends = [(low, high) for one in series for _, low, high in one.band]
    xs, ys = [x for x, _ in points], [y for _, y in points] + [end for both in ends for end in both]
    frame = _Frame(x_range or _span(xs), y_range or _span(ys))
    parts = [*_axes(frame, x_label, y_label, x_words, y_words)]
    for one, colour in zip(series, _cycled(len(series)), strict=True):
        parts += _line(frame, one, colour)
    parts += [
        f'<circle cx="{frame.x(x)}" cy="{frame.y(y)}" r="5" fill="none" stroke="{COLOURS[3]}" stroke-width="2"/>'
        for x, y in marks
    ]
    return _drawing(title, frame.height, parts + (_legend([one.name for one in series]) if len(series) > 1 else []))


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    x_range: Point = (0.0, 1.0),
    x_words: Words = as_percent,
    target: float | None = None,
) -> str:
    """Lying bars, one a row, each with its value in words and its interval as a whisker. target: a dashed line."""
    if not bars:
        raise ValueError("a bar chart needs a bar")
    row, left = 32, 200
    height = _TOP + row * len(bars) + 28
    low, high = x_range

    def place(value: float) -> float:
        return round(left + (WIDTH - left - 88) * (min(max(value, low), high) - low) / ((high - low) or 1), 1)

    parts = []
    for at, bar in enumerate(bars):
        top, middle = _TOP + row * at, _TOP + row * at + 10
        parts.append(_text(left - 8, middle + 4, _shortened(bar.name), "end"))
        parts.append(
            f'<rect x="{left}" y="{top}" width="{round(place(bar.value) - left, 1)}" height="20" fill="{bar.colour}"/>'
        )
        parts.append(_text(WIDTH - 80, middle + 4, x_words(bar.value), "start"))
        if bar.low is not None and bar.high is not None:
            parts.append(_path([(place(bar.low), middle), (place(bar.high), middle)], "currentColor"))
            ends = (place(bar.low), place(bar.high))
            parts += [_path([(end, middle - 4), (end, middle + 4)], "currentColor") for end in ends]
    if target is not None:
        parts.append(_path([(place(target), _TOP - 6), (place(target), height - 24)], COLOURS[3], is_dashed=True))
        parts.append(_text(place(target), height - 8, x_words(target), "middle"))
    return _drawing(title, height, parts)


def _span(values: Sequence[float]) -> Point:
    """From the least to the greatest; at least as wide as an axis can tell apart."""
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-6 * max(1.0, abs(low), abs(high)) else (low, low + 1.0)


def _cycled(num: int) -> list[str]:
    return [COLOURS[at % len(COLOURS)] for at in range(num)]


def _line(frame: _Frame, series: Series, colour: str) -> list[str]:
    parts = []
    if series.band:
        outline = [(x, low) for x, low, _ in series.band] + [(x, high) for x, _, high in reversed(series.band)]
        corners = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in outline)
        parts.append(f'<polygon points="{corners}" fill="{colour}" fill-opacity="0.15"/>')
    placed = [(frame.x(x), frame.y(y)) for x, y in series.points]
    return [*parts, _path(placed, colour, is_dashed=series.is_dashed, width=2)]


def _axes(frame: _Frame, x_label: str, y_label: str, x_words: Words, y_words: Words) -> list[str]:
    bottom, parts = frame.height - _BOTTOM, []
    for value in _ticks(*frame.y_range):
        parts.append(_path([(_LEFT, frame.y(value)), (WIDTH - _RIGHT, frame.y(value))], "currentColor", opacity=0.15))
        parts.append(_text(_LEFT - 8, frame.y(value) + 4, y_words(value), "end"))
    for value in _ticks(*frame.x_range):
        parts.append(_path([(frame.x(value), bottom), (frame.x(value), bottom + 4)], "currentColor"))
        parts.append(_text(frame.x(value), bottom + 20, x_words(value), "middle"))
    parts.append(_path([(_LEFT, bottom), (WIDTH - _RIGHT, bottom)], "currentColor"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, frame.height - 12, x_label, "middle"))
    middle = (_TOP + bottom) / 2
    turned = _text(16, middle, y_label, "middle").replace("<text ", f'<text transform="rotate(-90 16 {middle:g})" ', 1)
    return [*parts, turned]


def _ticks(low: float, high: float) -> list[float]:
    """Four to ten round numbers within a range."""
    if high <= low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 10)
    first = math.ceil(low / step - 1e-9)
    return [round(at * step, 12) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for at, (name, colour) in enumerate(zip(names, _cycled(len(names)), strict=True)):
        y = HEIGHT - _BOTTOM - 16 - 18 * (len(names) - 1 - at)
        parts.append(f'<rect x="{WIDTH - 236}" y="{y - 9}" width="12" height="4" fill="{colour}"/>')
        parts.append(_text(WIDTH - 216, y, _shortened(name, 34), "start"))
    return parts


def _path(points: Sequence[Point], colour: str, *, is_dashed: bool = False, width: int = 1, opacity: float = 1) -> str:
    dashes = ' stroke-dasharray="5 4"' if is_dashed else ""
    faint = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    corners = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}{faint}/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor">{escape(words)}</text>'


def _shortened(words: str, limit: int = 26) -> str:
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _drawing(title: str, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="{escape(_FONT)}" font-size="13">'
    )
    told = f'<text x="{WIDTH / 2:g}" y="20" text-anchor="middle" fill="currentColor" font-weight="600">{escape(title)}'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"{told}</text>", *parts, "</svg>"]) + "\n"
