"""How a very large picture is cut into tiles for `detail: high`. Computes with sizes only, never with pixels.

The picture is shown whole, as ever, and then again in rows x columns tiles that overlap nothing and leave nothing out,
each at the size at which a picture of its own would be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

from flashsight.core.types import Region
from flashsight.processing.resize import PictureSettings, shown_size

WORTH_IT = 1.25
"""Tiles must show at least this many times the pixels a side that the overview shows; else they only cost."""

MAX_TILE_RATIO = 2.0
"""A tile is at most this much longer one way than the other, unless the picture itself is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How a picture is cut: rows x columns, and the size of the corner tile as it is shown, (height, width) in pixels.

    num_tokens: of all tiles together, without the overview. Other tiles may be a pixel larger before they are resized.
    """

    rows: int
    columns: int
    resized: tuple[int, int]
    num_tokens: int

    @property
    def num_tiles(self) -> int:
        """Tiles in all."""
        return self.rows * self.columns

    @property
    def shown(self) -> tuple[int, int]:
        """(height, width) in pixels of all tiles side by side as they are shown."""
        return self.rows * self.resized[0], self.columns * self.resized[1]

    def regions(self, turned_size: tuple[int, int]) -> Iterator[Region]:
        """Yield (left, top, right, bottom) in pixels of the turned picture, row by row from the top left."""
        width, height = turned_size
        for top, bottom in pairwise(_edges(height, self.rows)):
            for left, right in pairwise(_edges(width, self.columns)):
                yield left, top, right, bottom


@lru_cache(maxsize=256)
def plan_tiles(
    turned_size: tuple[int, int], settings: PictureSettings, *, max_side: int, max_tiles: int, max_tokens: int | None
) -> Tiling | None:
    """Return the cut that shows a picture of turned_size (width, height) best, or None where tiles are not worth it.

    It has at most max_tiles tiles with max_tokens tokens in all (None: however many). Of cuts that show about the
    same, the one with the fewest tiles is taken, so that as little as possible lies on an edge.
    """
    whole = _sharpness(turned_size, shown_size(turned_size, settings, max_side=max_side))
    best: tuple[float, int, float] | None = None
    chosen = None
    for rows, columns in product(range(1, max_tiles + 1), repeat=2):
        if not 2 <= rows * columns <= max_tiles or not _is_well_shaped(turned_size, rows, columns):
            continue
        tiling, sharpness = _cut(turned_size, rows, columns, settings, max_side)
        is_within = max_tokens is None or tiling.num_tokens <= max_tokens
        rank = (-round(sharpness, 1), tiling.num_tiles, -sharpness)
        if is_within and sharpness >= WORTH_IT * whole and (best is None or rank < best):
            best, chosen = rank, tiling
    return chosen


def _cut(
    turned_size: tuple[int, int], rows: int, columns: int, settings: PictureSettings, max_side: int
) -> tuple[Tiling, float]:
    """Tiles differ by a pixel at most, so four sizes at most are worked out."""
    width, height = turned_size
    tall, wide = _sizes(height, rows), _sizes(width, columns)
    num_tokens, sharpness = 0, 1.0
    for (tile_height, many_rows), (tile_width, many_columns) in product(tall.items(), wide.items()):
        shown = shown_size((tile_width, tile_height), settings, max_side=max_side)
        num_tokens += many_rows * many_columns * settings.num_tokens(shown)
        sharpness = min(sharpness, _sharpness((tile_width, tile_height), shown, slack=settings.factor // 2))
    corner = shown_size((_edges(width, columns)[1], _edges(height, rows)[1]), settings, max_side=max_side)
    return Tiling(rows=rows, columns=columns, resized=corner, num_tokens=num_tokens), sharpness


def _sharpness(size: tuple[int, int], shown: tuple[int, int], *, slack: int = 0) -> float:
    """Pixels shown for each of a side, at most 1; what rounding to the factor takes away does not count."""
    return min(1.0, (shown[1] + slack) / size[0], (shown[0] + slack) / size[1])


def _is_well_shaped(turned_size: tuple[int, int], rows: int, columns: int) -> bool:
    width, height = turned_size
    if width < columns or height < rows:
        return False
    return _ratio(width / columns, height / rows) <= max(MAX_TILE_RATIO, _ratio(width, height))


def _ratio(width: float, height: float) -> float:
    return max(width, height) / min(width, height)


def _edges(length: int, num_parts: int) -> list[int]:
    return [length * part // num_parts for part in range(num_parts + 1)]


def _sizes(length: int, num_parts: int) -> dict[int, int]:
    """How many of the parts have which length."""
    sizes: dict[int, int] = {}
    for start, end in pairwise(_edges(length, num_parts)):
        sizes[end - start] = sizes.get(end - start, 0) + 1
    return sizes
