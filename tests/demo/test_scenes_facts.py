"""What is said of charts, colours and pairs can be seen: heights in pixels, shares of areas, changed letters."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageFont

from flashsight.demo.batches import BatchSize, Collator
from flashsight.demo.colour_names import main_colours, name_pixels
from flashsight.demo.material import Material
from flashsight.demo.material.lookalikes import SIDE, Lookalikes
from flashsight.demo.material.opened import split_of
from flashsight.demo.sample import Sample, Split
from flashsight.demo.scenes import SCENES
from flashsight.demo.scenes.asking import Facts
from flashsight.demo.scenes.canvas import Canvas, pick_type
from flashsight.demo.scenes.chart_drawing import Kind, Look, Series, draw_series
from flashsight.demo.scenes.charts import a_series
from flashsight.demo.scenes.icons import Drawn, tell
from flashsight.demo.vocabulary import COLOURS
from tests.demo import small

FILLS = ((200, 30, 30), (30, 160, 60), (40, 80, 220))
SERIES = Series("bars", "en", ("East", "West", "South"), (20.0, 50.0, 92.0), "kg", None, is_labelled=False)


def drawn_chart(
    material: Material, kind: Kind, *, has_axis: bool = True, seed: int = 0, series: Series = SERIES
) -> Canvas:
    canvas, rng = Canvas(material, (448, 448), (255, 255, 255)), random.Random(seed)
    look = Look(pick_type(rng, material, "train", 20), (0, 0, 0), (220, 220, 220), FILLS, (255, 255, 255), has_axis)
    draw_series(rng, canvas, replace(series, kind=kind), (20, 20, 428, 428), look)
    return canvas


@pytest.mark.parametrize(("kind", "along"), [("bars", 0), ("rows", 1)])
def test_levels_are_as_far_apart_as_the_ends_of_the_bars(material: Material, kind: Kind, along: int) -> None:
    for seed in range(6):
        canvas = drawn_chart(material, kind, seed=seed)
        pixels, levels = canvas.pixels(), canvas.labels().level
        lengths, said = [], []
        for fill in FILLS:
            places = np.argwhere((pixels == fill).all(-1))
            lengths.append(int(np.ptp(places[:, along])) + 1)
            covered = (pixels == fill).all(-1).reshape(32, 14, 32, 14).mean((1, 3)) == 1
            (level,) = set(levels[covered].tolist())
            said.append(level)
        for (one, other), (length, longer) in zip(pairwise(said), pairwise(lengths), strict=True):
            assert one / other == pytest.approx(length / longer, abs=0.03)
        assert said[-1] == 92


def test_points_of_a_line_and_names_of_values_bear_levels_and_nothing_else_does(material: Material) -> None:
    levels = drawn_chart(material, "line").labels().level
    assert set(np.unique(levels)) == {-1, 20, 50, 92}
    rows = {level: np.argwhere(levels == level)[:, 0] for level in (20, 50, 92)}
    assert min(rows[92]) < min(rows[50]) < min(rows[20])
    assert max(rows[92]) == max(rows[50]) == max(rows[20]) > 26
    assert (drawn_chart(material, "bars", has_axis=False).labels().level == -1).all()


@pytest.mark.parametrize(("kind", "along"), [("bars", 1), ("line", 1), ("rows", 0), ("pie", 0)])
def test_names_of_values_bear_what_is_written_for_them(material: Material, kind: Kind, along: int) -> None:
    written = replace(SERIES, kind=kind, is_labelled=True, values=(20.0, 8.0, 72.0))
    values = drawn_chart(material, kind, series=written).labels().value
    assert set(np.unique(values)) == {-1, 20, 80, 72}
    first, second, third = (np.argwhere(values == value)[:, along].mean() for value in (20, 80, 72))
    assert first < second < third
    assert (drawn_chart(material, kind).labels().value == -1).all()


@pytest.mark.parametrize(("kind", "place"), [("level", 3), ("value", 4), ("feature", 5)])
def test_patches_with_levels_and_descriptions_are_chosen_as_those_with_letters_are(kind: str, place: int) -> None:
    sample = small.sample(40, "树", size=(448, 448))
    none, shown = np.full((32, 32), -1, np.int16), np.full((32, 32), -1, np.int16)
    shown[10:14] = 3
    planes = {"level": none, "value": none, "feature": none, "icon": np.zeros((32, 32), np.int16), kind: shown}
    labels = replace(sample.labels[0], **planes)
    batch = Collator(small.packer(), BatchSize(num_patches=1024, text_tokens=64), 0).collate(
        [replace(sample, labels=(labels,))]
    )
    chosen = np.asarray(batch["labels"])[0, :, place]
    assert (chosen == 3).sum() == 128
    assert set(chosen.tolist()) == {-1, 3}


def series_of(material: Material, split: Split) -> list[Series]:
    drawn = (a_series(random.Random(seed), material, split) for seed in range(500))
    return [series for series in drawn if series.kind != "pie"]


def test_training_leaves_more_values_to_be_read_off_than_validation(material: Material) -> None:
    shares = {
        split: np.mean([not series.is_labelled for series in series_of(material, split)])
        for split in ("train", "valid")
    }
    assert shares["valid"] == pytest.approx(0.28, abs=0.06)
    assert shares["train"] == pytest.approx(0.45, abs=0.06)


def test_a_value_is_told_after_the_label_that_was_asked_for(material: Material) -> None:
    asked = 0
    for seed in range(40):
        sample = SCENES["chart"].draw(random.Random(seed), material, (448, 448), "train")
        for pair in sample.pairs:
            if pair.key == "value_of":
                label = pair.answer[slice(*pair.spelled[0])]
                assert pair.spelled[0][0] == 0
                assert label in pair.question
                assert pair.answer[len(label)] == (":" if pair.language == "en" else "：")
                asked += 1
    assert asked > 100


CSS = {
    "red": "red", "darkorange": "orange", "gold": "yellow", "green": "green", "teal": "cyan", "navy": "blue",
    "purple": "purple", "hotpink": "pink", "saddlebrown": "brown", "tan": "beige", "cornsilk": "beige",
    "ivory": "white", "#fcf5dd": "white", "gainsboro": "gray", "dimgray": "gray", "#444": "black", "black": "black",
}  # fmt: skip


@pytest.mark.parametrize("css", CSS)
def test_a_colour_of_the_web_gets_its_plain_name(css: str) -> None:
    pixel = np.array([ImageColor.getrgb(css)], np.uint8)
    assert COLOURS[name_pixels(pixel)[0]].name.en == CSS[css]


def painted(*shares: tuple[tuple[int, int, int], int]) -> Image.Image:
    """A drawing of 32 rows, so many of each colour."""
    rows = [[(*colour, 255)] * 32 for colour, count in shares for _ in range(count)]
    return Image.fromarray(np.array(rows, np.uint8), "RGBA")


RED, GREEN, BLUE, YELLOW, BLACK = (COLOURS[number].rgb for number in (0, 3, 5, 2, 9))


@pytest.mark.parametrize(
    ("picture", "names"),
    [
        (painted((RED, 20), (GREEN, 12)), ["red"]),
        (painted((RED, 13), (GREEN, 9), (BLUE, 10)), ["red"]),
        (painted((RED, 15), (GREEN, 17)), ["green", "red"]),
        (painted((RED, 16), (BLACK, 16)), ["red"]),
        (painted((RED, 8), (GREEN, 8), (BLUE, 8), (YELLOW, 8)), []),
        (Image.new("RGBA", (32, 32)), []),
    ],
)
def test_a_drawing_has_one_main_colour_unless_that_is_open(picture: Image.Image, names: list[str]) -> None:
    assert [COLOURS[colour].name.en for colour in main_colours(picture)] == names


def test_the_colour_is_not_asked_for_where_it_is_open(material: Material) -> None:
    sprite = material.sprite(random.Random(0), 0, "train")
    for colours, is_asked in (((0,), True), ((0, 3), False), ((), False)):
        facts = Facts("icon")
        tell(facts, Drawn(sprite, colours))
        assert ("colour" in {pair.key for pair in facts.pairs(random.Random(0), "train")}) == is_asked


def told_the_same(sample: Sample) -> bool:
    return any(pair.answer == "The two pictures are the same." for pair in sample.pairs)


@pytest.mark.parametrize("name", ["two drawings", "two cards", "two screens"])
def test_training_shows_fewer_pairs_without_a_difference(material: Material, name: str) -> None:
    shares = []
    for split in ("train", "valid"):
        drawn = [SCENES[name].draw(random.Random(seed), material, (448, 448), split) for seed in range(120)]
        shares.append(np.mean([told_the_same(sample) for sample in drawn]))
    assert 0.03 < shares[0] < 0.75 * shares[1]


def build_bars(path: Path) -> None:
    """A font of four bars, each a little further to the right: neighbours overlap."""
    font_builder = pytest.importorskip("fontTools.fontBuilder", reason="the tiny font is built with fonttools")
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    lefts = {"一": 0, "丁": 60, "七": 560, "万": 620}
    names = {ord(char): f"u{ord(char):04X}" for char in lefts}
    builder = font_builder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for char, left in lefts.items():
        pen = TTGlyphPen(None)
        pen.moveTo((left, 0))
        for point in ((left, 800), (left + 300, 800), (left + 300, 0)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[names[ord(char)]] = pen.glyph()
    builder.setupGlyf(glyphs)
    metrics = {names[ord(char)]: (1000, left) for char, left in lefts.items()}
    builder.setupHorizontalMetrics({".notdef": (1000, 0), **metrics})
    builder.setupHorizontalHeader(ascent=860, descent=-140)
    builder.setupOS2()
    builder.setupPost()
    builder.setupNameTable({"familyName": "Bars", "styleName": "Regular"})
    builder.save(path)


def test_characters_that_overlap_are_told_alike(tmp_path: Path) -> None:
    path = tmp_path / "bars.ttf"
    build_bars(path)
    alike = Lookalikes("一丁七万a", ImageFont.truetype(str(path), SIDE))
    assert alike.of("一")[0] == "丁"
    assert alike.of("万")[0] == "七"
    assert set(alike.of("七")) == set("一丁万")
    assert alike.of("a") == ""


def test_training_mistakes_characters_and_validation_never_does(material: Material) -> None:
    for split in ("train", "valid"):
        words = set(material.words["zh"][split])
        drawn = [material.phrase(random.Random(seed), split, "zh", 1) for seed in range(300)]
        strange = [word for word in drawn if word not in words]
        assert (0.03 < len(strange) / len(drawn) < 0.2) if split == "train" else not strange
        assert all(split_of(word) == "train" for word in strange)
