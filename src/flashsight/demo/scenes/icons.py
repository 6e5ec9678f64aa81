"""One drawing, or several in rows: what they are, their category and colour, and which have no name."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from PIL import Image

from flashsight.demo.material.opened import Material, Sprite
from flashsight.demo.sample import Sample, Split
from flashsight.demo.scenes.asking import Facts, listed
from flashsight.demo.scenes.canvas import Canvas, Rgb, luminance
from flashsight.demo.scenes.colours import near, spell, tinted
from flashsight.demo.scenes.paper import backdrop, paper
from flashsight.demo.scenes.restyling import enlarged, redrawn, restyled
from flashsight.demo.vocabulary import COLOURS, CONCEPTS, Concept, Term

UNKNOWN = Term("不在我的词汇里。", "It is not in my vocabulary.")
UNNAMED = Term("不认识的图形", "something not in my vocabulary")
YES, NO = Term("有", "Yes"), Term("没有", "No")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawing as it stands in a picture, with its main colour: two where it may be either, none where it is motley.

    `plain` is the drawing before it was given a colour.
    """

    sprite: Sprite
    colours: tuple[int, ...]
    plain: Sprite | None = None

    def recoloured(self, rng: random.Random, colour: int) -> Drawn:
        """The same drawing in shades of another colour."""
        plain = self.plain or self.sprite
        return Drawn(tinted(rng, plain, colour), (colour,), plain)

    def sharpened(self, rng: random.Random, side: float, split: Split) -> Drawn:
        """The same for a place of so many pixels: in training, where that is large, mostly in few flat colours.

        What validation shows stays what it was measured with before.
        """
        if split != "train" or side <= BLURRED or self.sprite.style == "photo" or rng.random() >= SHARP_SHARE:
            return self
        picture = self.sprite.picture
        scale = side / max(picture.size)
        picture = enlarged(picture, round(picture.width * scale), round(picture.height * scale), rng.choice((3, 5, 8)))
        return Drawn(replace(self.sprite, picture=picture), self.colours, self.plain)

    @property
    def concept(self) -> Concept | None:
        """What it is, if nano has a name for it."""
        return None if self.sprite.concept is None else CONCEPTS[self.sprite.concept]

    @property
    def phrase(self) -> Term:
        """Colour and name, as far as known."""
        if self.concept is None:
            return UNNAMED
        if not self.colours:
            return self.concept.name
        return Term(
            spell(self.colours, "zh") + "的" + self.concept.name.zh,
            f"{spell(self.colours, 'en')} {self.concept.name.en}",
        )


def visible_colours(ground: Rgb) -> list[int]:
    """Colours that stand out from a ground."""
    return [
        number for number, colour in enumerate(COLOURS)
        if sum(abs(a - b) for a, b in zip(colour.rgb, ground, strict=True)) > 170
        and abs(luminance(colour.rgb) - luminance(ground)) > 30
    ]  # fmt: skip


RESTYLED = 0.35  # of the drawings look otherwise than in their set
REDRAWN = 0.45  # of training's look otherwise in several ways
SHARP_SHARE, BLURRED = 0.6, 160
"""So many of the drawings that are larger than that are made sharp: stretched, they are all blurred."""
_UPRIGHT = frozenset({"图标", "手势", "文具", "乐器", "电子数码", "建筑", "交通工具"})
_BY_COLOUR = frozenset({"apple", "green apple", "orange", "lemon", "tomato"})  # another colour makes it another thing
_LETTERED = frozenset({"stop sign", "parking sign", "calendar", "newspaper", "police car", "ambulance", "bus"})


def turned(rng: random.Random, sprite: Sprite) -> Sprite:
    """The drawing mirrored or a little tilted, where that leaves it what it is."""
    if sprite.concept is not None and CONCEPTS[sprite.concept].category.zh in _UPRIGHT:
        return sprite
    picture = sprite.picture
    if rng.random() < 0.3:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.2:
        picture = picture.rotate(rng.uniform(-18, 18), Image.Resampling.BILINEAR, expand=True)
    return replace(sprite, picture=picture)


def drawing(rng: random.Random, sprite: Sprite, ground: Rgb, tint_share: float, split: Split) -> Drawn:
    """The drawing in its own colours, or in shades of one; now and then in another manner, in training in several."""
    sprite = turned(rng, sprite)
    if sprite.concept is not None and CONCEPTS[sprite.concept].name.en in _BY_COLOUR:
        return Drawn(sprite, sprite.colours, sprite) if not sprite.is_shape else _tinted(rng, sprite, ground)
    if split == "train" and rng.random() < REDRAWN:
        sprite = redrawn(rng, sprite)
    elif rng.random() < (0.6 if sprite.style == "photo" else RESTYLED):
        sprite = restyled(rng, sprite)
    if sprite.is_shape or (sprite.style != "photo" and rng.random() < tint_share):
        return _tinted(rng, sprite, ground)
    return Drawn(sprite, sprite.colours)


def _tinted(rng: random.Random, sprite: Sprite, ground: Rgb) -> Drawn:
    colour = rng.choice(visible_colours(ground))
    return Drawn(tinted(rng, sprite, colour), (colour,), sprite)


def pick_sprite(
    rng: random.Random, material: Material, split: Split, unnamed_share: float, styles: tuple[str, ...] = ()
) -> Sprite:
    """A drawing of any concept, or of something without a name; `styles` asks for certain styles."""
    if styles:
        return material.styled_sprite(rng, split, styles[0])
    if rng.random() < unnamed_share:
        return material.unnamed_sprite(rng, split)
    return material.sprite(rng, rng.choice(material.drawable), split)


def place(rng: random.Random, canvas: Canvas, drawn: Drawn, box: tuple[float, float, float, float]) -> None:
    """Fit a drawing into a box, keeping its shape but for a little stretch."""
    left, top, right, bottom = box
    scale = min((right - left) / drawn.sprite.picture.width, (bottom - top) / drawn.sprite.picture.height)
    width = drawn.sprite.picture.width * scale * rng.uniform(0.9, 1)
    height = drawn.sprite.picture.height * scale * rng.uniform(0.9, 1)
    x, y = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    canvas.sprite(drawn.sprite, (x, y, x + width, y + height), drawn.colours[0] if drawn.colours else None)


def tell(facts: Facts, drawn: Drawn) -> None:
    """Say what a single drawing is."""
    concept = drawn.concept
    if concept is None:
        facts.add("what", UNKNOWN, weight=3, skill="refuse")
        facts.add("category", UNKNOWN, skill="refuse")
        facts.add(
            "describe",
            Term("图中的图形不在我的词汇里。", "The picture shows something that is not in my vocabulary."),
            weight=2,
            skill="refuse",
        )
    else:
        named, category = concept.name, concept.category
        facts.add("what", named, weight=4)
        facts.add("category", category, weight=2)
        article = "an" if drawn.phrase.en[0] in "aeiouAEIO" else "a"
        facts.add(
            "describe",
            Term(
                f"图中是{drawn.phrase.zh}，属于{category.zh}。",
                f"The picture shows {article} {drawn.phrase.en}, a kind of {category.en}.",
            ),
            weight=2,
        )
    if len(drawn.colours) == 1:
        facts.add("colour", COLOURS[drawn.colours[0]].name, weight=2)


class OneIcon:
    """A single drawing on some ground."""

    name = "icon"
    styles: tuple[str, ...] = ()

    def __init__(self, unnamed_share: float = 0.12) -> None:
        """`unnamed_share`: how many of the drawings show something that has no name here."""
        self._unnamed_share = unnamed_share

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """A drawing that fills a fifth to nine tenths of the picture."""
        ground = paper(rng)
        canvas = Canvas(material, size, ground)
        backdrop(rng, canvas, ground)
        side = min(size) * rng.uniform(0.25, 0.92)
        x, y = (canvas.width - side) * rng.uniform(0.2, 0.8), (canvas.height - side) * rng.uniform(0.2, 0.8)
        if rng.random() < 0.25:
            ground = near(rng, rng.randrange(len(COLOURS)), 20)
            canvas.rounded((x, y, x + side, y + side), rng.choice((0, side / 5, side / 2)), ground)
            x, y, side = x + side * 0.18, y + side * 0.18, side * 0.64
        drawn = drawing(rng, pick_sprite(rng, material, split, self._unnamed_share, self.styles), ground, 0.25, split)
        drawn = drawn.sharpened(rng, side, split)
        place(rng, canvas, drawn, (x, y, x + side, y + side))
        facts = Facts("photo" if drawn.sprite.style == "photo" else "icon")
        tell(facts, drawn)
        facts.lack("buttons", "price", "error", "problem", weight=0.15)
        if drawn.concept is not None and drawn.concept.name.en not in _LETTERED:
            facts.lack("read", weight=0.15)
        if drawn.concept is not None:
            other = CONCEPTS[rng.choice(material.drawable)]
            is_there = rng.random() < 0.5 or other is drawn.concept
            facts.add("has", YES if is_there else NO, x=drawn.concept.name if is_there else other.name, weight=0.4)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split))


class Nameless(OneIcon):
    """A single drawing of something that has no name here."""

    name = "nameless"

    def __init__(self) -> None:
        super().__init__(unnamed_share=1.0)


class Photo(OneIcon):
    """A photograph of a single thing on some ground."""

    name = "photo"
    styles = ("photo",)


class ManyIcons:
    """Two to nine drawings in a row, a column or a grid."""

    name = "icons"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Drawings in reading order; questions ask for all of them, for one by place, and how many."""
        ground = paper(rng)
        canvas = Canvas(material, size, ground)
        rows, columns = rng.choice(((1, 2), (1, 3), (2, 2), (2, 3), (3, 3), (2, 1), (1, 4), (3, 1)))
        cell = min(canvas.width / columns, canvas.height / rows)
        left, top = (canvas.width - cell * columns) / 2, (canvas.height - cell * rows) / 2
        is_tinted = rng.random() < 0.3
        drawn = []
        for row in range(rows):
            for column in range(columns):
                shown = drawing(rng, pick_sprite(rng, material, split, 0.06), ground, 1.0 if is_tinted else 0.1, split)
                margin = cell * rng.uniform(0.08, 0.25)
                x, y = left + column * cell, top + row * cell
                place(rng, canvas, shown, (x + margin, y + margin, x + cell - margin, y + cell - margin))
                drawn.append(shown)
        return Sample(
            self.name, (canvas.pixels(),), (canvas.labels(),), self._facts(rng, material, drawn, rows).pairs(rng, split)
        )

    def _facts(self, rng: random.Random, material: Material, drawn: list[Drawn], rows: int) -> Facts:
        facts = Facts("icon")
        names = [shown.concept.name if shown.concept else UNNAMED for shown in drawn]
        everything = Term("、".join(name.zh for name in names), ", ".join(name.en for name in names))
        facts.add("icons", everything, weight=3)
        facts.add(
            "describe",
            Term(
                f"图中有{len(drawn)}个图形：{everything.zh}。",
                f"The picture shows {len(drawn)} things: {everything.en}.",
            ),
            weight=2,
        )
        facts.add("count", listed([str(len(drawn))]), weight=1)
        for number, (name, shown) in enumerate(zip(names, drawn, strict=True), 1):
            facts.add("place", UNKNOWN if shown.concept is None else name, x=Term(str(number), str(number)), weight=0.8)
        if rows == 1:
            facts.add("left", names[0])
            facts.add("right", names[-1])
        known = [name for name in names if name is not UNNAMED]
        other = CONCEPTS[rng.choice(material.drawable)].name
        if known:
            facts.add("has", YES, x=rng.choice(known), weight=0.5)
        if other not in names:
            facts.add("has", NO, x=other, weight=0.5)
        facts.lack("buttons", "price", weight=0.1)
        return facts
