"""Finds Chinese characters that look alike: those whose drawings in one font overlap most. Knows no scene."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 24  # pixels of a character that is compared
ALIKE = 4  # characters that are given for each


class Lookalikes:
    """The nearest of a list of characters to each of them, compared when first asked for."""

    def __init__(self, characters: str, face: ImageFont.FreeTypeFont) -> None:
        """`face` draws the characters at a size of SIDE pixels."""
        self._characters = [char for char in characters if "一" <= char <= "鿿"]
        self._places = {char: place for place, char in enumerate(self._characters)}
        drawn = np.stack([_drawn(char, face) for char in self._characters])
        drawn -= drawn.mean(1, keepdims=True)
        self._drawn = drawn / np.linalg.norm(drawn, axis=1, keepdims=True).clip(1e-6)
        self._found: dict[str, str] = {}

    def of(self, char: str) -> str:
        """The characters most like one, the most similar first; none for what is no Chinese character."""
        if char not in self._places:
            return ""
        if char not in self._found:
            place = self._places[char]
            overlaps = self._drawn @ self._drawn[place]
            overlaps[place] = -2  # the last, whatever the others are
            self._found[char] = "".join(self._characters[other] for other in np.argsort(-overlaps)[:-1][:ALIKE])
        return self._found[char]


def _drawn(char: str, face: ImageFont.FreeTypeFont) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    picture = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 2), char, fill=255, font=face, anchor="mm")
    wide = picture.resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX)  # strokes that lie beside each other overlap
    return np.asarray(wide, np.float32).reshape(-1)
