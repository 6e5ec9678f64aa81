"""Draws a series as standing or lying bars, a line or a pie, in the many ways that charts have. Knows no question."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from typing import Literal

from flashsight.demo.sample import PATCH, Language
from flashsight.demo.scenes.canvas import Box, Canvas, Rgb, Type, luminance, mixed

Kind = Literal["bars", "rows", "line", "pie"]


@dataclass(frozen=True, slots=True)
class Series:
    """What a chart shows: labels and values in order; a pie's values are percentages."""

    kind: Kind
    language: Language
    labels: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    title: str | None
    is_labelled: bool  # the values stand beside their marks
    currency: str = ""
    has_commas: bool = False

    def said(self, number: int) -> str:
        """A value as it stands in the chart."""
        return self.written(self.values[number])

    def written(self, value: float) -> str:
        """Any value in the chart's way of writing."""
        digits = f"{value:,.10g}" if self.has_commas else f"{value:.10g}"
        return f"{self.currency}{digits}{self.unit}"

    @property
    def top(self) -> float:
        """Where the axis ends: a round number not below the values."""
        largest = max(self.values)
        scale = 10.0 ** math.floor(math.log10(largest))
        return next(step * scale for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * scale >= largest)


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart looks: fonts, ink, lines, the colour of each mark, the ground; whether an axis has numbers.

    is_plotted: as libraries plot it, in a frame with ticks, a pie's names around it.
    """

    type: Type
    strong: Rgb
    faint: Rgb
    colours: tuple[Rgb, ...]
    ground: Rgb
    has_axis: bool
    is_plotted: bool = False

    def on(self, fill: Rgb) -> Rgb:
        """Letters that can be read on a fill."""
        return (255, 255, 255) if luminance(fill) < 150 else (16, 18, 22)


def draw_series(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: Look) -> None:
    """Draw a chart into a box."""
    {"pie": _pie, "rows": _lying, "bars": _columns, "line": _columns}[series.kind](rng, canvas, series, box, look)


def _small(look: Look) -> Type:
    return look.type.sized(max(14, look.type.size - 3))


def _ticks(canvas: Canvas, box: Box, series: Series, look: Look, parts: int) -> None:
    """Lines across the chart with the values they stand for, at its left."""
    left, upper, right, lower = box
    small = _small(look)
    for part in range(parts + 1):
        y = lower - (lower - upper) * part / parts
        canvas.pen.line((left, y, right, y), look.faint)
        text = f"{series.top * part / parts:g}"
        canvas.text(left - small.width(text) - 5, y - small.size / 2, text, small, look.strong)


def _frame(canvas: Canvas, box: Box, look: Look) -> None:
    """What surrounds the marks."""
    left, upper, right, lower = box
    canvas.pen.line([(left, lower), (left, upper), (right, upper), (right, lower), (left, lower)], look.strong)


def _measure(canvas: Canvas, series: Series, number: int, look: Look, box: Box) -> None:
    """Label the place of a value's mark, or of its name, with where on the axis it ends and what is written for it.

    Without that a name and its value are two looks apart, and answers take another name's value.
    """
    if look.has_axis:
        canvas.measure(box, series.values[number] / series.top)
    if series.is_labelled:
        canvas.value(box, series.said(number))


def _columns(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: Look) -> None:
    """Bars that stand, or a line with points, over labels."""
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    lower -= size * 1.5
    upper += size * 1.5
    top = series.top if look.has_axis else max(series.values) * rng.uniform(1.0, 1.15)
    if look.has_axis:
        left += max(size * 2.0, _small(look).width(f"{series.top * 0.75:g}") + 8)
        _ticks(canvas, (left, upper, right, lower), series, look, rng.choice((4, 4, 5)))
    if look.is_plotted:
        _frame(canvas, (left, upper - size * rng.uniform(0.2, 1.4), right, lower), look)
    if look.has_axis or rng.random() < 0.85:
        canvas.pen.line((left, lower, right, lower), look.strong, rng.choice((1, 2)))
    cell = (right - left) / count
    points = [
        (left + cell * (number + 0.5), lower - (lower - upper) * value / top)
        for number, value in enumerate(series.values)
    ]
    for number, ((x, y), label) in enumerate(zip(points, series.labels, strict=True)):
        canvas.centred_text(
            (x - cell / 2, lower + 3, x + cell / 2, lower + 3 + size * 1.2), label, look.type, look.strong
        )
        half = look.type.width(label) / 2
        _measure(canvas, series, number, look, (x - half, lower + 3, x + half, lower + 3 + size * 1.2))
        if series.kind == "line":
            _measure(canvas, series, number, look, (x - PATCH, y - PATCH, x + PATCH, y + PATCH))
    if series.kind == "line":
        _line(rng, canvas, points, lower, look)
    else:
        _bars(rng, canvas, series, points, (lower, cell * rng.uniform(0.4, 0.8)), look)
        return
    if series.is_labelled:
        for number, (x, y) in enumerate(points):
            text, top_ = series.said(number), y - size * 1.35 - 4
            half = look.type.width(text) / 2 + 2
            canvas.rounded((x - half, top_ + 2, x + half, top_ + size * 1.2), 0, look.ground)
            canvas.centred_text((x - cell / 2, top_, x + cell / 2, y - 4), text, look.type, look.strong)


def _line(rng: random.Random, canvas: Canvas, points: list[tuple[float, float]], lower: float, look: Look) -> None:
    """A line through the points, now and then filled below, with marks of some kind."""
    colour, radius = look.colours[0], rng.choice((0, 3, 4, 5, 6))
    if rng.random() < 0.2:
        pale = mixed(look.ground, colour, 0.2)
        canvas.pen.polygon([(points[0][0], lower - 1), *points, (points[-1][0], lower - 1)], pale)
    canvas.pen.line(points, colour, rng.randint(2, 5), joint="curve")
    fill = rng.choice((colour, colour, look.ground))
    for x, y in points if radius else ():
        canvas.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill, colour, 2)


def _bars(
    rng: random.Random, canvas: Canvas, series: Series, points: list[tuple[float, float]], foot: tuple[float, float],
    look: Look,
) -> None:  # fmt: skip
    """Bars of a width on a foot line, values above them or inside their heads."""
    lower, width = foot
    size, radius, inside = look.type.size, rng.choice((0, 0, 0, 4, 8)), rng.random() < 0.25
    for number, (x, y) in enumerate(points):
        colour = look.colours[number]
        _measure(canvas, series, number, look, (x - width / 2, y, x + width / 2, lower))
        if lower - 1 - y > 2 * radius:
            canvas.rounded((x - width / 2, y, x + width / 2, lower - 1), radius, colour)
        else:
            canvas.pen.rectangle((x - width / 2, min(y, lower - 1), x + width / 2, lower - 1), colour)
        if not series.is_labelled:
            continue
        text = series.said(number)
        if inside and lower - y > size * 1.8 and look.type.width(text) < width - 2:
            canvas.centred_text((x - width, y + 3, x + width, y + 3 + size * 1.2), text, look.type, look.on(colour))
        else:
            half = look.type.width(text) / 2 + 1
            canvas.rounded((x - half, y - size * 1.3 - 2, x + half, y - 3), 0, look.ground)
            canvas.centred_text((x - width, y - size * 1.35 - 4, x + width, y - 4), text, look.type, look.strong)


def _lying(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: Look) -> None:
    """Bars that lie, each behind its label."""
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    left += max(look.type.width(text) for text in series.labels) + 10
    right -= max(look.type.width(series.said(number)) for number in range(count)) + 10 if series.is_labelled else 18
    top = series.top if look.has_axis else max(series.values)
    if look.has_axis:
        small = _small(look)
        lower -= small.size * 1.5
        for part in range(5):
            x, text = left + (right - left) * part / 4, f"{series.top * part / 4:g}"
            canvas.pen.line((x, upper, x, lower), look.faint)
            canvas.text(x - small.width(text) / 2, lower + 3, text, small, look.strong)
    if look.is_plotted:
        _frame(canvas, (left, upper, box[2], lower), look)
    cell = (lower - upper) / count
    height = min(cell * rng.uniform(0.45, 0.75), size * 2.2)
    canvas.pen.line((left, upper, left, lower), look.strong, 2)
    on_right = rng.random() < 0.5
    for number, value in enumerate(series.values):
        y, label = upper + cell * (number + 0.5), series.labels[number]
        end = left + (right - left) * value / top
        canvas.pen.rectangle((left + 1, y - height / 2, end, y + height / 2), look.colours[number])
        x = left - 10 - look.type.width(label) if on_right else box[0]
        canvas.text(x, y - size / 2, label, look.type, look.strong)
        _measure(canvas, series, number, look, (left, y - height / 2, end, y + height / 2))
        _measure(canvas, series, number, look, (x, y - size / 2, x + look.type.width(label), y + size / 2))
        if series.is_labelled:
            canvas.text(end + 6, y - size / 2, series.said(number), look.type, look.strong)


def _pie(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: Look) -> None:
    """A pie, or a ring, with a legend beside or below it; values in the legend or on the slices."""
    if look.is_plotted and _surrounded_pie(rng, canvas, series, box, look):
        return
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    on_slices = min(series.values) >= 9 and rng.random() < 0.45
    texts = [
        label if on_slices else f"{label}{rng.choice((' ', '  ', ': '))}{series.said(number)}"
        for number, label in enumerate(series.labels)
    ]
    legend = max(look.type.width(text) for text in texts) + size + 12
    beside = right - left - legend > (lower - upper) * 0.5
    side = (
        min(right - left - legend - 10, lower - upper)
        if beside
        else min(right - left, lower - upper - size * 1.4 * count)
    )
    is_first = beside and rng.random() < 0.3
    x, y = (left + legend * is_first, (upper + lower - side) / 2) if beside else ((left + right - side) / 2, upper)
    hole = side * rng.uniform(0.22, 0.3) if rng.random() < 0.35 and not (on_slices and side < 9 * size) else 0.0
    angle = _turn(rng)
    _slices(canvas, series, (x, y, side), look, (on_slices and side > 5 * size, hole, angle))
    if on_slices and side <= 5 * size:
        texts = [f"{label} {series.said(number)}" for number, label in enumerate(series.labels)]
    at = (left + (right - left - legend) / 2, y + side + 6)
    if beside:
        at = (left if is_first else right - legend, (upper + lower) / 2 - count * size * 0.8)
    pitch = size * (1.6 if beside else 1.35)
    for number, text in enumerate(texts):
        top = at[1] + number * pitch
        canvas.rounded((at[0], top + size * 0.1, at[0] + size * 0.8, top + size * 0.9), 0, look.colours[number])
        x = at[0] + size + 4
        canvas.text(x, top, text, look.type, look.strong)
        _measure(canvas, series, number, look, (x, top, x + look.type.width(series.labels[number]), top + size))


def _turn(rng: random.Random) -> float:
    """Degrees at which a pie begins."""
    return rng.uniform(-90, 270) if rng.random() < 0.6 else -90.0


def _surrounded_pie(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: Look) -> bool:
    """A pie with the names around it, each at the middle of its slice; False if they do not find room."""
    left, upper, right, lower = box
    size, on_slices, gap = look.type.size, min(series.values) >= 6 and rng.random() < 0.6, rng.choice((" ", ": ", "\n"))
    texts = [label if on_slices else f"{label}{gap}{series.said(n)}" for n, label in enumerate(series.labels)]
    lines = [text.split("\n") for text in texts]
    widest = max(look.type.width(line) for parts in lines for line in parts)
    height = size * 1.25 * max(map(len, lines))
    side = min(right - left - 2 * widest - 2 * size, lower - upper - 2 * height)
    if side < 5 * size:
        return False
    x, y = (left + right - side) / 2, (upper + lower - side) / 2
    for _ in range(6):
        angle = _turn(rng)
        places = _around(series, (x, y, side), angle, size)
        pairs = combinations(((at_x >= x + side / 2, at_y) for at_x, at_y in places), 2)
        if all(one[0] != other[0] or abs(one[1] - other[1]) >= height for one, other in pairs):
            break
    else:
        return False
    hole = side * rng.uniform(0.22, 0.3) if rng.random() < 0.2 and not on_slices else 0.0
    _slices(canvas, series, (x, y, side), look, (on_slices, hole, angle))
    has_leaders = rng.random() < 0.4
    rims = _around(series, (x, y, side), angle, 0)
    for slice_, ((at_x, at_y), (rim_x, rim_y), parts) in enumerate(zip(places, rims, lines, strict=True)):
        if has_leaders:
            canvas.pen.line((rim_x, rim_y, at_x, at_y), look.strong)
        for number, line in enumerate(parts):
            text_x = at_x + 3 if at_x >= x + side / 2 else at_x - 3 - look.type.width(line)
            top = at_y - height / 2 + number * size * 1.2
            canvas.text(text_x, top, line, look.type, look.strong)
            _measure(canvas, series, slice_, look, (text_x, top, text_x + look.type.width(line), top + size))
    return True


def _around(
    series: Series, place: tuple[float, float, float], angle: float, distance: float
) -> list[tuple[float, float]]:
    """Points at the middle of each slice, so far outside the rim of a pie at (x, y, side)."""
    x, y, side = place
    ends = list(accumulate(series.values, initial=0.0))
    turns = [math.radians(angle + (start + end) * 1.8) for start, end in pairwise(ends)]
    radius = side / 2 + distance
    return [(x + side / 2 + radius * math.cos(turn), y + side / 2 + radius * math.sin(turn)) for turn in turns]


def _slices(
    canvas: Canvas, series: Series, place: tuple[float, float, float], look: Look, form: tuple[bool, float, float]
) -> None:
    """The slices of a pie at (x, y, side); form: do they bear their values, how far the hole is from the rim, and the
    degrees at which they begin.
    """
    (x, y, side), (is_written, hole, angle) = place, form
    starts = []
    for number, value in enumerate(series.values):
        starts.append(angle)
        canvas.pen.pieslice(
            (x, y, x + side, y + side), angle, angle + value * 3.6, look.colours[number], look.ground, 2
        )
        angle += value * 3.6
    if hole:
        canvas.pen.ellipse((x + hole, y + hole, x + side - hole, y + side - hole), look.ground)
    type_ = look.type
    for number, start in enumerate(starts) if is_written else ():
        turn, radius = math.radians(start + series.values[number] * 1.8), side * (0.36 if not hole else 0.5 - 0.11)
        text, middle_x, middle_y = series.said(number), x + side / 2, y + side / 2
        at_x, at_y = middle_x + radius * math.cos(turn), middle_y + radius * math.sin(turn)
        canvas.text(at_x - type_.width(text) / 2, at_y - type_.size / 2, text, type_, look.on(look.colours[number]))
