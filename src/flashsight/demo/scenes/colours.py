"""Gives drawings a colour, and says colours. Knows no scene."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from flashsight.demo.colour_names import BEIGE, BLACK, CYAN, GRAY, ORANGE, PINK, WHITE, YELLOW
from flashsight.demo.material.opened import Sprite
from flashsight.demo.sample import Language
from flashsight.demo.scenes.canvas import Rgb
from flashsight.demo.vocabulary import COLOURS

_NEUTRAL = frozenset({BLACK, WHITE, GRAY})
# How dark the darkest shade of a colour may be beside it: pale ones soon bear another name.
_DARKEST = {WHITE: 0.86, BEIGE: 0.84, YELLOW: 0.86, PINK: 0.84, ORANGE: 0.8, GRAY: 0.78, CYAN: 0.7}


def spell(colours: tuple[int, ...], language: Language) -> str:
    """Colours as words."""
    return ("和" if language == "zh" else " and ").join(COLOURS[colour].name[language] for colour in colours)


def near(rng: random.Random, colour: int, spread: int = 14) -> Rgb:
    """A colour that still bears the name."""
    shift = rng.randint(-spread, spread)
    shifts = [shift + rng.randint(-3, 3) if colour in _NEUTRAL else rng.randint(-spread, spread) for _ in range(3)]
    red, green, blue = (min(255, max(0, part + shift)) for part, shift in zip(COLOURS[colour].rgb, shifts, strict=True))
    return red, green, blue


def tinted(rng: random.Random, sprite: Sprite, colour: int) -> Sprite:
    """The drawing in shades of one colour; a shape takes the colour where it is black."""
    rgb = near(rng, colour)
    grey = np.asarray(sprite.picture.convert("L"), np.float32) / 255
    alpha = sprite.picture.getchannel("A")
    base = np.array(rgb, np.float32)
    if sprite.is_shape:
        shares, dark, light = grey, base, np.full(3, 255, np.float32)
    else:
        low, high = (
            np.quantile(grey[np.asarray(alpha) > 128], (0.03, 0.97)) if np.asarray(alpha).max() > 128 else (0, 1)
        )
        shares = np.clip((grey - (low + high) / 2) / max(high - low, 0.25) + 0.6, 0, 1)
        dark, light = base * _DARKEST.get(colour, 0.66), base * 0.88 + 30
    shades = dark + (light - dark) * shares[..., None]
    picture = Image.fromarray(shades.astype(np.uint8))
    picture.putalpha(alpha)
    return Sprite(sprite.concept, sprite.style, picture)
