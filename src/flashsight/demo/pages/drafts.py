"""Chooses what one page says and how it looks: content, kit, layout, theme, fonts, size. Knows no browser."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from flashsight.demo.material.opened import Material
from flashsight.demo.pages.kits import KITS, NO_ACCENT, Kit
from flashsight.demo.pages.layouts import LAYOUTS, write_body
from flashsight.demo.pages.writer import ROWS, ROWS_KEPT, Writer
from flashsight.demo.sample import BUCKETS, Split
from flashsight.demo.scenes.canvas import Rgb, luminance, mixed
from flashsight.demo.scenes.colours import near
from flashsight.demo.scenes.paper import DARKS
from flashsight.demo.scenes.screen_words import Screen, a_screen

Lot = Literal["train", "unseen layout", "unseen kit"]
"""Pages for training; for validation in kits that training saw but other layouts; and in the kit that it never saw."""

WHITE: Rgb = (255, 255, 255)
MOST_OTHERS = 14  # characters of a text that only dresses the page


@dataclass(frozen=True, slots=True)
class Draft:
    """A page to render: (height, width) of its picture, device pixels per CSS pixel, markup, what it says."""

    lot: Lot
    kit: str
    layout: str
    size: tuple[int, int]
    scale: float
    is_dark: bool
    root: str
    css: str
    body: str
    screen: Screen
    accent: int
    surface: Rgb


def _others(rng: random.Random, material: Material, split: Split, screen: Screen) -> Iterator[str]:
    while True:
        yield rng.choice(material.strings[split])[screen.language][:MOST_OTHERS].strip() or "–"


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _variables(rng: random.Random, ground: Rgb, accent: Rgb, face: str) -> str:
    dark = luminance(ground) < 128
    strong: Rgb = (238, 240, 244) if dark else (32, 34, 40)
    said = {
        "face": face,
        "ground": _hex(ground),
        "grey": _hex(mixed(ground, strong, 0.06)),
        "sunk": _hex(mixed(ground, WHITE, 0.06)),
        "off": _hex(mixed(ground, strong, 0.16)),
        "ink": _hex(strong),
        "muted": _hex(mixed(ground, strong, rng.uniform(0.55, 0.75))),
        "hint": _hex(mixed(ground, strong, 0.42)),
        "line": _hex(mixed(ground, strong, rng.uniform(0.1, 0.22))),
        "accent": _hex(accent),
        "on": "#fff" if luminance(accent) < 170 else "#111",
        "bad": "#ff7a7a" if dark else rng.choice(("#d92d20", "#c81e1e", "#e5484d")),
        "radius": f"{rng.choice((0, 2, 4, 6, 8, 12, 99))}px",
        "title": f"{rng.choice((17, 18, 20, 22, 24))}px",
        "weight": rng.choice(("400", "600", "700")),
        "lean": rng.choice(("left", "left", "center")),
        "pad": f"{rng.choice((10, 14, 18, 22))}px",
        "gap": f"{rng.choice((6, 8, 12, 16))}px",
        "bpad": rng.choice(("5px 12px", "7px 16px", "9px 20px")),
        "panel": f"{rng.choice((80, 86, 90, 94))}%",
        "toast": f"{rng.choice((4, 10, 44, 80, 86))}%",
        "shadow": rng.choice(("none", "0 1px 4px rgba(0,0,0,.2)", "0 6px 24px rgba(0,0,0,.22)")),
    }
    return ":root{" + "".join(f"--{name}:{value};" for name, value in said.items()) + "}"


def _faces(rng: random.Random, material: Material, split: Split) -> str:
    """CSS names of fonts, as `font_faces` declares them: ASCII first where it has a font of its own."""
    chinese, latin = material.font_pair(rng, split)
    spare = material.fonts("zh", "train")[0]
    return ",".join(dict.fromkeys(f"'{font.name}'" for font in (latin, chinese, spare)))


def _theme(rng: random.Random, kit: Kit) -> tuple[Rgb, int, Rgb, str]:
    """(ground, number of the accent colour, the accent, rules that make the kit use it)."""
    is_dark = rng.random() < 0.22
    ground = rng.choice(DARKS) if is_dark else rng.choice((WHITE, WHITE, WHITE, (250, 250, 252), (246, 247, 250)))
    keeps_own = kit.accent != NO_ACCENT and (not kit.recolour or rng.random() < 0.4)
    accent = kit.accent if keeps_own else rng.choice((5, 5, 3, 0, 1, 6, 4, 7))
    colour = near(rng, accent)
    if keeps_own or not kit.recolour:
        return ground, accent, colour, ""
    pale = mixed(colour, WHITE, 0.5)
    return ground, accent, colour, kit.recolour.format(a=_hex(colour), l=_hex(pale))


def a_draft(rng: random.Random, material: Material, lot: Lot) -> Draft:
    """A page of the lot. Strings are the split's; pages of unseen kits are set in unseen fonts half of the time."""
    split: Split = "train" if lot == "train" else "valid"
    kits = [kit for kit in KITS.values() if kit.split == ("valid" if lot == "unseen kit" else "train")]
    kit = rng.choice([kit for kit in kits if lot == "train" or not kit.is_further])
    layout_split: Split = "valid" if lot == "unseen layout" else "train"
    layout = rng.choice([name for name, (split_, _) in LAYOUTS.items() if split_ == layout_split])
    screen = a_screen(rng, material, split)
    if lot == "unseen layout" and screen.kind in ("dialog", "sheet"):
        screen = replace(screen, kind="page")
    if len(screen.buttons) < 2 and rng.random() < 0.3:
        screen = replace(screen, buttons=a_screen(rng, material, split).buttons)
    size = rng.choices([size for size, _ in BUCKETS], [share for _, share in BUCKETS])[0]
    scale = rng.uniform(1.0, min(1.75, size[1] / 300))
    ground, accent, colour, rules = _theme(rng, kit)
    unseen_fonts = lot == "unseen kit" and rng.random() < 0.5
    page = Writer(kit, rng, screen, _others(rng, material, split, screen), ROWS if lot == "train" else ROWS + ROWS_KEPT)
    body = write_body(page, layout)
    css = _variables(rng, ground, colour, _faces(rng, material, "valid" if unseen_fonts else "train")) + rules
    return Draft(
        lot,
        kit.name,
        screen.kind if screen.kind in ("dialog", "sheet") else layout,
        size,
        scale,
        luminance(ground) < 128,
        kit.dark,
        css,
        body,
        screen,
        accent,
        ground,
    )
