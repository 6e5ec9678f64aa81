"""M-RoPE positions of a prompt: where each token stands in time, height and width. Knows no ids and no tensor.

Text counts on in all three rows. A picture of h x w tokens starting at position p stands at time p, rows p..p+h-1 and
columns p..p+w-1, and the text after it goes on at p + max(h, w). So a prompt spans fewer positions than tokens, and
the difference, `delta`, is the sequence's own for as long as it decodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSpan:
    """Tokens [start, start + rows * columns) of a prompt are one picture, row by row."""

    start: int
    rows: int
    columns: int


def mrope_positions(num_tokens: int, pictures: Sequence[PictureSpan]) -> tuple[NDArray[np.int64], int]:
    """Return positions int64 [3, num_tokens] (time, height, width) and delta.

    Token i that is generated later stands at i + delta in all three rows. `pictures` come in the order of their start.
    """
    positions = np.empty((3, num_tokens), dtype=np.int64)
    token, position = 0, 0
    for picture in pictures:
        position = _count_on(positions, token, picture.start, position)
        token = picture.start + picture.rows * picture.columns
        rows, columns = np.divmod(np.arange(token - picture.start), picture.columns)
        positions[0, picture.start : token] = position
        positions[1, picture.start : token] = position + rows
        positions[2, picture.start : token] = position + columns
        position += max(picture.rows, picture.columns)
    position = _count_on(positions, token, num_tokens, position)
    return positions, position - num_tokens


def _count_on(positions: NDArray[np.int64], first: int, end: int, position: int) -> int:
    """Fill text tokens [first, end) from `position` on; return the position after them."""
    positions[:, first:end] = np.arange(position, position + end - first)
    return position + end - first
