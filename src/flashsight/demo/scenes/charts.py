"""Bar, line and pie charts with their labels and values."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Language, Sample, Split
from flashsight.demo.scenes.asking import Facts, listed, same
from flashsight.demo.scenes.canvas import Box, Canvas, Rgb, Type, luminance, mixed, pick_type
from flashsight.demo.scenes.colours import near
from flashsight.demo.scenes.paper import DARKS, LIGHTS, ink
from flashsight.demo.vocabulary import COLOURS, Term

Kind = Literal["bars", "rows", "line", "pie"]
KINDS: dict[Kind, Term] = {
    "bars": Term("柱状图", "a bar chart"),
    "rows": Term("条形图", "a horizontal bar chart"),
    "line": Term("折线图", "a line chart"),
    "pie": Term("饼图", "a pie chart"),
}
PALETTE = (5, 1, 3, 0, 6, 4, 2, 7, 8, 11)


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

    def said(self, number: int) -> str:
        """A value as it stands in the chart."""
        return f"{self.values[number]:g}{self.unit}"


def _draw_values(rng: random.Random, kind: Kind, count: int) -> tuple[float, ...]:
    """Values of a chart; a pie's add up to one hundred."""
    if kind == "pie":
        cuts = sorted(rng.sample(range(1, 20), count - 1))
        return tuple((b - a) * 5.0 for a, b in zip([0, *cuts], [*cuts, 20], strict=True))
    top = rng.choice((10, 50, 100, 100, 500, 1000, 9000))
    step = rng.choice((1, 1, 5, 10)) if top >= 100 else rng.choice((0.5, 1, 1))
    return tuple(max(step, round(rng.uniform(0.12, 1) * top / step) * step) for _ in range(count))


def _values(rng: random.Random, kind: Kind, count: int, gap: float) -> tuple[float, ...]:
    """Values whose largest and smallest stand out by `gap` of the largest."""
    while True:
        values = _draw_values(rng, kind, count)
        order = sorted(values)
        if min(order[1] - order[0], order[-1] - order[-2]) > gap * order[-1]:
            return values


def _names(rng: random.Random, material: Material, split: Split) -> tuple[Term, ...]:
    """Different labels of a chart: of one kind as charts have them, or any words."""
    if rng.random() < 0.7:
        return rng.choice(words.LABELS)
    kinds: tuple[Callable[[], Term], ...] = (
        lambda: Term(*[f"{rng.randint(2010, 2030)}"] * 2),
        lambda: Term(*[f"Q{rng.randint(1, 4)}"] * 2),
        lambda: Term(*[rng.choice("ABCDEFGHJKMNPRSTUVWXYZ")] * 2),
        lambda: Term(material.phrase(rng, split, "zh", 1), material.phrase(rng, split, "en", 1)),
    )
    kind = rng.choice(kinds)
    found = {(term := kind()).zh: term for _ in range(12)}
    named = {term.en: term for term in found.values()}
    return tuple(named.values()) if len(named) > 2 else words.LABELS[0]


def a_series(rng: random.Random, material: Material, split: Split) -> Series:
    """A chart's content; the language, the number of values and whether they are written vary."""
    kind: Kind = rng.choice(("bars", "bars", "rows", "line", "pie"))
    language: Language = rng.choice(("zh", "zh", "en"))
    names = _names(rng, material, split)
    count = rng.randint(3, min(6, len(names)))
    start = rng.randint(0, len(names) - count)
    chosen = names[start : start + count] if rng.random() < 0.5 else tuple(rng.sample(names, count))
    unit = (
        "%"
        if kind == "pie"
        else rng.choice(("", "", "", "%", "万" if language == "zh" else "k", "元" if language == "zh" else ""))
    )
    is_labelled = kind == "pie" or rng.random() < 0.8
    values = _values(rng, kind, count, 0.0 if is_labelled else 0.06)
    if unit == "%" and max(values) > 100:
        unit = ""
    known = rng.choice(words.SERIES)[language]
    title = material.phrase(rng, split, language, 2) if rng.random() < 0.25 else known if rng.random() < 0.85 else None
    return Series(
        kind,
        language,
        tuple(name[language] for name in chosen),
        values,
        unit,
        title,
        is_labelled,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    type: Type
    strong: Rgb
    faint: Rgb
    colours: tuple[Rgb, ...]
    ground: Rgb


def _ticks(canvas: Canvas, box: Box, top: float, look: _Look) -> None:
    """Lines across the chart with the values they stand for, at its left."""
    left, upper, right, lower = box
    small = look.type.sized(max(15, look.type.size - 3))
    for part in range(5):
        y = lower - (lower - upper) * part / 4
        canvas.pen.line((left, y, right, y), look.faint)
        text = f"{top * part / 4:g}"
        canvas.text(left - small.width(text) - 5, y - small.size / 2, text, small, look.strong)


def _nice(value: float) -> float:
    """A round number not below the value."""
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 2, 4, 5, 8, 10) if step * scale >= value)


def _columns(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: _Look) -> None:
    """Bars that stand, or a line with points, over labels."""
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    if not series.is_labelled:
        left += size * 2.6
    lower -= size * 1.5
    upper += size * 1.5
    top = _nice(max(series.values)) if not series.is_labelled else max(series.values)
    if not series.is_labelled:
        _ticks(canvas, (left, upper, right, lower), top, look)
    canvas.pen.line((left, lower, right, lower), look.strong, 2)
    cell = (right - left) / count
    width = cell * rng.uniform(0.4, 0.75)
    points = []
    for number, value in enumerate(series.values):
        x, y = left + cell * (number + 0.5), lower - (lower - upper) * value / top
        points.append((x, y))
        if series.kind == "bars":
            canvas.pen.rectangle((x - width / 2, y, x + width / 2, lower - 1), look.colours[number])
        canvas.centred_text(
            (x - cell / 2, lower + 3, x + cell / 2, lower + 3 + size * 1.2),
            series.labels[number],
            look.type,
            look.strong,
        )
    if series.kind == "line":
        canvas.pen.line(points, look.colours[0], rng.randint(2, 5), joint="curve")
        for x, y in points:
            canvas.pen.ellipse((x - 5, y - 5, x + 5, y + 5), look.colours[0])
    if series.is_labelled:
        for number, (x, y) in enumerate(points):
            text = series.said(number)
            half, top = look.type.width(text) / 2 + 2, y - size * 1.35 - 4
            if series.kind == "line":
                canvas.rounded((x - half, top + 2, x + half, top + size * 1.2), 0, look.ground)
            canvas.centred_text((x - cell / 2, top, x + cell / 2, y - 4), text, look.type, look.strong)


def _lying(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: _Look) -> None:
    """Bars that lie, each behind its label."""
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    label = max(look.type.width(text) for text in series.labels) + 10
    room = max(look.type.width(series.said(number)) for number in range(count)) + 10
    cell = (lower - upper) / count
    height = min(cell * rng.uniform(0.45, 0.75), size * 2.2)
    canvas.pen.line((left + label, upper, left + label, lower), look.strong, 2)
    for number, value in enumerate(series.values):
        y = upper + cell * (number + 0.5)
        end = left + label + (right - room - left - label) * value / max(series.values)
        canvas.pen.rectangle((left + label + 1, y - height / 2, end, y + height / 2), look.colours[number])
        canvas.text(left, y - size / 2, series.labels[number], look.type, look.strong)
        if series.is_labelled:
            canvas.text(end + 6, y - size / 2, series.said(number), look.type, look.strong)


def _pie(rng: random.Random, canvas: Canvas, series: Series, box: Box, look: _Look) -> None:
    """A pie, or a ring, with a legend beside or below it."""
    left, upper, right, lower = box
    size, count = look.type.size, len(series.values)
    texts = [f"{label} {series.said(number)}" for number, label in enumerate(series.labels)]
    legend = max(look.type.width(text) for text in texts) + size + 12
    beside = right - left - legend > (lower - upper) * 0.5
    side = (
        min(right - left - legend - 10, lower - upper)
        if beside
        else min(right - left, lower - upper - size * 1.4 * count)
    )
    x, y = (left, (upper + lower - side) / 2) if beside else ((left + right - side) / 2, upper)
    angle = rng.uniform(-90, 270)
    for number, value in enumerate(series.values):
        canvas.pen.pieslice(
            (x, y, x + side, y + side), angle, angle + value * 3.6, look.colours[number], look.ground, 2
        )
        angle += value * 3.6
    if rng.random() < 0.35:
        hole = side * rng.uniform(0.2, 0.32)
        canvas.pen.ellipse((x + hole, y + hole, x + side - hole, y + side - hole), look.ground)
    at = (
        (right - legend, (upper + lower) / 2 - count * size * 0.8)
        if beside
        else (left + (right - left - legend) / 2, y + side + 6)
    )
    pitch = size * (1.6 if beside else 1.35)
    for number, text in enumerate(texts):
        top = at[1] + number * pitch
        canvas.rounded((at[0], top + size * 0.1, at[0] + size * 0.8, top + size * 0.9), 0, look.colours[number])
        canvas.text(at[0] + size + 4, top, text, look.type, look.strong)


def tell_series(facts: Facts, series: Series) -> None:
    """Say everything that is true of a chart."""
    order = sorted(range(len(series.values)), key=lambda number: series.values[number])
    low, high = order[0], order[-1]

    def named(number: int) -> Term:
        value = series.said(number)
        return (
            Term(f"{series.labels[number]}，{value}", f"{series.labels[number]}, {value}")
            if series.is_labelled
            else same(series.labels[number])
        )

    facts.add("largest", named(high), weight=2.5)
    facts.add("smallest", named(low), weight=2.5)
    facts.add("labels", listed(list(series.labels)), weight=1)
    facts.add("chart_kind", KINDS[series.kind], weight=1)
    facts.add("what", KINDS[series.kind], weight=0.6)
    if series.title:
        facts.add("chart_title", same(series.title), weight=1.5)
    else:
        facts.lack("chart_title", weight=0.4)
    zh, en = f"这是一张{KINDS[series.kind].zh}", f"This is {KINDS[series.kind].en}"
    if series.title:
        zh, en = f"{zh}，标题是“{series.title}”", f'{en} titled "{series.title}"'
    zh_end, en_end = (
        f"最大的是{series.labels[high]}，最小的是{series.labels[low]}。",
        f"The largest is {series.labels[high]}, the smallest {series.labels[low]}.",
    )
    if series.is_labelled:
        pairs = [f"{label} {series.said(number)}" for number, label in enumerate(series.labels)]
        facts.add("values", listed(pairs), weight=1.5)
        for number, label in enumerate(series.labels):
            facts.add("value_of", same(series.said(number)), x=same(label), weight=0.9)
        zh, en = f"{zh}。{'、'.join(pairs)}", f"{en}. {', '.join(pairs)}"
    facts.add("describe", Term(f"{zh}。{zh_end}", f"{en}. {en_end}"), weight=2)
    if series.kind == "line":
        rising = all(a < b for a, b in zip(series.values, series.values[1:], strict=False))
        falling = all(a > b for a, b in zip(series.values, series.values[1:], strict=False))
        trend = (
            Term("上升", "rising")
            if rising
            else Term("下降", "falling")
            if falling
            else Term("有升有降", "It goes up and down.")
        )
        facts.add("trend", trend, weight=0.7)
    facts.lack("buttons", "error", "problem", "price", weight=0.1)


class Chart:
    """A chart with a title."""

    name = "chart"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Three to six values; their labels always have room."""
        ground = rng.choice(DARKS) if rng.random() < 0.15 else rng.choice(LIGHTS)
        canvas = Canvas(material, size, ground)
        series = a_series(rng, material, split)
        if series.kind == "line" and rng.random() < 0.4:
            ordered = tuple(sorted(series.values, reverse=rng.random() < 0.5))
            series = Series(
                series.kind, series.language, series.labels, ordered, series.unit, series.title, series.is_labelled
            )
        type_ = self._type(rng, material, split, series, canvas.width)
        strong = ink(rng, ground)
        names = [name for name in PALETTE if abs(luminance(near(rng, name, 0)) - luminance(ground)) > 30]
        one_name = rng.choice(names[:6])
        one = near(rng, one_name)
        is_plain = series.kind != "pie" and rng.random() < 0.55
        colours = tuple(
            one if is_plain else near(rng, names[number % len(names)]) for number in range(len(series.values))
        )
        look = _Look(type_, strong, mixed(ground, strong, 0.15), colours, ground)
        pad = rng.uniform(12, 26)
        top = pad
        if series.title:
            big = type_.sized(type_.size * rng.uniform(1.05, 1.4))
            x = (canvas.width - big.width(series.title)) / 2 if rng.random() < 0.6 else pad
            canvas.text(x, top, series.title, big, strong)
            top += big.size * 1.5
        box = (pad, top, canvas.width - pad, canvas.height - pad)
        if series.kind == "pie":
            _pie(rng, canvas, series, box, look)
        else:
            (_lying if series.kind == "rows" else _columns)(rng, canvas, series, box, look)
        facts = Facts("chart")
        tell_series(facts, series)
        facts.read(canvas.written(), weight=0.5)
        if is_plain or series.kind == "line":
            facts.add("colour", COLOURS[one_name].name, weight=0.6)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng))

    def _type(self, rng: random.Random, material: Material, split: Split, series: Series, width: int) -> Type:
        """Fonts in which labels and values keep apart."""
        type_ = pick_type(rng, material, split, rng.randint(18, 24))
        cell = (width - 60 - (0 if series.is_labelled else 50)) / len(series.values)
        texts = [*series.labels, *(series.said(number) for number in range(len(series.values)))]
        while series.kind in ("bars", "line") and type_.size > 12 and max(map(type_.width, texts)) > cell - 4:
            type_ = type_.sized(type_.size - 1)
        return type_
