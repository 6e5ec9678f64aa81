"""Two pictures that differ in one thing, or in nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Sample, Split
from flashsight.demo.scenes.asking import Facts, listed, quoted, same
from flashsight.demo.scenes.canvas import Canvas, Rgb, pick_type
from flashsight.demo.scenes.cards import draw_offer, phrase
from flashsight.demo.scenes.colours import tinted
from flashsight.demo.scenes.goods import Offer, a_badge, a_price, an_offer
from flashsight.demo.scenes.icons import Drawn, place, visible_colours
from flashsight.demo.scenes.paper import LIGHTS, paper
from flashsight.demo.scenes.screen_facts import state_of
from flashsight.demo.scenes.screen_words import Button, Screen, a_screen, an_error, some_buttons
from flashsight.demo.scenes.screens import draw_screen
from flashsight.demo.scenes.widgets import a_theme
from flashsight.demo.scenes.wording import a_text, changed
from flashsight.demo.vocabulary import COLOURS, CONCEPTS, Term

SAME, NONE = Term("两张图没有区别。", "The two pictures are the same."), Term("没有不同", "no difference")
ABSENT = Term("没有", "none")
IS_SAME, IS_NOT = Term("一样。", "Yes, they are the same."), Term("不一样。", "No, they are different.")

SAME_KEPT = 0.4  # of the pairs without a difference stay in training; a change often finds no room
SMALL: dict[Split, float] = {"train": 0.75, "valid": 0.5}  # of the other texts are the same but for a word


@dataclass(frozen=True, slots=True)
class Change:
    """What differs, and what it is in either picture; ABSENT where one lacks it."""

    what: Term
    first: Term
    second: Term

    def sentence(self) -> Term:
        """The difference in words."""
        one, two = ("没有" if term is ABSENT else f"是{term.zh}" for term in (self.first, self.second))
        en = f"Different {self.what.en}: first {self.first.en}, second {self.second.en}."
        return Term(f"{self.what.zh}不同：第一张{one}，第二张{two}。", en)

    def line(self) -> Term:
        """The difference as a line of a list."""
        one, two = ("没有" if term is ABSENT else f"是{term.zh}" for term in (self.first, self.second))
        return Term(
            f"{self.what.zh}：第一张{one}，第二张{two}",
            f"{self.what.en}: first {self.first.en}, second {self.second.en}",
        )


def _text(text: str | None) -> Term:
    return quoted(text) if text else ABSENT


def _sample(
    name: str,
    canvases: list[Canvas],
    changes: Sequence[Change],
    seen: tuple[Term, Term],
    rng: random.Random,
    split: Split,
) -> Sample:
    facts = Facts("compare")
    told, lines = [change.sentence() for change in changes], [change.line() for change in changes]
    prose = Term("".join(term.zh for term in told), " ".join(term.en for term in told)) if told else SAME
    listing = Term("\n".join(term.zh for term in lines), "\n".join(term.en for term in lines)) if lines else NONE
    facts.add("differ", prose, weight=6)
    facts.add("differ_lines", listing, weight=2)
    facts.add("same", IS_NOT if changes else IS_SAME, weight=1.5)
    facts.add("first", seen[0], weight=1)
    facts.add("second", seen[1], weight=1)
    pictures, labels = tuple(canvas.pixels() for canvas in canvases), tuple(canvas.labels() for canvas in canvases)
    return Sample(name, pictures, labels, facts.pairs(rng, split))


COLOUR, OBJECT = Term("颜色", "colour"), Term("物体", "object")
PRICE, OLD_PRICE, BADGE = Term("价格", "price"), Term("原价", "old price"), Term("角标", "badge")
TITLE, FEATURES, MATERIAL = Term("标题", "title"), Term("卖点", "features"), Term("材质", "material")
ERROR, MESSAGE, BUTTONS = Term("报错", "error"), Term("提示", "message"), Term("按钮", "buttons")
FIELDS, ROWS, TABS, STATES = (
    Term("输入框", "fields"),
    Term("列表", "list"),
    Term("标签页", "tabs"),
    Term("按钮状态", "state"),
)


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
        second: Drawn = first
        changes: list[Change] = []
        if change == "colour":
            second = Drawn(tinted(rng, sprites[0], colours[1]), (colours[1],))
            changes = [Change(COLOUR, COLOURS[colours[0]].name, COLOURS[colours[1]].name)]
        elif change == "concept":
            second = Drawn(tinted(rng, sprites[1], colours[0]), (colours[0],))
            changes = [Change(OBJECT, CONCEPTS[concepts[0]].name, CONCEPTS[concepts[1]].name)]
        if not changes and _is_spared(rng, split):
            return self.draw(rng, material, size, split)
        side = min(size) * rng.uniform(0.35, 0.85)
        x, y = (size[1] - side) * rng.uniform(0.2, 0.8), (size[0] - side) * rng.uniform(0.2, 0.8)
        seed, canvases = rng.getrandbits(32), []
        for shown in (first, second):
            canvas = Canvas(material, size, ground)
            place(random.Random(seed), canvas, shown, (x, y, x + side, y + side))
            canvases.append(canvas)
        return _sample(self.name, canvases, changes, (first.phrase, second.phrase), rng, split)


def _is_spared(rng: random.Random, split: Split) -> bool:
    """True for most pairs without a difference in training: too many, and small differences are overlooked."""
    return split == "train" and rng.random() >= SAME_KEPT


def _is_small(rng: random.Random, split: Split) -> bool:
    """True where training changes one thing of a text that validation replaces."""
    return split == "train" and rng.random() < 0.5


def _other_price(rng: random.Random, price: str, *, is_small: bool) -> str:
    """Another price in the same currency, or one digit of it changed."""
    if is_small:
        place = rng.choice([place for place, char in enumerate(price) if char.isdigit()])
        digit = rng.choice([digit for digit in "123456789" if digit != price[place]])
        return price[:place] + digit + price[place + 1 :]
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
        offer = replace(an_offer(rng, material, split, ground), says_colour=False)
        if rng.random() < 0.5:
            offer = replace(offer, features=())
        other = self._changed(rng, material, split, offer, ground)
        seed, said, canvases = rng.getrandbits(32), [], []
        for version in (offer, other):
            canvas = Canvas(material, size, ground)
            said.append(draw_offer(random.Random(seed), canvas, version, material, split, ground))
            canvases.append(canvas)
        changes = self._changes(*said)
        if not changes and _is_spared(rng, split):
            return self.draw(rng, material, size, split)
        return _sample(self.name, canvases, changes, (self._seen(said[0]), self._seen(said[1])), rng, split)

    def _seen(self, offer: Offer) -> Term:
        return Term(phrase(offer, "zh"), phrase(offer, "en"))

    def _other_features(self, rng: random.Random, material: Material, split: Split, offer: Offer) -> tuple[str, ...]:
        place, kept = rng.randrange(len(offer.features)), list(offer.features)
        if _is_small(rng, split):
            kept[place] = changed(rng, material, split, kept[place], offer.language)
        else:
            kept[place] = a_text(rng, material, split, offer.language, words.FEATURES, 6)
        return tuple(dict.fromkeys(kept))

    def _changed(self, rng: random.Random, material: Material, split: Split, offer: Offer, ground: Rgb) -> Offer:
        change = rng.choice(("price", "price", "badge", "title", "colour", "features", "none"))
        if change == "price" and offer.price:
            return replace(offer, price=_other_price(rng, offer.price, is_small=_is_small(rng, split)))
        if change == "badge":
            if offer.badge and _is_small(rng, split):
                return replace(offer, badge=changed(rng, material, split, offer.badge, offer.language))
            badge = None if offer.badge and rng.random() < 0.4 else a_badge(rng, material, split, offer.language)
            return replace(offer, badge=badge)
        if change == "title" and offer.title:
            known = changed(rng, material, split, offer.title, offer.language)
            fresh = a_text(rng, material, split, offer.language, words.TITLES, 8)
            return replace(offer, title=known if rng.random() < SMALL[split] else fresh)
        if change == "features" and offer.features:
            return replace(offer, features=self._other_features(rng, material, split, offer))
        if change == "colour" and len(offer.shown.colours) == 1:
            colour = rng.choice([name for name in visible_colours(ground) if name != offer.shown.colours[0]])
            return replace(offer, shown=offer.shown.recoloured(rng, colour))
        return offer

    def _changes(self, first: Offer, second: Offer) -> list[Change]:
        found = []
        if first.shown.colours != second.shown.colours:
            names = [COLOURS[offer.shown.colours[0]].name for offer in (first, second)]
            found.append(Change(COLOUR, *names))
        for what, one, other in (
            (PRICE, first.price, second.price),
            (OLD_PRICE, first.old_price, second.old_price),
        ):
            if one != other:
                found.append(Change(what, *(same(price) if price else ABSENT for price in (one, other))))
        if first.badge != second.badge:
            found.append(Change(BADGE, _text(first.badge), _text(second.badge)))
        if first.title != second.title:
            found.append(Change(TITLE, _text(first.title), _text(second.title)))
        if first.material != second.material:
            found.append(Change(MATERIAL, first.material or ABSENT, second.material or ABSENT))
        if first.features != second.features:
            found.append(
                Change(FEATURES, *(listed(said.features) if said.features else ABSENT for said in (first, second)))
            )
        return found


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
        changes = self._changes(*said)
        if not changes and _is_spared(rng, split):
            return self.draw(rng, material, size, split)
        return _sample(self.name, canvases, changes, (self._seen(said[0]), self._seen(said[1])), rng, split)

    def _seen(self, screen: Screen) -> Term:
        if screen.title:
            title = quoted(screen.title)
            return Term(f"标题是{title.zh}的界面", f"a screen titled {title.en}")
        return Term("一个没有标题的界面", "a screen without a title")

    def _changed(self, rng: random.Random, screen: Screen, material: Material, split: Split) -> Screen:
        changes: dict[str, Callable[[], Screen]] = {
            "title": lambda: replace(screen, title=self._other_text(rng, material, split, screen, screen.title)),
            "error": lambda: replace(screen, error=self._other_error(rng, material, split, screen)),
            "button": lambda: self._other_button(rng, screen, material, split),
            "message": lambda: replace(
                screen, message=self._other_text(rng, material, split, screen, screen.message)
            ) if screen.message else screen,
            "row": lambda: self._other_row(rng, screen),
            "none": lambda: screen,
        }  # fmt: skip
        return changes[rng.choice(list(changes))]()

    def _other_error(self, rng: random.Random, material: Material, split: Split, screen: Screen) -> str | None:
        if screen.error and _is_small(rng, split):
            return changed(rng, material, split, screen.error, screen.language)
        return an_error(rng, material, split, screen.language) if rng.random() < 0.7 else None

    def _other_text(
        self, rng: random.Random, material: Material, split: Split, screen: Screen, text: str | None
    ) -> str:
        """A text with something changed in it, or another one."""
        if text and rng.random() < SMALL[split]:
            return changed(rng, material, split, text, screen.language)
        return a_text(rng, material, split, screen.language, words.PAGES, 9)

    def _other_row(self, rng: random.Random, screen: Screen) -> Screen:
        """One row gone, or its switch turned."""
        if len(screen.rows) < 2:
            return screen
        place_, rows = rng.randrange(len(screen.rows)), list(screen.rows)
        if rows[place_].is_on is None:
            del rows[place_]
        else:
            rows[place_] = replace(rows[place_], is_on=not rows[place_].is_on)
        return replace(screen, rows=tuple(rows))

    def _other_button(self, rng: random.Random, screen: Screen, material: Material, split: Split) -> Screen:
        if not screen.buttons:
            return screen
        place_, old = rng.randrange(len(screen.buttons)), list(screen.buttons)
        if rng.random() < 0.3:
            old[place_] = replace(old[place_], is_disabled=not old[place_].is_disabled)
            return replace(screen, buttons=tuple(old))
        if _is_small(rng, split):
            new = changed(rng, material, split, old[place_].text, screen.language)
        else:
            new = some_buttons(rng, material, split, screen.language, 1)[0].text
        if new not in [button.text for button in old]:
            old[place_] = Button(new, old[place_].is_primary, old[place_].is_disabled)
        return replace(screen, buttons=tuple(old))

    def _changes(self, first: Screen, second: Screen) -> list[Change]:
        found = []
        for what, one, other in (
            (TITLE, first.title, second.title),
            (ERROR, first.error, second.error),
            (MESSAGE, first.message, second.message),
        ):
            if one != other:
                found.append(Change(what, _text(one), _text(other)))
        names = [tuple(button.text for button in screen.buttons) for screen in (first, second)]
        if names[0] != names[1]:
            found.append(Change(BUTTONS, _names(names[0]), _names(names[1])))
        for button, new in zip(first.buttons, second.buttons, strict=False):
            if button.text == new.text and state_of(button) != state_of(new):
                found.append(Change(_of(STATES, button.text), state_of(button), state_of(new)))
        fields = [tuple(field.label for field in screen.fields) for screen in (first, second)]
        if fields[0] != fields[1]:
            found.append(Change(FIELDS, _names(fields[0]), _names(fields[1])))
        rows = [tuple(row.text for row in screen.rows) for screen in (first, second)]
        if rows[0] != rows[1]:
            found.append(Change(ROWS, _names(rows[0]), _names(rows[1])))
        for row, turned in zip(first.rows, second.rows, strict=False):
            if row.text == turned.text and row.is_on != turned.is_on:
                found.append(Change(same(row.text), _on(row.is_on), _on(turned.is_on)))
        if first.tabs != second.tabs:
            found.append(Change(TABS, _names(first.tabs), _names(second.tabs)))
        return found


def _names(texts: tuple[str, ...]) -> Term:
    return listed(texts) if texts else ABSENT


def _of(what: Term, text: str) -> Term:
    return Term(f"{quoted(text).zh}{what.zh}", f"{what.en} of {quoted(text).en}")


def _on(state: bool | None) -> Term:
    return Term("开启", "on") if state else Term("关闭", "off")
