"""Bytes that passed the gate to the pixels that a person would see. Knows no limits and no model.

Turned by EXIF, transparency on white, every colour mode and bit depth as 8-bit RGB, the first frame of an animation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flashsight.core.types import Media
from flashsight.processing.header import damaged, opened

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

DRAFT_FACTOR = 2
"""A JPEG is decoded at a fraction of its size only while at least this many pixels a side remain for each one shown."""


def decode(media: Media, *, shown: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return uint8 [height, width, 3], read-only, of the turned picture; PictureError where bytes are damaged or cut.

    shown: the (height, width) it will be resized to. A JPEG much larger than that comes at a fraction of its size.
    """
    with opened(media.content, media.format) as image:
        if image.size != (media.width, media.height):
            raise damaged()
        if shown is not None and media.format == "jpeg":
            height, width = shown if media.orientation < 5 else shown[::-1]
            image.draft(None, (DRAFT_FACTOR * width, DRAFT_FACTOR * height))
        expected = image.size
        image.load()
        if image.size != expected:
            raise damaged()
        rgb = _on_white(_eight_bits(image))
        if media.orientation in _TURNS:
            rgb = rgb.transpose(_TURNS[media.orientation])
        return np.asarray(rgb)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The library clips 16-bit grey at 255 instead of scaling it."""
    if not image.mode.startswith("I"):
        return image
    grey = np.asarray(image).astype(np.int64).clip(0, 65535)
    return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """The library drops transparency and shows whatever colour hides under it."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
