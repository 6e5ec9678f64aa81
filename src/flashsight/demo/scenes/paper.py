"""Backgrounds and frames that every scene shares. Knows no question."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from flashsight.demo.scenes.canvas import Canvas, Rgb, luminance, mixed

LIGHTS: tuple[Rgb, ...] = (
    (255, 255, 255), (255, 255, 255), (248, 249, 251), (245, 245, 247), (240, 244, 250), (253, 246, 236),
    (240, 249, 244), (250, 240, 244), (236, 238, 242), (255, 252, 240),
)  # fmt: skip
DARKS: tuple[Rgb, ...] = ((24, 26, 30), (17, 18, 22), (30, 34, 44), (38, 38, 40), (20, 28, 46), (44, 36, 52))


def paper(rng: random.Random, dark_share: float = 0.2) -> Rgb:
    """A colour to draw on: mostly light, sometimes dark, rarely coloured."""
    roll = rng.random()
    if roll < dark_share:
        return rng.choice(DARKS)
    if roll < 0.85:
        return rng.choice(LIGHTS)
    return (rng.randint(150, 255), rng.randint(150, 255), rng.randint(150, 255))


def any_colour(rng: random.Random) -> Rgb:
    """Any colour at all."""
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def ink(rng: random.Random, ground: Rgb, *, faint: bool = False) -> Rgb:
    """A colour of letters that can be read on the ground."""
    dark = luminance(ground) < 140
    strong: Rgb = (
        rng.choice(((255, 255, 255), (236, 238, 242))) if dark else rng.choice(((20, 20, 24), (0, 0, 0), (40, 44, 56)))
    )
    return mixed(strong, ground, rng.uniform(0.3, 0.45)) if faint else strong


def fade(canvas: Canvas, first: Rgb, second: Rgb, *, upright: bool) -> None:
    """Fill the picture with a gradient."""
    strip = np.linspace(np.array(first), np.array(second), 64).astype(np.uint8)
    image = Image.fromarray(strip[:, None] if upright else strip[None, :])
    canvas.picture.paste(image.resize((canvas.width, canvas.height), Image.Resampling.BILINEAR))


def backdrop(rng: random.Random, canvas: Canvas, ground: Rgb) -> None:
    """Give the ground some life: a gradient, stripes, spots, grain or nothing."""
    roll = rng.random()
    if roll < 0.25:
        fade(canvas, ground, mixed(ground, any_colour(rng), rng.uniform(0.05, 0.35)), upright=rng.random() < 0.5)
    elif roll < 0.35:
        step, other = rng.randint(14, 60), mixed(ground, any_colour(rng), rng.uniform(0.04, 0.15))
        for left in range(-canvas.height, canvas.width, step * 2):
            slant = rng.choice((0, canvas.height))
            canvas.pen.polygon(
                [(left, canvas.height), (left + step, canvas.height), (left + step + slant, 0), (left + slant, 0)],
                other,
            )
    elif roll < 0.45:
        for _ in range(rng.randint(3, 14)):
            x, y, radius = rng.randrange(canvas.width), rng.randrange(canvas.height), rng.randint(6, 80)
            canvas.pen.ellipse(
                (x - radius, y - radius, x + radius, y + radius), mixed(ground, any_colour(rng), rng.uniform(0.04, 0.2))
            )
    elif roll < 0.52:
        grain = np.random.default_rng(rng.getrandbits(32)).integers(
            0, 256, (canvas.height // 4, canvas.width // 4, 3), np.uint8
        )
        cloud = Image.fromarray(grain).resize((canvas.width, canvas.height), Image.Resampling.BILINEAR)
        canvas.picture.paste(Image.blend(canvas.picture, cloud, rng.uniform(0.03, 0.12)))
