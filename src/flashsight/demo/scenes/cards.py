"""Product cards and product pictures: an offer laid out in many ways, described in prose and as JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Language, Sample, Split
from flashsight.demo.scenes.asking import Facts, copied, listed, quoted, same
from flashsight.demo.scenes.canvas import Box, Canvas, Rgb, Type, luminance, mixed, pick_type, text_size
from flashsight.demo.scenes.colours import near, spell
from flashsight.demo.scenes.goods import Offer, an_offer
from flashsight.demo.scenes.icons import place
from flashsight.demo.scenes.paper import backdrop, fade, ink, paper
from flashsight.demo.scenes.tags import price_pieces, small_print
from flashsight.demo.vocabulary import COLOURS, Term

ORDERS = (
    "title price features specs button",
    "title features specs price button",
    "title specs features price button",
    "price title features specs button",
    "title specs price features button",
)
NOT_STATED = Term("未标明", "not stated")
MOTLEY = Term("多色", "multicolour")


@dataclass(slots=True)
class _Column:
    """A stack of blocks that grows downwards; `put` refuses what no longer fits."""

    canvas: Canvas
    left: float
    top: float
    width: float
    bottom: float
    is_centred: bool

    def text(self, text: str, type: Type, fill: Rgb, gap: float, max_lines: int = 1) -> bool:
        lines = self.canvas.wrapped(text, type, self.width)
        needed = len(lines) * type.size * 1.2
        too_wide = any(type.width(line) > self.width + 1 for line in lines)
        if len(lines) > max_lines or too_wide or self.top + needed > self.bottom:
            return False
        for line in lines:
            x = self.left + (self.width - type.width(line)) / 2 if self.is_centred else self.left
            self.canvas.text(x, self.top, line, type, fill)
            self.top += type.size * 1.2
        self.top += gap
        return True


@dataclass(frozen=True, slots=True)
class _Look:
    type: Type
    price_type: Type
    ground: Rgb
    strong: Rgb
    faint: Rgb
    accent: Rgb
    gap: float


def _button(canvas: Canvas, column: _Column, offer: Offer, look: _Look) -> Offer:
    height = look.type.size * 1.8
    if offer.button is None or column.top + height > column.bottom:
        return replace(offer, button=None)
    width = min(column.width, look.type.width(offer.button) + 36)
    left = column.left + (column.width - width) / 2 if column.is_centred else column.left
    box = (left, column.top, left + width, column.top + height)
    canvas.rounded(box, height / 3, look.accent)
    canvas.centred_text(box, offer.button, look.type, (255, 255, 255) if luminance(look.accent) < 170 else (10, 10, 10))
    column.top += height + look.gap
    return offer


def _price(rng: random.Random, column: _Column, offer: Offer, look: _Look) -> Offer:
    if offer.price is None:
        return offer
    canvas, top = column.canvas, column.top
    pieces = price_pieces(rng, offer.price, look.price_type)
    width = sum(type_.width(text) for text, type_ in pieces)
    needed = look.price_type.size * 1.2
    if width > column.width or top + needed > column.bottom:
        return replace(offer, price=None, old_price=None)
    canvas.pieces(column.left + (column.width - width) / 2 * column.is_centred, top, pieces, look.accent)
    column.top += needed + look.gap
    small = look.type.sized(max(16, look.type.size * 0.85))
    left = column.left + width + 12
    if column.is_centred or offer.old_price is None or left + small.width(offer.old_price) > column.left + column.width:
        return replace(offer, old_price=None)
    y = top + look.price_type.size - small.size * 1.05
    width = canvas.text(left, y, offer.old_price, small, look.faint)
    canvas.pen.line((left - 1, y + small.size * 0.55, left + width + 1, y + small.size * 0.55), look.faint, 2)
    return offer


def _chips(canvas: Canvas, column: _Column, offer: Offer, look: _Look) -> Offer:
    small, x, said = look.type.sized(max(17, look.type.size * 0.85)), column.left, []
    height = small.size * 1.5
    for feature in offer.features:
        width = small.width(feature) + 16
        if x + width > column.left + column.width:
            x, column.top = column.left, column.top + height + 6
        if column.top + height > column.bottom or width > column.width:
            break
        box = (x, column.top, x + width, column.top + height)
        canvas.rounded(box, 5, mixed(look.ground, look.accent, 0.12), mixed(look.ground, look.accent, 0.5))
        canvas.centred_text(box, feature, small, look.strong)
        x += width + 8
        said.append(feature)
    column.top += height + look.gap if said else 0
    return replace(offer, features=tuple(said))


def _features(rng: random.Random, column: _Column, offer: Offer, look: _Look) -> Offer:
    roll = rng.random()
    if roll < 0.35 and not column.is_centred:
        return _chips(column.canvas, column, offer, look)
    if roll < 0.5 and offer.features:
        mark = rng.choice((" | ", " · ", "，" if offer.language == "zh" else ", ", " / "))
        said = column.text(mark.join(offer.features), look.type, look.faint, look.gap, max_lines=3)
        return offer if said else replace(offer, features=())
    bullet = rng.choice(("", "• ", "· ", "✓ ", "- ", "● "))
    kept = []
    for feature in offer.features:
        if not column.text(bullet + feature, look.type, look.strong, look.gap / 3):
            break
        kept.append(feature)
    column.top += look.gap if kept else 0
    return replace(offer, features=tuple(kept))


def _specs(rng: random.Random, column: _Column, offer: Offer, look: _Look) -> Offer:
    zh = offer.language == "zh"
    colon = rng.choice(("：", ":", " ")) if zh else rng.choice((": ", ":  ", " "))
    fill = rng.choice((look.strong, look.faint))
    if offer.material:
        name = rng.choice(("材质", "面料" if offer.concept.category.zh == "服饰" else "材料")) if zh else "Material"
        if not column.text(f"{name}{colon}{offer.material[offer.language]}", look.type, fill, look.gap / 2):
            offer = replace(offer, material=None)
    if offer.says_colour:
        word = COLOURS[offer.shown.colours[0]].name[offer.language]
        line = f"{'颜色' if zh else 'Color'}{colon}{word}"
        offer = replace(offer, says_colour=column.text(line, look.type, fill, look.gap / 2))
    if offer.says_category:
        word = offer.concept.category[offer.language]
        offer = replace(
            offer,
            says_category=column.text(f"{'类别' if zh else 'Category'}{colon}{word}", look.type, fill, look.gap / 2),
        )
    column.top += look.gap / 2
    return offer


def _words(rng: random.Random, canvas: Canvas, column: _Column, offer: Offer, look: _Look, aside: str) -> Offer:
    """Write what the offer says into a column, in one of several orders, and `aside` somewhere; return what fitted."""

    def title(said: Offer) -> Offer:
        big = look.type.sized(look.type.size * rng.uniform(1.05, 1.5))
        fits = (
            said.title is None
            or column.text(said.title, big, look.strong, look.gap, 2)
            or column.text(said.title, look.type, look.strong, look.gap, 2)
        )
        return said if fits else replace(said, title=None)

    blocks: dict[str, Callable[[Offer], Offer]] = {
        "title": title,
        "price": lambda said: _price(rng, column, said, look),
        "features": lambda said: _features(rng, column, said, look),
        "specs": lambda said: _specs(rng, column, said, look),
        "button": lambda said: _button(canvas, column, said, look),
    }
    order = rng.choice(ORDERS).split()
    printed = rng.randrange(len(order)) if rng.random() < 0.35 else -1
    for number, block in enumerate(order):
        offer = blocks[block](offer)
        if number == printed:
            column.text(aside, look.type.sized(max(16, look.type.size * 0.8)), look.faint, look.gap)
    return offer


def _badge(rng: random.Random, canvas: Canvas, area: Box, offer: Offer, look: _Look) -> None:
    if offer.badge is None:
        return
    small = look.type.sized(rng.randint(17, 24))
    width, height = small.width(offer.badge) + rng.randint(12, 26), small.size * rng.uniform(1.35, 1.8)
    on_right = rng.random() < 0.5
    left = area[2] - width - rng.randint(0, 12) if on_right else area[0] + rng.randint(0, 12)
    top = area[1] + rng.randint(0, 10)
    box = (left, top, left + width, top + height)
    fill = near(rng, rng.choice((0, 0, 1, 3, 5, 6, 9)))
    canvas.forget(box)
    canvas.rounded(box, rng.choice((0, 4, height / 2)), fill)
    canvas.centred_text(box, offer.badge, small, (255, 255, 255))


def _areas(rng: random.Random, canvas: Canvas) -> tuple[Box, Box, bool]:
    """(where the product goes, where the words go, are the words centred)."""
    width, height, margin = canvas.width, canvas.height, rng.randint(8, 26)
    roll, cut = rng.random(), rng.uniform(0.42, 0.58)
    inner_right, inner_bottom = width - margin, height - margin
    if roll < 0.42 or height > width * 1.2:
        top = height * cut
        return (
            (margin, margin, inner_right, top - 8),
            (margin + 4, top + 4, inner_right - 4, inner_bottom),
            rng.random() < 0.3,
        )
    if roll < 0.62:
        cut = rng.uniform(0.38, 0.5)
        return (
            (margin, margin, width * cut, inner_bottom),
            (width * cut + 14, margin + 4, inner_right, inner_bottom),
            False,
        )
    if roll < 0.8:
        cut = rng.uniform(0.5, 0.62)
        return (
            (width * cut, margin, inner_right, inner_bottom),
            (margin, margin + 4, width * cut - 14, inner_bottom),
            False,
        )
    top = height * rng.uniform(0.4, 0.5)
    return (margin, top, inner_right, inner_bottom), (margin, margin, inner_right, top - 6), rng.random() < 0.5


def _accent(rng: random.Random, ground: Rgb) -> Rgb:
    """A strong colour that can be read on the ground."""
    accents = [near(rng, number) for number in (0, 0, 1, 3, 5, 6, 8, 9, 2, 4, 7, 10)]
    readable = [accent for accent in accents if abs(luminance(accent) - luminance(ground)) > 90]
    return rng.choice(readable[:6])


def draw_offer(
    rng: random.Random, canvas: Canvas, offer: Offer, material: Material, split: Split, ground: Rgb
) -> Offer:
    """Draw an offer as a card; return what the card really says."""
    area, column_box, is_centred = _areas(rng, canvas)
    if rng.random() < 0.35:
        stage = mixed(ground, near(rng, rng.randrange(len(COLOURS))), rng.uniform(0.03, 0.14))
        canvas.rounded(area, rng.choice((0, 10, 24)), stage)
    type_ = pick_type(rng, material, split, text_size(rng, (canvas.height, canvas.width), 30))
    accent = _accent(rng, ground)
    price_type = pick_type(rng, material, split, rng.randint(22, 42))
    strong, faint = ink(rng, ground), ink(rng, ground, faint=True)
    look = _Look(type_, price_type, ground, strong, faint, accent, rng.uniform(5, 14))
    margin = min(area[2] - area[0], area[3] - area[1]) * rng.uniform(0.02, 0.14)
    place(rng, canvas, offer.shown, (area[0] + margin, area[1] + margin, area[2] - margin, area[3] - margin))
    left, top, right, bottom = column_box
    column = _Column(canvas, left, top, right - left, bottom, is_centred)
    said = _words(rng, canvas, column, offer, look, small_print(rng, material, split, offer.language))
    _badge(rng, canvas, area, said, look)
    return said


def phrase(offer: Offer, language: Language) -> str:
    """Colour, material and name of the product."""
    colour = spell(offer.shown.colours, language) if offer.shown.colours else ""
    stuff, noun = offer.material[language] if offer.material else "", offer.concept.name[language]
    if language == "zh":
        return (colour + "的" if colour else "") + (stuff + "材质" if stuff else "") + noun
    return " ".join(part for part in (colour, stuff, noun) if part)


def copy_of(offer: Offer, language: Language) -> str:
    """One line of advertising that says nothing but what the card shows."""
    if language == "zh":
        said = phrase(offer, language)
        if offer.features:
            said += "，" + "，".join(map(copied, offer.features[:2]))
        return said + (f"，仅售{copied(offer.price)}。" if offer.price else "。")
    said = phrase(offer, language)
    said = said[0].upper() + said[1:]
    if offer.features:
        said += ": " + ", ".join(map(copied, offer.features[:2]))
    return said + (f", only {copied(offer.price)}." if offer.price else ".")


def json_of(offer: Offer, language: Language) -> str:
    """The product by the schema, compact."""
    entry = {
        "category": offer.concept.category[language],
        "color": spell(offer.shown.colours, language) if offer.shown.colours else MOTLEY[language],
        "material": (offer.material or NOT_STATED)[language],
        "key_features": [copied(feature) for feature in offer.features],
        "marketing_copy": copy_of(offer, language),
    }
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def _prose(offer: Offer, language: Language) -> str:
    zh = language == "zh"
    named, category = phrase(offer, language), offer.concept.category[language]
    parts = [
        f"图中是{named}，属于{category}。" if zh else f"The picture shows a product: {named}, category {category}."
    ]
    if offer.title:
        parts.append(f"标题是{quoted(offer.title).zh}。" if zh else f"The title is {quoted(offer.title).en}.")
    if offer.price:
        parts.append(f"价格{copied(offer.price)}。" if zh else f"The price is {copied(offer.price)}.")
    if offer.badge:
        parts.append(f"角标{quoted(offer.badge).zh}。" if zh else f"The badge says {quoted(offer.badge).en}.")
    if offer.features:
        features = listed(offer.features)
        parts.append(f"卖点：{features.zh}。" if zh else f"Features: {features.en}.")
    return ("" if zh else " ").join(parts)


def both(say: Callable[[Offer, Language], str], offer: Offer) -> Term:
    """An answer in both languages."""
    return Term(say(offer, "zh"), say(offer, "en"))


def tell_offer(facts: Facts, offer: Offer) -> None:
    """Say everything that is true of a card."""
    facts.add("what", offer.concept.name, weight=2)
    facts.add("category", offer.concept.category, weight=2)
    facts.add("describe", both(_prose, offer), weight=2.5)
    if len(offer.shown.colours) < 2:  # else it is open which one the field is to hold
        facts.add("json", both(json_of, offer), weight=2, skill="json")
    facts.add("copy", both(copy_of, offer), weight=0.7)
    if len(offer.shown.colours) == 1:
        facts.add("colour", COLOURS[offer.shown.colours[0]].name, weight=2.5)
    if offer.material:
        facts.add("material", offer.material, weight=2)
    for key, text, weight in (
        ("title", offer.title, 2.0),
        ("price", offer.price, 2.5),
        ("old_price", offer.old_price, 1.0),
        ("badge", offer.badge, 1.5),
    ):
        if text:
            facts.add(key, same(text), weight=weight)
        else:
            facts.lack(key, weight=0.35)
    if offer.features:
        facts.add("features", listed(offer.features), weight=2)
    if offer.button:
        facts.add("buttons", same(offer.button))
    lacking = [
        "error",
        "problem",
        *(["material"] if not offer.material else []),
        *([] if offer.features else ["features"]),
    ]
    facts.lack(*lacking, *([] if offer.button else ["buttons"]), weight=0.2)


def is_named(offer: Offer) -> bool:
    """True when the card's words name the product or its category, so that it can be read and need not be seen."""
    said = (offer.title or "").lower()
    return offer.says_category or any(offer.concept.name[language].lower() in said for language in ("zh", "en"))


class Card:
    """A product card, or now and then a product picture without a word."""

    name = "card"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """A card whose words all have room."""
        ground = paper(rng, 0.12)
        canvas = Canvas(material, size, ground)
        is_silent = rng.random() < 0.15
        if rng.random() < 0.2 and luminance(ground) > 200:
            fade(canvas, ground, mixed(ground, near(rng, rng.randrange(len(COLOURS))), 0.15), upright=True)
        offer = an_offer(rng, material, split, ground, is_silent=is_silent)
        if is_silent:
            backdrop(rng, canvas, ground)
            side = min(size) * rng.uniform(0.45, 0.9)
            x, y = (canvas.width - side) / 2, (canvas.height - side) / 2
            place(rng, canvas, offer.shown, (x, y, x + side, y + side))
        else:
            offer = draw_offer(rng, canvas, offer, material, split, ground)
        facts = Facts("card")
        tell_offer(facts, offer)
        facts.read(canvas.written(), weight=0.8)
        traits = frozenset({"named"} if is_named(offer) else ())
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split), traits)
