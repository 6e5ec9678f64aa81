"""Drawings and photographs that training alone shows, from many hands: shaded, coloured, clip art, plain photographs.

Validation never shows them, so that what it measures stays comparable with earlier checkpoints.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from flashsight.demo.material.archives import read_archive
from flashsight.demo.material.cutting import dark_share, fitted, without_ground
from flashsight.demo.material.icon_sets import PIXELS, Iconify, IconPark, package, rendered
from flashsight.demo.material.listed import PICTURES
from flashsight.demo.vocabulary import COLOURS, CONCEPTS, UNNAMED

PHOTO_PIXELS = 200
BY_COLOUR = frozenset({"apple", "green apple", "orange", "lemon", "tomato"})
"""Concepts that are another thing in another colour."""
COLOURED_SETS = ("streamline-kameleon-color", "flat-color-icons", "fluent-color")
OUTLINE = 0.8  # a drawing that is dark to this share is a shape, to be seen only in a colour that suits its ground
MOST_PIXELS = 30_000_000  # of a clip-art picture; the few larger ones are patterns
_DISC = re.compile(r'(<g fill="none">)<path fill="[^"]*" d="M2[34][^"]*"/>')


def further(unpacked: Path, unnamed_lines: Sequence[str]) -> Iterator[tuple[str, str, Image.Image]]:
    """(English name of the concept or nothing, style, RGBA) of each; `unnamed_lines` are Icon Park's without a name."""
    yield from _shaded(unpacked)
    yield from _park(unpacked, unnamed_lines)
    yield from _coloured(unpacked)
    yield from _clip_art(unpacked)
    yield from _gcompris(unpacked)
    for path, name in PICTURES["tuxpaint photographs"]:
        yield name, "photo", stamp(unpacked, path)


def _shaded(unpacked: Path) -> Iterator[tuple[str, str, Image.Image]]:
    source = Iconify(package(unpacked, "fluent-emoji"), Iconify(package(unpacked, "noto"), {}).names)
    named = [(concept.name.en, concept.emoji) for concept in CONCEPTS if concept.emoji]
    for name, emoji in (*named, *(("", emoji) for emoji in UNNAMED["train"])):
        svg = source.svg(emoji)
        if svg:
            yield name, "fluent-emoji", rendered(svg)


def _park(unpacked: Path, unnamed_lines: Sequence[str]) -> Iterator[tuple[str, str, Image.Image]]:
    """Icon Park's drawings with dark outlines around one colour, chosen by hash."""
    park = IconPark(package(unpacked, "svg"))
    lines = [(concept.name.en, concept.line) for concept in CONCEPTS if concept.name.en not in BY_COLOUR]
    for name, line in (*lines, *(("", line) for line in unnamed_lines)):
        if line:
            first, second, *_ = hashlib.sha256(line.encode()).digest()
            fill, inside = ("#{:02x}{:02x}{:02x}".format(*COLOURS[byte % 9].rgb) for byte in (first, second))
            colours = ("#333", fill, "#fff", "#fff" if inside == fill else inside)
            drawing = rendered(park.svg(line, colours))
            if dark_share(drawing) < OUTLINE:
                yield name, "icon-park", drawing


def _coloured(unpacked: Path) -> Iterator[tuple[str, str, Image.Image]]:
    for collection in COLOURED_SETS:
        source = Iconify(package(unpacked, collection), {})
        for icon, name in PICTURES[collection]:
            svg = source.named(icon)
            if svg:
                yield name, collection, rendered(_DISC.sub(r"\1", svg))


def _clip_art(unpacked: Path) -> Iterator[tuple[str, str, Image.Image]]:
    folder = unpacked / "openclipart-png" / "usr" / "share" / "openclipart" / "png"
    for file, name in PICTURES["clipart"]:
        with Image.open(folder / f"{file}.png") as opened:
            if opened.width * opened.height <= MOST_PIXELS:
                drawing = fitted(opened, PIXELS)
                yield name, "solid" if dark_share(drawing) > OUTLINE else "clipart", drawing


def _gcompris(unpacked: Path) -> Iterator[tuple[str, str, Image.Image]]:
    folder = unpacked / "gcompris-qt-data" / "usr" / "share" / "gcompris-qt" / "rcc"
    for kind, style in (("drawings", "gcompris"), ("photographs", "photo")):
        pictures = PICTURES[f"gcompris {kind}"]
        for activity in dict.fromkeys(file.partition("/")[0] for file, _ in pictures):
            contents = read_archive(folder / f"{activity}.rcc")
            for file, name in pictures:
                if file.startswith(f"{activity}/"):
                    within = f"gcompris/src/activities/{activity}/resource/{file.partition('/')[2]}.webp"
                    picture = fitted(Image.open(io.BytesIO(contents[within])), PHOTO_PIXELS)
                    yield name, style, without_ground(picture) if style == "photo" else fitted(picture, PIXELS)


def stamp(unpacked: Path, path: str) -> Image.Image:
    """A photograph of Tux Paint's, which stands free already."""
    stamps = unpacked / "tuxpaint-stamps-default" / "usr" / "share" / "tuxpaint" / "stamps"
    with Image.open(stamps / f"{path}.png") as opened:
        return fitted(opened, PHOTO_PIXELS)
