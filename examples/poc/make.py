"""Draws the 60 products of this example and writes what is right about each: pictures, gold.xlsx, ratings.csv.

Everything follows from SEED and the folder that `flashsight demo material FOLDER` makes:

    python examples/poc/make.py MATERIAL
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import xlsxwriter
from PIL import Image

from flashsight.demo.material import Material, words
from flashsight.demo.material.opened import split_of
from flashsight.demo.scenes.canvas import Canvas, Rgb, mixed
from flashsight.demo.scenes.cards import NOT_STATED, copy_of, draw_offer
from flashsight.demo.scenes.colours import near, spell
from flashsight.demo.scenes.goods import SOLD, Offer, a_price, pick_words
from flashsight.demo.scenes.icons import Drawn, drawing, place
from flashsight.demo.scenes.paper import DARKS, LIGHTS, backdrop, fade
from flashsight.demo.vocabulary import COLOURS, MATERIALS_BY_CATEGORY, Concept, Language, Term

HERE = Path(__file__).parent
SEED = "flashsight poc 2026"
STYLES = ("noto", "fluent-emoji-flat")
"""Drawings under Apache-2.0 and MIT, so that the pictures may be passed on."""

CLASSES = ("服饰", "鞋靴", "箱包", "电子数码", "家居", "厨具", "水果", "玩具")
GROUPS = (("单品图", 12), ("页面文字", 22), ("复杂版面", 14), ("英文页面", 12))
COLUMNS = ("图片", "分组", "品类", "颜色", "材质", "卖点", "价格", "文案")
TAGS = ("", "颜色写错", "缺促销信息", "语气生硬")


@dataclass(frozen=True, slots=True)
class Product:
    """One picture and what is right about it."""

    name: str
    group: str
    offer: Offer
    picture: Image.Image

    def row(self) -> tuple[str, ...]:
        """The product's line of the gold table."""
        offer, shown = self.offer, self.offer.shown
        return (
            self.name,
            self.group,
            offer.concept.category.zh,
            spell(shown.colours, "zh"),
            (offer.material or NOT_STATED).zh,
            "、".join(offer.features),
            offer.price or "",
            copy_of(offer, "zh"),
        )


def _shown(rng: random.Random, material: Material, concept: Concept, ground: Rgb) -> Drawn | None:
    """A drawing of the concept that has one clear colour, None where chance gives none."""
    for _ in range(24):
        shown = drawing(rng, material.sprite(rng, concept.index, "train"), ground, 0.5)
        if shown.sprite.style in STYLES and len(shown.colours) == 1:
            return shown
    return None


def _title(rng: random.Random, language: Language, concept: Concept, colour: Term) -> str:
    """A headline that training never saw: an adjective and, mostly, the noun."""
    gap = "" if language == "zh" else " "
    while True:
        noun = Term("系列", "series") if rng.random() < 0.25 else concept.name
        tint = [colour[language]] if rng.random() < 0.25 else []
        title = gap.join((rng.choice(words.ADJECTIVES)[language], *tint, noun[language]))
        if split_of(title) == "valid":
            return title


def _offer(rng: random.Random, concept: Concept, shown: Drawn, group: str) -> Offer:
    """What a card of the group says of a product, in words that training kept for validation where there are such."""
    language: Language = "en" if group == "英文页面" else "zh"
    if group == "单品图":
        return Offer(language, shown)
    is_busy = group == "复杂版面"
    stuffs = MATERIALS_BY_CATEGORY.get(concept.category.zh)
    currency = "$" if language == "en" else "¥"
    return Offer(
        language,
        shown,
        title=_title(rng, language, concept, COLOURS[shown.colours[0]].name),
        material=rng.choice(stuffs) if stuffs and rng.random() < 0.6 else None,
        price=a_price(rng, currency),
        old_price=a_price(rng, currency) if is_busy else None,
        badge=rng.choice(words.BADGES)[language] if is_busy else None,
        features=pick_words(rng, words.FEATURES, language, 3 if is_busy else 2),
        button="立即购买" if is_busy and language == "zh" else None,
        says_category=rng.random() < 0.3,
    )


def _picture(rng: random.Random, material: Material, concept: Concept, group: str) -> tuple[Offer, Image.Image] | None:
    ground = rng.choice(DARKS) if group == "复杂版面" and rng.random() < 0.4 else rng.choice(LIGHTS)
    shown = _shown(rng, material, concept, ground)
    if shown is None:
        return None
    size = rng.choice(((644, 448), (420, 700), (532, 532))) if group == "复杂版面" else (448, 448)
    canvas, offer = Canvas(material, size, ground), _offer(rng, concept, shown, group)
    if group == "单品图":
        backdrop(rng, canvas, ground)
        side = min(size) * rng.uniform(0.55, 0.85)
        x, y = (canvas.width - side) / 2, (canvas.height - side) / 2
        place(rng, canvas, shown, (x, y, x + side, y + side))
        return offer, canvas.picture
    if group == "复杂版面":
        fade(canvas, ground, mixed(ground, near(rng, rng.randrange(len(COLOURS))), 0.12), upright=True)
    said = draw_offer(rng, canvas, offer, material, "valid", ground)
    is_whole = said.title and said.price and said.features == offer.features and said.material == offer.material
    return (replace(said, says_colour=False), canvas.picture) if is_whole else None


def products(material: Material) -> Iterator[Product]:
    """The products in their lasting order: each group's classes in turn, each noun as seldom as can be."""
    rng = random.Random(SEED)  # noqa: S311 - pictures, no secrets
    nouns = {name: [concept for concept in SOLD if concept.category.zh == name] for name in CLASSES}
    for queue in nouns.values():
        rng.shuffle(queue)
    number = 0
    for group, count in GROUPS:
        for _ in range(count):
            queue = nouns[CLASSES[number % len(CLASSES)]]
            drawn = None
            while drawn is None:
                concept = queue.pop(0)
                queue.append(concept)
                drawn = _picture(rng, material, concept, group)
            number += 1
            yield Product(f"product_{number:03}.{'jpg' if group == '单品图' else 'png'}", group, *drawn)


def _save(product: Product, folder: Path) -> None:
    if product.name.endswith(".jpg"):
        product.picture.save(folder / product.name, quality=90)
    else:
        product.picture.save(folder / product.name, optimize=True)


def _gold(file: Path, made: list[Product]) -> None:
    with xlsxwriter.Workbook(str(file)) as book:
        book.set_properties({"title": "FlashSight PoC gold table", "created": datetime(2026, 1, 1, tzinfo=UTC)})
        sheet, bold = book.add_worksheet("金标"), book.add_format({"bold": True})
        sheet.write_row(0, 0, COLUMNS, bold)
        for line, product in enumerate(made, 1):
            sheet.write_row(line, 0, product.row())
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, len(COLUMNS) - 1, 18)


def _ratings(file: Path, made: list[Product]) -> None:
    """Two raters over every other picture. Made up, to show the format: no person rated anything."""
    rng = random.Random(SEED)  # noqa: S311 - no secrets
    with file.open("w", encoding="utf-8-sig", newline="") as written:
        table = csv.writer(written)
        table.writerow(("图片", "评审人", "评分", "采纳", "标签", "修改后文案"))
        for product in made[::2]:
            base = rng.choice((5, 5, 4, 4, 4, 3))
            for rater in ("A", "B"):
                score = max(1, min(5, base + rng.choice((-1, 0, 0, 0, 1))))
                tag = rng.choice(TAGS[1:]) if score <= 3 else ""
                corrected = copy_of(product.offer, "zh") if score <= 3 else ""
                table.writerow((product.name, rater, score, "是" if score == 5 else "", tag, corrected))


def main(material: Path) -> None:
    """Write the pictures, gold.xlsx and ratings.csv beside this file."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    made = list(products(Material(material)))
    for product in made:
        _save(product, folder)
    _gold(HERE / "gold.xlsx", made)
    _ratings(HERE / "ratings.csv", made)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/poc/make.py MATERIAL (the folder that `flashsight demo material` made)")
    main(Path(sys.argv[1]))
