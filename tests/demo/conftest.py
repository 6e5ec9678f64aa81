"""A small folder of material for the tests of the demo: one font of boxes, coloured discs for drawings, few strings."""

from __future__ import annotations

import io
import json
from itertools import product
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from flashsight.demo.material import Material
from flashsight.demo.material.fetching import drawn_characters
from flashsight.demo.vocabulary import CONCEPTS

SPLITS = ("train", "valid")


def build_font(path: Path, characters: str) -> None:
    """A font in which every character is a box, wide for Chinese and narrow for others."""
    font_builder = pytest.importorskip("fontTools.fontBuilder", reason="the tiny font is built with fonttools")
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    names = {ord(char): f"u{ord(char):04X}" for char in characters}
    builder = font_builder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs, metrics = {}, {}
    for code, name in [(0, ".notdef"), *names.items()]:
        width = 1000 if code > 0x2E80 else 520
        pen = TTGlyphPen(None)
        if code != 32:
            pen.moveTo((60, 0))
            for point in ((60, 760), (width - 60, 760), (width - 60, 0)):
                pen.lineTo(point)
            pen.closePath()
        glyphs[name], metrics[name] = pen.glyph(), (width, 60)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=860, descent=-140)
    builder.setupOS2()
    builder.setupPost()
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.save(path)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("material")
    (folder / "fonts").mkdir()
    characters = drawn_characters()
    build_font(folder / "fonts" / "boxes.ttf", characters)
    fonts = [
        {"file": "boxes.ttf", "script": script, "split": split, "missing": ""}
        for script in ("zh", "latin")
        for split in ("train", "valid")
    ]
    (folder / "fonts.json").write_text(json.dumps(fonts))
    verbs, nouns = (
        zip("打关保删新", ("open", "close", "save"), strict=False),
        zip("文页图", ("file", "page", "item"), strict=True),
    )
    strings = [[a + b + c, f"{x} {y}"] for (a, x), (b, y), c in product(verbs, nouns, "名签像目夹项件组别")]
    (folder / "strings.json").write_text(json.dumps({"characters": characters, "strings": strings}))
    index, packed = [], b""
    for number, concept in enumerate(CONCEPTS):
        picture = Image.new("RGBA", (60, 40 + number % 30))
        ImageDraw.Draw(picture).ellipse((0, 0, 59, 39), (number % 256, number * 7 % 256, 90, 255))
        content = io.BytesIO()
        picture.crop(picture.getbbox()).save(content, "PNG")
        for name, style, split in ((concept.name.en, "noto", "train"), (concept.name.en, "emojione", "valid")):
            index.append([name, style, split, len(packed), len(content.getvalue())])
        if number < 4:
            index.extend([concept.name.en, "photo", split, len(packed), len(content.getvalue())] for split in SPLITS)
        if number < 8:
            index.extend(["", "line", split, len(packed), len(content.getvalue())] for split in SPLITS)
        packed += content.getvalue()
    (folder / "sprites.json").write_text(json.dumps(index))
    (folder / "sprites.bin").write_bytes(packed)
    return Material(folder)
