"""Renders the drawings of every concept in every style and packs them into one file. Knows no scene.

Styles `line` and `solid` are black shapes with white parts, to be coloured when drawn; `photo` is a photograph without
its background; the others are drawings in colours.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

from flashsight.demo.material.named_icons import SETS, names_of, unnamed_of
from flashsight.demo.material.stamps import STAMPS
from flashsight.demo.vocabulary import CONCEPTS, UNNAMED

PIXELS = 112
PHOTO_PIXELS = 200
TRAIN_STYLES = ("noto", "fluent-emoji-flat", "twemoji", "openmoji", "noto-v1")
VALID_STYLES = ("emojione",)
NUM_UNNAMED_LINES = {"train": 300, "valid": 60}


def _rendered(svg: str) -> Image.Image:
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=PIXELS, height=PIXELS))
    return Image.open(io.BytesIO(png)).convert("RGBA")


class _Iconify:
    """One style in Iconify's JSON: drawings by code point, or by the name that Noto gives the code point."""

    def __init__(self, folder: Path, names: dict[str, str]) -> None:
        self._set: dict[str, Any] = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        chars: dict[str, str] = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
        self.names = chars or names
        self.icons = tuple(self._set["icons"])

    def svg(self, emoji: str) -> str | None:
        code = "-".join(f"{ord(char):x}" for char in emoji)
        name = self.names.get(code.removesuffix("-fe0f")) or self.names.get(code)
        return self.named(name) if name else None

    def named(self, name: str) -> str | None:
        """The drawing of a name, black where it takes the text's colour; None where the set has none."""
        name = self._set.get("aliases", {}).get(name, {}).get("parent", name)
        icon = self._set["icons"].get(name)
        if icon is None:
            return None
        width, height = (icon.get(side, self._set.get(side, 16)) for side in ("width", "height"))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width}" height="{height}" viewBox="{box}">{icon["body"].replace("currentColor", "#000")}</svg>'
        )


class _OpenMoji:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "color" / "svg"

    def svg(self, emoji: str) -> str | None:
        code = "-".join(f"{ord(char):04X}" for char in emoji)
        for name in (code, code.removesuffix("-FE0F")):
            path = self._folder / f"{name}.svg"
            if path.exists():
                return path.read_text(encoding="utf-8")
        return None


class _IconPark:
    """Icon Park's components: a string joined from literals and the properties of its caller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "lib" / "icons"
        self.titles = {
            icon["name"]: icon["title"] for icon in json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        }

    def svg(self, name: str, *, solid: bool) -> str:
        path = self._folder / ("".join(part.capitalize() for part in name.split("-")) + ".js")
        source = path.read_text(encoding="utf-8").partition("return ")[2]
        colours = ("#000", "#000" if solid else "none", "#fff" if solid else "#000", "#fff" if solid else "none")
        plain = {"size": "48", "strokeWidth": "4", "strokeLinejoin": "round", "strokeLinecap": "round", "id": "a"}
        pieces = re.findall(r"'((?:[^'\\]|\\.)*)'|props\.(\w+)(?:\[(\d)\])?", source.partition("});")[0])
        drawn = "".join(
            text or (colours[int(index) % 4] if key == "colors" else plain.get(key, "")) for text, key, index in pieces
        )
        return drawn.partition("?>")[2]


def _package(unpacked: Path, name: str) -> Path:
    return unpacked / name / "package"


def _styles(unpacked: Path) -> dict[str, _Iconify | _OpenMoji]:
    noto = _Iconify(_package(unpacked, "noto"), {})
    styles: dict[str, _Iconify | _OpenMoji] = {"noto": noto, "openmoji": _OpenMoji(_package(unpacked, "openmoji"))}
    for name in ("fluent-emoji-flat", "twemoji", "emojione", "noto-v1"):
        styles[name] = _Iconify(_package(unpacked, name), noto.names)
    return styles


def _unnamed_lines(park: _IconPark) -> Iterator[tuple[str, str]]:
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
    black = _Iconify(_package(unpacked, "fluent-emoji-high-contrast"), {})
    for concept in CONCEPTS:
        svg = black.svg(concept.emoji) if concept.emoji else None
        if svg:
            yield concept.name.en, "solid", "train", svg
    for icons in SETS:
        source, seen = _Iconify(_package(unpacked, icons.package), {}), set[str]()
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
    styles, park = _styles(unpacked), _IconPark(_package(unpacked, "svg"))
    for concept in CONCEPTS:
        for style, source in styles.items():
            svg = source.svg(concept.emoji) if concept.emoji else None
            if svg:
                yield concept.name.en, style, "valid" if style in VALID_STYLES else "train", svg
        if concept.line:
            yield concept.name.en, "line", "train", park.svg(concept.line, solid=False)
            yield concept.name.en, "solid", "train", park.svg(concept.line, solid=True)
    yield from _named_icons(unpacked)
    for split, emojis in UNNAMED.items():
        for emoji in emojis:
            for style in TRAIN_STYLES:
                svg = styles[style].svg(emoji)
                if svg:
                    yield "", style, split, svg
    for split, name in _unnamed_lines(park):
        yield "", "line", split, park.svg(name, solid=False)


def _photographs(unpacked: Path) -> Iterator[tuple[str, str, str, Image.Image]]:
    """(English name of the concept or nothing, style, split, RGBA) of each cut-out photograph."""
    stamps = unpacked / "tuxpaint-stamps-default" / "usr" / "share" / "tuxpaint" / "stamps"
    for path, name, split in STAMPS:
        with Image.open(stamps / f"{path}.png") as opened:
            photograph = opened.convert("RGBA")
        photograph = photograph.crop(photograph.getbbox())
        photograph.thumbnail((PHOTO_PIXELS, PHOTO_PIXELS), Image.Resampling.LANCZOS)
        yield name, "photo", split, photograph


def _pictures(unpacked: Path) -> Iterator[tuple[str, str, str, Image.Image]]:
    for name, style, split, svg in _drawings(unpacked):
        yield name, style, split, _rendered(svg)
    yield from _photographs(unpacked)


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
