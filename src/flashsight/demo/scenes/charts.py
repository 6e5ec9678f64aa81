"""Bar, line and pie charts: what they show and what is true of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Language, Sample, Split
from flashsight.demo.scenes.asking import Facts, copied, listed, quoted, same
from flashsight.demo.scenes.canvas import Canvas, Type, luminance, mixed, pick_type
from flashsight.demo.scenes.chart_drawing import Kind, Look, Series, draw_series
from flashsight.demo.scenes.colours import near
from flashsight.demo.scenes.paper import DARKS, LIGHTS, ink
from flashsight.demo.scenes.wording import a_text, any_text
from flashsight.demo.vocabulary import COLOURS, Term

KINDS: dict[Kind, Term] = {
    "bars": Term("柱状图", "a bar chart"),
    "rows": Term("条形图", "a horizontal bar chart"),
    "line": Term("折线图", "a line chart"),
    "pie": Term("饼图", "a pie chart"),
}
PALETTE = (5, 1, 3, 0, 6, 4, 2, 7, 8, 11)
MOST = 7  # values of a chart
READ_OFF = 100  # parts of an axis: so finely a value is told where it is not written
PLOTTED = 0.4
"""Charts of training that look as libraries plot them; validation keeps the looks that it was measured with."""
WRITTEN: dict[Split, float] = {"train": 0.55, "valid": 0.72}  # of the bars and lines bear their values


def _draw_values(rng: random.Random, kind: Kind, count: int) -> tuple[float, ...]:
    """Values of a chart; a pie's add up to one hundred."""
    if kind == "pie":
        step = rng.choice((1, 5, 5))
        cuts = sorted(rng.sample(range(1, 100 // step), count - 1))
        return tuple((b - a) * float(step) for a, b in zip([0, *cuts], [*cuts, 100 // step], strict=True))
    top = rng.choice((10, 40, 50, 100, 100, 500, 1000, 9000, 60000))
    unit = rng.choice((1.0, 1.0, 5.0, 10.0)) if top >= 100 else rng.choice((0.5, 0.1, 1.0, 1.0))
    return tuple(round(max(unit, round(rng.uniform(0.12, 1) * top / unit) * unit), 1) for _ in range(count))


def _values(rng: random.Random, kind: Kind, count: int, gap: float) -> tuple[float, ...]:
    """Values whose largest and smallest stand out by `gap` of the largest."""
    while True:
        values = _draw_values(rng, kind, count)
        order = sorted(values)
        if min(order[1] - order[0], order[-1] - order[-2]) > gap * order[-1] and (kind != "pie" or order[0] >= 3):
            return values


def _names(rng: random.Random, material: Material, split: Split) -> tuple[Term, ...]:
    """Different labels of a chart: of one kind as charts have them, or any words."""
    if rng.random() < 0.4:
        return rng.choice(words.LABELS)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    first, letter = rng.randint(1, 12), rng.choice("ABCDEFGHJKMNPRSTUVWXYZ")
    year = rng.randint(1990, 2030)
    kinds: tuple[Callable[[int], Term], ...] = (
        lambda place: Term(*[f"{year + place}"] * 2),
        lambda place: Term(*[f"Q{place % 4 + 1}"] * 2),
        lambda place: Term(f"{(first + place - 1) % 12 + 1}月", month[(first + place - 1) % 12]),
        lambda place: Term(*[rng.choice("ABCDEFGHJKMNPRSTUVWXYZ")] * 2),
        lambda place: Term(*[f"{letter}{place + 1}"] * 2),
        lambda place: Term(f"第{place + 1}周", f"W{place + 1}"),
        *[lambda _: Term(material.phrase(rng, split, "zh", 1), material.phrase(rng, split, "en", 1))] * 5,
        *[lambda _: Term(any_text(rng, material, split, "zh", 4), any_text(rng, material, split, "en", 4))] * 2,
    )
    kind = rng.choice(kinds)
    found = {(term := kind(place)).zh: term for place in range(12)}
    named = {term.en: term for term in found.values() if term.zh and term.en}
    return tuple(named.values()) if len(named) > 2 else words.LABELS[0]


def a_series(rng: random.Random, material: Material, split: Split) -> Series:
    """A chart's content; the language, the number of values and whether they are written vary."""
    kind: Kind = rng.choice(("bars", "bars", "rows", "line", "pie"))
    language: Language = rng.choice(("zh", "zh", "en"))
    names = _names(rng, material, split)
    count = rng.randint(3, min(MOST, len(names)))
    start = rng.randint(0, len(names) - count)
    chosen = names[start : start + count] if rng.random() < 0.5 else tuple(rng.sample(names, count))
    is_labelled = kind == "pie" or rng.random() < WRITTEN[split]
    values = _values(rng, kind, count, 0.0 if is_labelled else 0.06)
    units = ("", "", "", "%", "万", "元", "℃", "人", "kg") if language == "zh" else ("", "", "", "%", "k", "M", "kg")
    unit = "%" if kind == "pie" else rng.choice(units)
    if kind != "pie" and unit == "%" and max(values) > 100:
        unit = ""
    known = a_text(rng, material, split, language, words.SERIES, 9)
    return Series(
        kind,
        language,
        tuple(name[language] for name in chosen),
        values,
        unit,
        known if rng.random() < 0.88 else None,
        is_labelled,
        rng.choice("¥$€") if not unit and rng.random() < 0.15 else "",
        rng.random() < 0.3,
    )


def _named(series: Series, number: int) -> Term:
    label, value = copied(series.labels[number]), copied(series.said(number))
    return Term(f"{label}，{value}", f"{label}, {value}") if series.is_labelled else same(series.labels[number])


def _value(series: Series, number: int) -> Term:
    """A value as it is told: as it is written, or as far as it can be told from the axis."""
    if series.is_labelled:
        return same(series.said(number))
    part = series.top / READ_OFF
    value = series.written(round(round(series.values[number] / part) * part, 6))
    return Term(f"约{value}", f"about {value}")


def _value_of(series: Series, number: int) -> Term:
    """A label with its value. Copying the label finds its place; from there to the value it is one step more."""
    label, value = copied(series.labels[number]), _value(series, number)
    return Term(f"{label}：{value.zh}", f"{label}: {value.en}")


def _tell_values(facts: Facts, series: Series, split: Split) -> Term | None:
    """Say each value; return all of them as one text, if they are written."""
    weight = 0.9 if series.is_labelled or split == "valid" else 2.0
    for number, label in enumerate(series.labels):
        if series.is_labelled or series.values[number] >= 0.3 * series.top:
            facts.add("value_of", _value_of(series, number), x=same(label), weight=weight)
        if series.is_labelled and series.values.count(series.values[number]) == 1:
            facts.add("item_of", same(label), x=same(series.said(number)), weight=0.35)
    if not series.is_labelled:
        if split == "train":
            told = [(copied(label), _value(series, number)) for number, label in enumerate(series.labels)]
            zh, en = (f"{label} {value.zh}" for label, value in told), (f"{label} {value.en}" for label, value in told)
            facts.add("values", Term("、".join(zh), ", ".join(en)), weight=1.5)
        return None
    every = listed(f"{label} {series.said(number)}" for number, label in enumerate(series.labels))
    facts.add("values", every, weight=1.5)
    return every


def tell_series(facts: Facts, series: Series, split: Split) -> None:
    """Say everything that is true of a chart; in training some of it in more ways than are measured."""
    order = sorted(range(len(series.values)), key=lambda number: series.values[number])
    low, high = order[0], order[-1]
    facts.add("largest", _named(series, high), weight=3)
    facts.add("smallest", _named(series, low), weight=3)
    if split == "train":
        top, bottom = _named(series, high), _named(series, low)
        zh, en = f"最高的是{top.zh}；最低的是{bottom.zh}。", f"The highest is {top.en}; the lowest is {bottom.en}."
        facts.add("extremes", Term(zh, en), weight=2)
    facts.add("labels", listed(series.labels), weight=1)
    facts.add("count_items", same(str(len(series.labels))), weight=0.3)
    facts.add("chart_kind", KINDS[series.kind], weight=1)
    facts.add("what", KINDS[series.kind], weight=0.6)
    if series.title:
        facts.add("chart_title", same(series.title), weight=1.5)
    else:
        facts.lack("chart_title", weight=0.4)
    zh, en = f"这是一张{KINDS[series.kind].zh}", f"This is {KINDS[series.kind].en}"
    if series.title:
        title = quoted(series.title)
        zh, en = f"{zh}，标题是{title.zh}", f"{en} titled {title.en}"
    every = _tell_values(facts, series, split)
    if every:
        zh, en = f"{zh}。{every.zh}", f"{en}. {every.en}"
    most, least = copied(series.labels[high]), copied(series.labels[low])
    zh, en = f"{zh}。最大的是{most}，最小的是{least}。", f"{en}. The largest is {most}, the smallest {least}."
    facts.add("describe", Term(zh, en), weight=2)
    if series.kind == "line":
        facts.add("trend", _trend(series.values), weight=0.7)
    facts.lack("buttons", "error", "problem", "price", weight=0.1)


def _trend(values: tuple[float, ...]) -> Term:
    steps = [after - before for before, after in pairwise(values)]
    if all(step > 0 for step in steps):
        return Term("上升", "rising")
    return Term("下降", "falling") if all(step < 0 for step in steps) else Term("有升有降", "It goes up and down.")


class Chart:
    """A chart with a title."""

    name = "chart"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Three to seven values; their labels always have room."""
        ground = rng.choice(DARKS) if rng.random() < 0.15 else rng.choice(LIGHTS)
        canvas = Canvas(material, size, ground)
        series = a_series(rng, material, split)
        if series.kind == "line" and rng.random() < 0.4:
            series = replace(series, values=tuple(sorted(series.values, reverse=rng.random() < 0.5)))
        has_axis = series.kind != "pie" and (not series.is_labelled or rng.random() < 0.3)
        series, type_ = self._fitted(rng, material, split, series, (canvas.width, has_axis))
        if series.title and type_.width(series.title) > canvas.width - 60:
            series = replace(series, title=None)
        strong = ink(rng, ground)
        names = [name for name in PALETTE if abs(luminance(near(rng, name, 0)) - luminance(ground)) > 30]
        one_name = rng.choice(names[:6])
        one = near(rng, one_name)
        is_plain = series.kind != "pie" and rng.random() < 0.55
        if rng.random() < 0.5:
            rng.shuffle(names)
        colours = tuple(
            one if is_plain else near(rng, names[number % len(names)]) for number in range(len(series.values))
        )
        is_plotted = split == "train" and rng.random() < PLOTTED
        look = Look(type_, strong, mixed(ground, strong, 0.15), colours, ground, has_axis, is_plotted)
        pad = rng.uniform(12, 26)
        top, bottom = pad, canvas.height - pad
        if series.title:
            big = type_.sized(type_.size * rng.uniform(1.05, 1.4))
            big = big if big.width(series.title) < canvas.width - 2 * pad else type_
            x = (canvas.width - big.width(series.title)) / 2 if rng.random() < 0.6 else pad
            canvas.text(x, top, series.title, big, strong)
            top += big.size * 1.5
        draw_series(rng, canvas, series, (pad, top, canvas.width - pad, bottom), look)
        facts = Facts("chart")
        tell_series(facts, series, split)
        facts.read(canvas.written(), weight=0.5)
        if is_plain or series.kind == "line":
            facts.add("colour", COLOURS[one_name if is_plain else names[0]].name, weight=0.6)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split))

    def _fitted(
        self, rng: random.Random, material: Material, split: Split, series: Series, room: tuple[int, bool]
    ) -> tuple[Series, Type]:
        """Fonts in which labels and values keep apart; fewer values where even small ones don't."""
        type_ = pick_type(rng, material, split, rng.randint(17, 24))
        width, has_axis = room
        while True:
            count = len(series.values)
            texts = [*series.labels, *(series.said(number) for number in range(count) if series.is_labelled)]
            widest = max(map(type_.width, texts))
            cell = (width - 52 - (70 if has_axis else 0)) / count
            is_standing = series.kind in ("bars", "line")
            if widest <= (cell - 4 if is_standing else width * 0.4):
                return series, type_
            if type_.size > 15:
                type_ = type_.sized(type_.size - 1)
            elif count > 3 and series.kind != "pie":
                order = sorted(range(count), key=lambda number: series.values[number])
                kept = [number for number in range(count) if number != order[1]]  # the extremes keep their distance
                labels, values = zip(*((series.labels[number], series.values[number]) for number in kept), strict=True)
                series = replace(series, labels=labels, values=values)
            else:
                short = tuple(f"{label[:3]}{number}" for number, label in enumerate(series.labels))
                return replace(series, labels=short), type_
