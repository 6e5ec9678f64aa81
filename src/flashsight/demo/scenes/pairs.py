"""Two pictures that differ in one thing, or in nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Sample, Split
from flashsight.demo.scenes.asking import Facts
from flashsight.demo.scenes.canvas import Canvas, Rgb, pick_type
from flashsight.demo.scenes.cards import draw_offer, phrase
from flashsight.demo.scenes.colours import tinted
from flashsight.demo.scenes.goods import Offer, a_price, an_offer
from flashsight.demo.scenes.icons import Drawn, place, visible_colours
from flashsight.demo.scenes.paper import LIGHTS, paper
from flashsight.demo.scenes.screen_words import Button, Screen, a_screen, an_error, some_buttons
from flashsight.demo.scenes.screens import draw_screen
from flashsight.demo.scenes.widgets import a_theme
from flashsight.demo.vocabulary import COLOURS, CONCEPTS, Term

SAME = Term("两张图没有区别。", "The two pictures are the same.")
ABSENT = Term("没有", "none")
IS_SAME, IS_NOT = Term("一样。", "Yes, they are the same."), Term("不一样。", "No, they are different.")


def _told(zh: str, en: str, first: Term, second: Term) -> Term:
    """A difference in words."""
    one, two = ("没有" if term.zh == ABSENT.zh else f"是{term.zh}" for term in (first, second))
    return Term(f"{zh}不同：第一张{one}，第二张{two}。", f"Different {en}: first {first.en}, second {second.en}.")


def _text(zh: str, en: str, first: str, second: str) -> Term:
    return _told(zh, en, Term(f"“{first}”", f'"{first}"'), Term(f"“{second}”", f'"{second}"'))


def _sample(
    name: str, canvases: list[Canvas], difference: Term | None, seen: tuple[Term, Term], rng: random.Random
) -> Sample:
    facts = Facts("compare")
    facts.add("differ", difference or SAME, weight=6)
    facts.add("same", IS_NOT if difference else IS_SAME, weight=1.5)
    facts.add("first", seen[0], weight=1)
    facts.add("second", seen[1], weight=1)
    pictures, labels = tuple(canvas.pixels() for canvas in canvases), tuple(canvas.labels() for canvas in canvases)
    return Sample(name, pictures, labels, facts.pairs(rng))


class TwoDrawings:
    """The same drawing in two colours, two drawings, or twice the same."""

    name = "two drawings"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Both pictures share ground and place."""
        ground = paper(rng)
        concepts = rng.sample(material.drawable, 2)
        colours = rng.sample(visible_colours(ground), 2)
        sprites = [material.sprite(rng, concept, split) for concept in concepts]
        change = rng.choice(("colour", "colour", "concept", "none"))
        first = Drawn(tinted(rng, sprites[0], colours[0]), (colours[0],))
        second, difference = first, None
        if change == "colour":
            second = Drawn(tinted(rng, sprites[0], colours[1]), (colours[1],))
            difference = _told("颜色", "colour", COLOURS[colours[0]].name, COLOURS[colours[1]].name)
        elif change == "concept":
            second = Drawn(tinted(rng, sprites[1], colours[0]), (colours[0],))
            difference = _told("物体", "object", CONCEPTS[concepts[0]].name, CONCEPTS[concepts[1]].name)
        side = min(size) * rng.uniform(0.35, 0.85)
        x, y = (size[1] - side) * rng.uniform(0.2, 0.8), (size[0] - side) * rng.uniform(0.2, 0.8)
        seed, canvases = rng.getrandbits(32), []
        for shown in (first, second):
            canvas = Canvas(material, size, ground)
            place(random.Random(seed), canvas, shown, (x, y, x + side, y + side))
            canvases.append(canvas)
        return _sample(self.name, canvases, difference, (first.phrase, second.phrase), rng)


def _other_price(rng: random.Random, price: str) -> str:
    """Another price in the same currency."""
    currency = price[0] if not price[0].isdigit() else ""
    while (other := a_price(rng, currency)) == price:
        pass
    return other


class TwoCards:
    """A product card twice, with another price, badge, title or colour, or the same."""

    name = "two cards"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Both cards have the same layout; a change that found no room counts as none."""
        ground: Rgb = rng.choice(LIGHTS)
        offer = replace(an_offer(rng, material, split, ground), says_colour=False, features=())
        other = self._changed(rng, offer, ground)
        seed, said, canvases = rng.getrandbits(32), [], []
        for version in (offer, other):
            canvas = Canvas(material, size, ground)
            said.append(draw_offer(random.Random(seed), canvas, version, material, split, ground))
            canvases.append(canvas)
        return _sample(self.name, canvases, self._difference(*said), (self._seen(said[0]), self._seen(said[1])), rng)

    def _seen(self, offer: Offer) -> Term:
        return Term(phrase(offer, "zh"), phrase(offer, "en"))

    def _changed(self, rng: random.Random, offer: Offer, ground: Rgb) -> Offer:
        change = rng.choice(("price", "price", "badge", "title", "colour", "none"))
        if change == "price" and offer.price:
            return replace(offer, price=_other_price(rng, offer.price))
        if change == "badge":
            badges = [badge[offer.language] for badge in words.BADGES if badge[offer.language] != offer.badge]
            return replace(offer, badge=None if offer.badge and rng.random() < 0.4 else rng.choice(badges))
        if change == "title" and offer.title:
            titles = [title[offer.language] for title in words.TITLES if title[offer.language] != offer.title]
            return replace(offer, title=rng.choice(titles))
        if change == "colour" and len(offer.shown.colours) == 1:
            colour = rng.choice([name for name in visible_colours(ground) if name != offer.shown.colours[0]])
            return replace(offer, shown=offer.shown.recoloured(rng, colour))
        return offer

    def _difference(self, first: Offer, second: Offer) -> Term | None:
        def text(value: str | None) -> Term:
            return Term(f"“{value}”", f'"{value}"') if value else ABSENT

        found = []
        if first.shown.colours != second.shown.colours:
            names = [COLOURS[offer.shown.colours[0]].name for offer in (first, second)]
            found.append(_told("颜色", "colour", names[0], names[1]))
        if first.price != second.price:
            found.append(
                _told(
                    "价格", "price", *(Term(price, price) if price else ABSENT for price in (first.price, second.price))
                )
            )
        if first.badge != second.badge:
            found.append(_told("角标", "badge", text(first.badge), text(second.badge)))
        if first.title != second.title:
            found.append(_told("标题", "title", text(first.title), text(second.title)))
        return Term("".join(term.zh for term in found), " ".join(term.en for term in found)) if found else None


class TwoScreens:
    """A screen twice, with another title, error or button, or the same."""

    name = "two screens"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Both screens have the same theme and habits."""
        theme = a_theme(rng, pick_type(rng, material, split, rng.randint(18, 22)))
        screen = a_screen(rng, material, split)
        other = self._changed(rng, screen, material, split)
        seed, said, canvases = rng.getrandbits(32), [], []
        for version in (screen, other):
            canvas = Canvas(material, size, theme.surface)
            said.append(draw_screen(random.Random(seed), canvas, version, theme, material))
            canvases.append(canvas)
        return _sample(self.name, canvases, self._difference(*said), (self._seen(said[0]), self._seen(said[1])), rng)

    def _seen(self, screen: Screen) -> Term:
        if screen.title:
            return Term(f"标题是“{screen.title}”的界面", f'a screen titled "{screen.title}"')
        return Term("一个没有标题的界面", "a screen without a title")

    def _changed(self, rng: random.Random, screen: Screen, material: Material, split: Split) -> Screen:
        language = screen.language
        changes: dict[str, Callable[[], Screen]] = {
            "title": lambda: replace(screen, title=rng.choice(words.PAGES)[language]),
            "error": lambda: replace(
                screen, error=an_error(rng, material, split, language) if rng.random() < 0.7 else None
            ),
            "button": lambda: self._other_button(rng, screen, material, split),
            "none": lambda: screen,
        }
        return changes[rng.choice(list(changes))]()

    def _other_button(self, rng: random.Random, screen: Screen, material: Material, split: Split) -> Screen:
        if not screen.buttons:
            return screen
        place_, old = rng.randrange(len(screen.buttons)), list(screen.buttons)
        new = some_buttons(rng, material, split, screen.language, 1)[0].text
        if new not in [button.text for button in old]:
            old[place_] = Button(new, old[place_].is_primary, old[place_].is_disabled)
        return replace(screen, buttons=tuple(old))

    def _names(self, buttons: tuple[Button, ...]) -> Term:
        texts = [button.text for button in buttons]
        return Term("、".join(texts), ", ".join(texts)) if texts else ABSENT

    def _difference(self, first: Screen, second: Screen) -> Term | None:
        found = []
        if first.title != second.title and first.title and second.title:
            found.append(_text("标题", "title", first.title, second.title))
        if first.error != second.error:
            errors = [Term(f"“{error}”", f'"{error}"') if error else ABSENT for error in (first.error, second.error)]
            found.append(_told("报错", "error", errors[0], errors[1]))
        names = [self._names(screen.buttons) for screen in (first, second)]
        if first.buttons != second.buttons:
            found.append(_told("按钮", "buttons", names[0], names[1]))
        rest = [(first.message, second.message), (first.rows, second.rows), (first.fields, second.fields)]
        if any(one != two for one, two in rest):
            found.append(Term("其他内容也有变化。", "Other parts differ too."))
        return Term("".join(term.zh for term in found), " ".join(term.en for term in found)) if found else None
