"""Decoded pictures that tiles are cut from: decoded once for all tiles of a picture. Knows no sizes of tiles.

Pixels of at most HELD_SHEETS pictures are kept, whoever asks for how many; beyond that the oldest are let go, and
decoded again if more of their tiles are wanted.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from flashsight.core.types import Media, Region
from flashsight.processing.picture import decode

HELD_SHEETS = 2


class Sheet:
    """One picture, and how large all its tiles together are shown: (height, width) in pixels."""

    def __init__(self, sheets: Sheets, media: Media, *, shown: tuple[int, int], num_parts: int) -> None:
        self.media = media
        self.pixels: NDArray[np.uint8] | None = None
        self._sheets = sheets
        self._shown = shown
        self._num_parts = self._num_left = num_parts
        self._lock = threading.Lock()

    def part(self, region: Region) -> NDArray[np.uint8]:
        """Return uint8 [height, width, 3] of a region of the turned picture; PictureError when it cannot be decoded.

        A JPEG much larger than shown comes at a fraction of its size, and the region's edges with it.
        """
        with self._lock:
            pixels = self.pixels
            if pixels is None:
                pixels = self.pixels = decode(self.media, shown=self._shown)
                self._num_left = self._num_parts
            self._num_left -= 1
            if self._num_left:
                self._sheets.hold(self)
            else:
                self._sheets.let_go(self)
        height, width, _ = pixels.shape
        full_width, full_height = self.media.turned_size
        left, top, right, bottom = region
        rows = slice(top * height // full_height, bottom * height // full_height)
        columns = slice(left * width // full_width, right * width // full_width)
        return pixels[rows, columns].copy()


class Sheets:
    """The sheets of one processor. Equal pictures share one for as long as anybody may want a tile of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakValueDictionary[tuple[str, int], Sheet] = WeakValueDictionary()
        self._held: WeakValueDictionary[int, Sheet] = WeakValueDictionary()  # the least recently used first

    def sheet(self, media: Media, *, shown: tuple[int, int], num_parts: int) -> Sheet:
        """Return the sheet of a picture that is cut into num_parts; nothing is decoded yet."""
        with self._lock:
            found = self._known.get((media.sha256, num_parts))
            if found is None:
                found = Sheet(self, media, shown=shown, num_parts=num_parts)
                self._known[media.sha256, num_parts] = found
            return found

    def hold(self, sheet: Sheet) -> None:
        """Keep a sheet's pixels; those of the one that was used least lately may have to go for it."""
        with self._lock:
            self._held.pop(id(sheet), None)
            self._held[id(sheet)] = sheet
            for oldest in list(self._held.values())[:-HELD_SHEETS]:
                del self._held[id(oldest)]
                oldest.pixels = None

    def let_go(self, sheet: Sheet) -> None:
        """Drop a sheet's pixels."""
        with self._lock:
            self._held.pop(id(sheet), None)
            sheet.pixels = None
