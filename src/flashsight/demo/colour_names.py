"""Names the colours of pixels and drawings by hue, saturation and brightness. Knows no scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flashsight.demo.vocabulary import COLOURS

RED, ORANGE, YELLOW, GREEN, CYAN, BLUE, PURPLE, PINK, BROWN, BLACK, WHITE, GRAY, BEIGE = range(len(COLOURS))

# (first hue in degrees, colour): a hue belongs to the last entry that it reaches.
_HUES = (
    (0, RED),
    (16, ORANGE),
    (40, YELLOW),
    (68, GREEN),
    (166, CYAN),
    (196, BLUE),
    (252, PURPLE),
    (316, PINK),
    (342, RED),
)


def name_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Index into COLOURS of each pixel [..., 3]."""
    wide = rgb.astype(np.float32)
    high, low = wide.max(-1), wide.min(-1)
    span = np.maximum(high - low, 1e-3)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    turn = np.where(
        high == red,
        (green - blue) / span % 6,
        np.where(high == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    hue, saturation, value = turn * 60, span / np.maximum(high, 1), high / 255
    named = np.zeros(hue.shape, np.int16)
    for first, colour in _HUES:
        named[hue >= first] = colour
    warm = (hue >= 8) & (hue < 46)
    named[warm & (value < 0.66)] = BROWN
    named[(named == RED) & (saturation < 0.55) & (value > 0.72)] = PINK
    named[(hue >= 22) & (hue < 60) & (saturation < 0.4) & (value > 0.66)] = BEIGE
    is_neutral = (saturation < 0.13) | (span < 18)
    named[is_neutral] = GRAY
    named[is_neutral & (value > 0.9)] = WHITE
    named[(value < 0.24) | (is_neutral & (value < 0.32))] = BLACK  # few drawings have a grey about there
    return named


MOTLEY = 0.35  # of the area: what no colour has more of is motley
LEAD = 1.2  # a colour that has so many times as much as any other is the main one for everyone


def main_colours(picture: Image.Image) -> tuple[int, ...]:
    """The main colour of an RGBA drawing; two where it may be either; none when it is motley."""
    small = np.asarray(picture.resize((32, 32), Image.Resampling.NEAREST))
    seen = name_pixels(small[..., :3])[small[..., 3] > 128]
    if not seen.size:
        return ()
    counts = np.bincount(seen, minlength=len(COLOURS)) / seen.size
    order = np.argsort(-counts, kind="stable")
    first, second = int(order[0]), int(order[1])
    if counts[first] < MOTLEY:
        return ()
    is_main = counts[first] >= LEAD * counts[second] or second == BLACK  # black is the outline's
    return (first,) if is_main else (first, second)
