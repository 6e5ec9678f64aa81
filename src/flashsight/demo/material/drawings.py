"""Renders the drawings of every concept in every style and packs them into one file. Knows no scene.

Styles `line` and `solid` are black shapes with white parts, to be coloured when drawn; `photo` is a photograph without
its background; the others are drawings in colours. Split `extra` is for training alone, `train` also for validation
where that has no drawing of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from flashsight.demo.material.further import further, stamp
from flashsight.demo.material.icon_sets import LINE, SOLID, Iconify, IconPark, OpenMoji, package, rendered
from flashsight.demo.material.named_icons import SETS, names_of, unnamed_of
from flashsight.demo.material.stamps import STAMPS
from flashsight.demo.vocabulary import CONCEPTS, UNNAMED

TRAIN_STYLES = ("noto", "fluent-emoji-flat", "twemoji", "openmoji", "noto-v1")
VALID_STYLES = ("emojione",)
NUM_UNNAMED_LINES = {"train": 300, "valid": 60}


def _styles(unpacked: Path) -> dict[str, Iconify | OpenMoji]:
    noto = Iconify(package(unpacked, "noto"), {})
    styles: dict[str, Iconify | OpenMoji] = {"noto": noto, "openmoji": OpenMoji(package(unpacked, "openmoji"))}
    for name in ("fluent-emoji-flat", "twemoji", "emojione", "noto-v1"):
        styles[name] = Iconify(package(unpacked, name), noto.names)
    return styles


def _unnamed_lines(park: IconPark) -> Iterator[tuple[str, str]]:
    """(split, name) of line drawings that look like no concept, chosen by hash."""
    known = {concept.line for concept in CONCEPTS}
    words = {concept.name.zh for concept in CONCEPTS}
    stems = {line.split("-")[0] for line in known if line}
    rest = [
        name
        for name, title in park.titles.items()
        if name not in known and name.split("-")[0] not in stems and not any(word in title for word in words)
    ]
    rest.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
    for split, count in NUM_UNNAMED_LINES.items():
        yield from ((split, name) for name in rest[:count])
        rest = rest[count:]


def _named_icons(unpacked: Path) -> Iterator[tuple[str, str, str, str]]:
    """(concept, style, split, svg) from the sets that go by names, and black emoji; equal drawings once."""
    black = Iconify(package(unpacked, "fluent-emoji-high-contrast"), {})
    for concept in CONCEPTS:
        svg = black.svg(concept.emoji) if concept.emoji else None
        if svg:
            yield concept.name.en, "solid", "train", svg
    for icons in SETS:
        source, seen = Iconify(package(unpacked, icons.package), {}), set[str]()
        for concept in CONCEPTS:
            for style, name in names_of(concept, icons):
                svg = source.named(name)
                if svg and svg not in seen:
                    seen.add(svg)
                    yield concept.name.en, style, icons.split, svg
        for name in unnamed_of(source.icons, CONCEPTS, icons.num_unnamed):
            yield "", "line", icons.split, source.named(name) or ""


def _drawings(unpacked: Path) -> Iterator[tuple[str, str, str, str]]:
    """(English name of the concept or nothing, style, split, svg): every drawing there is."""
    styles, park = _styles(unpacked), IconPark(package(unpacked, "svg"))
    for concept in CONCEPTS:
        for style, source in styles.items():
            svg = source.svg(concept.emoji) if concept.emoji else None
            if svg:
                yield concept.name.en, style, "valid" if style in VALID_STYLES else "train", svg
        if concept.line:
            yield concept.name.en, "line", "train", park.svg(concept.line, LINE)
            yield concept.name.en, "solid", "train", park.svg(concept.line, SOLID)
    yield from _named_icons(unpacked)
    for split, emojis in UNNAMED.items():
        for emoji in emojis:
            for style in TRAIN_STYLES:
                svg = styles[style].svg(emoji)
                if svg:
                    yield "", style, split, svg
    for split, name in _unnamed_lines(park):
        yield "", "line", split, park.svg(name, LINE)


def _photographs(unpacked: Path) -> Iterator[tuple[str, str, str, Image.Image]]:
    """(English name of the concept or nothing, style, split, RGBA) of each cut-out photograph."""
    for path, name, split in STAMPS:
        yield name, "photo", split, stamp(unpacked, path)


def _pictures(unpacked: Path) -> Iterator[tuple[str, str, str, Image.Image]]:
    for name, style, split, svg in _drawings(unpacked):
        yield name, style, split, rendered(svg)
    yield from _photographs(unpacked)
    unnamed_lines = [name for split, name in _unnamed_lines(IconPark(package(unpacked, "svg"))) if split == "train"]
    for name, style, picture in further(unpacked, unnamed_lines):
        yield name, style, "extra", picture


def pack_drawings(unpacked: Path, folder: Path) -> int:
    """Write sprites.bin (WebP after WebP) and sprites.json; return the number of drawings."""
    index: list[list[Any]] = []
    with (folder / "sprites.bin").open("wb") as packed:
        for concept, style, split, sprite in _pictures(unpacked):
            box = sprite.getbbox()
            if box is None:
                continue
            content = io.BytesIO()
            sprite.crop(box).save(content, "WEBP", quality=82, method=4)
            index.append([concept, style, split, packed.tell(), len(content.getvalue())])
            packed.write(content.getvalue())
    (folder / "sprites.json").write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
    return len(index)
