"""How a picture looks, in 56 bytes, so that a copy in another size or compression is found. Judges no answer.

64 bits say which of the lowest frequencies are strong (a DCT of 32 x 32 grey, as pHash has it); 48 bytes are the mean
colours of 4 x 4 tiles, so that the same shape in another colour is another picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHAPE_BITS = 6
COLOUR_STEPS = 16
"""Pictures look the same up to this many different bits, and up to this difference (of 255) in any tile's colour."""

_SIDE, _LOW, _TILES = 32, 8, 4


def _cosines() -> NDArray[np.float64]:
    k, n = np.arange(_LOW)[:, None], np.arange(_SIDE)[None, :]
    return np.asarray(np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE)))


def fingerprint(pixels_HWC: NDArray[np.uint8]) -> str:
    """The look of uint8 pixels [height, width, 3]: 16 hex digits of shape, 96 of colour."""
    image = Image.fromarray(pixels_HWC)
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
    cosines = _cosines()
    low = (cosines @ grey @ cosines.T).ravel()
    low[0] = 0.0  # brightness is no shape
    bits = np.packbits(low > np.median(low))
    tiles = np.asarray(image.resize((_TILES, _TILES), Image.Resampling.BOX), np.uint8)
    return bits.tobytes().hex() + tiles.tobytes().hex()


def alike(looks: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs (earlier, later) of cases whose pictures look the same, picture by picture.

    looks: the fingerprints of each case's pictures; all cases have the same number of them.
    """
    if not looks or not looks[0]:
        return
    packed = np.array([[list(bytes.fromhex(look)) for look in case] for case in looks], np.uint8)
    shapes = packed[:, :, :8].copy().view(np.uint64)[:, :, 0]
    colours = packed[:, :, 8:].astype(np.int16)
    for index in range(len(looks) - 1):
        differing = np.bitwise_count(shapes[index + 1 :] ^ shapes[index])
        near = np.flatnonzero((differing <= SHAPE_BITS).all(axis=1)) + index + 1
        for other in near:
            if np.abs(colours[other] - colours[index]).max() <= COLOUR_STEPS:
                yield index, int(other)
