"""Pictures that no cache has seen: smooth random JPEGs. Knows nothing of who reads them."""

from __future__ import annotations

import io
from itertools import count

import numpy as np
from PIL import Image

QUALITY = 90


def smooth_jpeg(size: int, seed: int) -> bytes:
    """Return a JPEG of size x size pixels: a random 8 x 8 field, smoothed; the same bytes for the same seed."""
    field = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


class PictureSource:
    """Hands out pictures that differ from each other and, by the seed, from those of other runs."""

    def __init__(self, size: int, *, seed: int, same: bool = False) -> None:
        self.size = size
        self._numbers = count(seed)
        self._first = smooth_jpeg(size, next(self._numbers)) if same else None

    def next(self) -> bytes:
        """Return a JPEG no earlier call returned, or always the first if `same` was asked for."""
        return self._first or smooth_jpeg(self.size, next(self._numbers))
