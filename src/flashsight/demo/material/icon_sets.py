"""Opens icon sets of several kinds and renders their drawings. Knows no concept."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

PIXELS = 112
LINE, SOLID = ("#000", "none", "#000", "none"), ("#000", "#000", "#fff", "#fff")  # Icon Park's plainest themes


def rendered(svg: str) -> Image.Image:
    """The drawing, RGBA, PIXELS wide and high."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=PIXELS, height=PIXELS))
    return Image.open(io.BytesIO(png)).convert("RGBA")


class Iconify:
    """One style in Iconify's JSON: drawings by code point, or by the name that Noto gives the code point."""

    def __init__(self, folder: Path, names: dict[str, str]) -> None:
        self._set: dict[str, Any] = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        chars: dict[str, str] = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
        self.names = chars or names
        self.icons = tuple(self._set["icons"])

    def svg(self, emoji: str) -> str | None:
        """The drawing of an emoji; None where the set has none."""
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


class OpenMoji:
    """OpenMoji's coloured drawings, a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "color" / "svg"

    def svg(self, emoji: str) -> str | None:
        """The drawing of an emoji; None where the set has none."""
        code = "-".join(f"{ord(char):04X}" for char in emoji)
        for name in (code, code.removesuffix("-FE0F")):
            path = self._folder / f"{name}.svg"
            if path.exists():
                return path.read_text(encoding="utf-8")
        return None


class IconPark:
    """Icon Park's components: a string joined from literals and the properties of its caller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "lib" / "icons"
        self.titles = {
            icon["name"]: icon["title"] for icon in json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        }

    def svg(self, name: str, colours: tuple[str, str, str, str]) -> str:
        """An icon in colours for its outer lines and areas, its inner lines and areas."""
        path = self._folder / ("".join(part.capitalize() for part in name.split("-")) + ".js")
        source = path.read_text(encoding="utf-8").partition("return ")[2]
        plain = {"size": "48", "strokeWidth": "4", "strokeLinejoin": "round", "strokeLinecap": "round", "id": "a"}
        pieces = re.findall(r"'((?:[^'\\]|\\.)*)'|props\.(\w+)(?:\[(\d)\])?", source.partition("});")[0])
        drawn = "".join(
            text or (colours[int(index) % 4] if key == "colors" else plain.get(key, "")) for text, key, index in pieces
        )
        return drawn.partition("?>")[2]


def package(unpacked: Path, name: str) -> Path:
    """The folder of an unpacked npm package."""
    return unpacked / name / "package"
