"""What a product card says, before anything is drawn. Knows no pixel but the drawing of the product."""

from __future__ import annotations

import random
from dataclasses import dataclass

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material, split_of
from flashsight.demo.sample import Language, Split
from flashsight.demo.scenes.canvas import Rgb
from flashsight.demo.scenes.icons import Drawn, drawing
from flashsight.demo.scenes.wording import a_text
from flashsight.demo.vocabulary import COLOURS, CONCEPTS, GOODS, MATERIALS_BY_CATEGORY, Concept, Term

SOLD = tuple(concept for concept in CONCEPTS if concept.category.zh in GOODS)
BUY = tuple(term for term in words.CONFIRM if term.en in ("Buy", "Buy now", "Add to cart", "Pay now", "Book"))
SHOWN = 220.0
"""Pixels of a product before a card scales it."""
CURRENCIES = ("¥", "¥", "¥", "￥", "$", "$", "€", "£")


@dataclass(frozen=True, slots=True)
class Offer:
    """A product and what its card says of it; None or empty where the card is silent."""

    language: Language
    shown: Drawn
    title: str | None = None
    material: Term | None = None
    price: str | None = None
    old_price: str | None = None
    badge: str | None = None
    features: tuple[str, ...] = ()
    button: str | None = None
    says_colour: bool = False
    says_category: bool = False

    @property
    def concept(self) -> Concept:
        """The product."""
        assert self.shown.concept is not None
        return self.shown.concept


def a_price(rng: random.Random, currency: str) -> str:
    """A price as shops write it."""
    whole = rng.choice((rng.randint(1, 99), rng.randint(10, 999), rng.randint(100, 9999)))
    cents = rng.choice(("", "", ".9", ".99", ".00", ".50", f".{rng.randrange(100):02}"))
    if not currency:
        return f"{whole}{cents}元"
    return f"{currency}{whole:,}{cents}" if rng.random() < 0.12 else f"{currency}{whole}{cents}"


def a_title(
    rng: random.Random, material: Material, split: Split, language: Language, noun: Term, colour: Term | None
) -> str:
    """A headline, which names the product about half of the time; its hash belongs to the split."""
    for _ in range(12):
        adjective = rng.choice(words.ADJECTIVES)[language]
        gap = "" if language == "zh" else " "
        roll = rng.random()
        if roll < 0.5:
            parts = [adjective, *([colour[language]] if colour and rng.random() < 0.25 else []), noun[language]]
            title = gap.join(parts)
        elif roll < 0.75:
            title = a_text(rng, material, split, language, words.TITLES, 8)
        elif roll < 0.82:
            title = gap.join((adjective, "系列" if language == "zh" else "series"))
        elif roll < 0.94:
            title = material.phrase(rng, split, language, rng.randint(1, 3))
        else:
            title = rng.choice(material.strings[split])[language][:14].strip()
        if split_of(title) == split:
            break
    return title.title() if language == "en" and rng.random() < 0.3 else title


def some_features(rng: random.Random, material: Material, split: Split, language: Language) -> tuple[str, ...]:
    """Selling points as shops know them, among words that no one could guess; English ones capitalised or not."""
    count = rng.choice((0, 1, 2, 2, 3, 3, 4))
    some = [a_text(rng, material, split, language, words.FEATURES, 8) for _ in range(count)]
    form = rng.choice((str, str.capitalize, str.capitalize, str.title, str.lower))
    return tuple(dict.fromkeys(form(feature) for feature in some))


def a_badge(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    """What a badge says."""
    if rng.random() < 0.12:
        return rng.choice((f"-{rng.randint(5, 90)}%", f"{rng.randint(1, 9)}折", f"{rng.randint(5, 90)}% OFF", "TOP 1"))
    return a_text(rng, material, split, language, words.BADGES, 4)


def an_offer(rng: random.Random, material: Material, split: Split, ground: Rgb, *, is_silent: bool = False) -> Offer:
    """A product with what its card could say; a silent one says nothing."""
    concept = rng.choice(SOLD)
    shown = drawing(rng, material.sprite(rng, concept.index, split), ground, 0.55, split)
    shown = shown.sharpened(rng, SHOWN, split)
    language: Language = rng.choice(("zh", "zh", "en"))
    if is_silent:
        return Offer(language, shown)
    currency = rng.choice(CURRENCIES if language == "zh" else ("$", "$", "€", "£", "¥"))
    if language == "zh" and rng.random() < 0.08:
        currency = ""
    stuffs = MATERIALS_BY_CATEGORY.get(concept.category.zh)
    hue = COLOURS[shown.colours[0]].name if len(shown.colours) == 1 else None
    has_price = rng.random() < 0.85
    return Offer(
        language,
        shown,
        title=a_title(rng, material, split, language, concept.name, hue) if rng.random() < 0.92 else None,
        material=rng.choice(stuffs) if stuffs and rng.random() < 0.5 else None,
        price=a_price(rng, currency) if has_price else None,
        old_price=a_price(rng, currency) if has_price and rng.random() < 0.22 else None,
        badge=a_badge(rng, material, split, language) if rng.random() < 0.45 else None,
        features=some_features(rng, material, split, language),
        button=a_text(rng, material, split, language, BUY, 5) if rng.random() < 0.2 else None,
        says_colour=hue is not None and rng.random() < 0.25,
        says_category=rng.random() < 0.15,
    )  # fmt: skip
