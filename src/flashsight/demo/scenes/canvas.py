"""A picture being drawn that keeps the labels of its patches. Knows letters and drawings, no layout and no question."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from flashsight.demo.material.opened import Font, Material, Sprite
from flashsight.demo.sample import IGNORED, LARGE, LEADING, LEVELS, PATCH, Labels, Split

Rgb = tuple[int, int, int]
Box = tuple[float, float, float, float]

_BASELINE = 0.86  # of the font's size, below the top of a line
UNKNOWN = ""  # a letter that cannot be made out
_CLOSING = frozenset("，。、；：？！）》」』】”’,.;:?!)")


@dataclass(frozen=True, slots=True)
class Type:
    """A pair of fonts at one size: Chinese, and ASCII beside it."""

    chinese: Font
    latin: Font
    spare: Font
    size: int

    def font(self, char: str) -> Font:
        """The font that draws a character."""
        if (char < "\x7f" or char in "¥€£") and char not in self.latin.missing:
            return self.latin
        return self.spare if char in self.chinese.missing else self.chinese

    def width(self, text: str) -> float:
        """Pixels from the start of a text to its end."""
        return sum(self.font(char).advance(self.size, char) for char in text)

    def sized(self, size: float) -> Type:
        """The same fonts at another size in pixels."""
        return Type(self.chinese, self.latin, self.spare, int(size))


def pick_type(rng: random.Random, material: Material, split: Split, size: float) -> Type:
    """Fonts of the split at a size in pixels."""
    chinese, latin = material.font_pair(rng, split)
    return Type(chinese, latin, material.fonts("zh", "train")[0], int(size))


def text_size(rng: random.Random, size: tuple[int, int], largest: int = 26) -> int:
    """Pixels of a usual text in a picture of (height, width): smaller in larger pictures, as in real screenshots."""
    if size[0] * size[1] > LARGE:
        return rng.choice((rng.randint(15, 19), rng.randint(16, 22), rng.randint(18, largest)))
    if rng.random() < 0.15:
        return rng.randint(15, 18)
    return rng.choice((rng.randint(18, 23), rng.randint(20, largest)))


def luminance(colour: Rgb) -> float:
    """Perceived brightness, 0 to 255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def mixed(first: Rgb, second: Rgb, share: float) -> Rgb:
    """The colour `share` of the way from the first to the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def _units(text: str) -> Iterator[str]:
    """Pieces that a line may end after: words with their space, single Chinese characters."""
    for is_word, chars in groupby(text, lambda char: "!" <= char <= "~"):
        if is_word:
            yield "".join(chars)
        else:
            yield from chars


class Canvas:
    """A picture of (height, width) pixels and the labels of what was drawn so far."""

    def __init__(self, material: Material, size: tuple[int, int], background: Rgb) -> None:
        self.height, self.width = size
        self.picture = Image.new("RGB", (self.width, self.height), background)
        self.pen = ImageDraw.Draw(self.picture)
        self._places = material.character_index
        self.breaks_words = False  # where a line ends, as some kits of widgets have it
        self._lines: list[tuple[float, float, str]] = []
        grid = (self.height // PATCH, self.width // PATCH)
        self._char, self._icon, self._colour = (np.zeros(grid, np.int16) for _ in range(3))
        self._level, self._value, self._feature = (np.full(grid, IGNORED, np.int16) for _ in range(3))

    def labels(self) -> Labels:
        """What was drawn, patch by patch."""
        return Labels(self._char, self._icon, self._colour, self._level, self._value, self._feature)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture, uint8 [H, W, 3]."""
        return np.asarray(self.picture)

    def _centred(self, box: Box) -> tuple[slice, slice]:
        """The patches whose centre lies in a box."""
        left, top, right, bottom = (round(side / PATCH) for side in box)
        return slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))

    def _touched(self, box: Box) -> tuple[slice, slice]:
        left, top = (max(int(side // PATCH), 0) for side in box[:2])
        right, bottom = (max(-int(-side // PATCH), 0) for side in box[2:])
        return slice(top, bottom), slice(left, right)

    def forget(self, box: Box) -> None:
        """Say that nothing that was drawn in a box can be seen any more."""
        rows = self._touched(box)
        for labels in (self._char, self._icon, self._colour):
            labels[rows] = 0
        for labels in (self._level, self._value, self._feature):
            labels[rows] = IGNORED

    def measure(self, box: Box, share: float) -> None:
        """Say of what stands in a box that it shows a value so far along its axis, 0 to 1."""
        self._level[self._centred(box)] = round(share * LEVELS)

    def value(self, box: Box, text: str) -> None:
        """Say of what stands in a box that this value is written for it."""
        digits = "".join(filter(str.isdecimal, text))
        self._value[self._centred(box)] = int(digits[:LEADING].ljust(LEADING, "0"))

    def _label_char(self, char: str, box: Box) -> None:
        place = self._places.get(char, IGNORED)
        touched = self._char[self._touched(box)]
        touched[touched == 0] = IGNORED
        own = self._char[self._centred(box)]
        if own.size:
            own[...] = place
            return
        row, column = int((box[1] + box[3]) / 2 // PATCH), int((box[0] + box[2]) / 2 // PATCH)
        if 0 <= row < self._char.shape[0] and 0 <= column < self._char.shape[1] and self._char[row, column] <= 0:
            self._char[row, column] = place

    def text(self, x: float, y: float, text: str, type: Type, fill: Rgb) -> float:
        """Write one line whose top left corner is (x, y); return its width in pixels."""
        self._lines.append((y + type.size / 2, x, text))
        return self._run(x, y, text, type, fill)

    def pieces(self, x: float, y: float, pieces: Sequence[tuple[str, Type]], fill: Rgb) -> float:
        """Write texts of several sizes as one line on one base line; return its width in pixels."""
        largest = max(type.size for _, type in pieces)
        self._lines.append((y + largest / 2, x, "".join(text for text, _ in pieces)))
        start = x
        for text, type in pieces:
            x += self._run(x, y + (largest - type.size) * _BASELINE, text, type, fill)
        return x - start

    def _run(self, x: float, y: float, text: str, type: Type, fill: Rgb) -> float:
        start, baseline = x, y + type.size * _BASELINE
        for font, chars in groupby(text, type.font):
            run = "".join(chars)
            self.pen.text((x, baseline), run, fill=fill, font=font.face(type.size), anchor="ls")
            for char in run:
                advance = font.advance(type.size, char)
                if char != " ":
                    self._label_char(char, (x, y, x + advance, y + type.size))
                x += advance
        return x - start

    def letters(
        self, left: float, top: float, bottom: float, text: str, ends: Sequence[float], *, is_hidden: bool
    ) -> None:
        """Label a line that stands in the picture, by the right edge of each letter; hidden ones teach nothing."""
        if not is_hidden:
            self._lines.append(((top + bottom) / 2, left, text.strip()))
        for char, end in zip(text, ends, strict=True):
            if char != " ":
                self._label_char(UNKNOWN if is_hidden else char, (left, top, end, bottom))
            left = end

    def written(self) -> str:
        """Every line that was written, from top to bottom and from left to right."""
        rows: list[list[tuple[float, float, str]]] = []
        for line in sorted(self._lines):
            if rows and line[0] - rows[-1][0][0] < 8:
                rows[-1].append(line)
            else:
                rows.append([line])
        return "\n".join(text for row in rows for _, _, text in sorted(row, key=lambda line: line[1]))

    def centred_text(self, box: Box, text: str, type: Type, fill: Rgb) -> None:
        """Write one line in the middle of a box."""
        x = (box[0] + box[2] - type.width(text)) / 2
        self.text(x, (box[1] + box[3] - type.size) / 2, text, type, fill)

    def wrapped(self, text: str, type: Type, width: float) -> list[str]:
        """The lines of a text no wider than `width` pixels."""
        lines, line, used = [], "", 0.0
        for unit in text if self.breaks_words else _units(text):
            needed = type.width(unit)
            if line and used + needed > width and unit not in _CLOSING:
                lines.append(line.rstrip())
                line, used = "", 0.0
                if unit == " ":
                    continue
            line, used = line + unit, used + needed
        return [*lines, line.rstrip()] if line.strip() else lines

    def sprite(self, sprite: Sprite, box: Box, colour: int | None) -> None:
        """Paste a drawing into a box (stretched by the caller's choice); `colour` is what its patches are labelled."""
        left, top, right, bottom = (round(side) for side in box)
        stamp = sprite.picture.resize((max(right - left, 1), max(bottom - top, 1)), Image.Resampling.BILINEAR)
        self.picture.paste(stamp, (left, top), stamp)
        icon = IGNORED if sprite.concept is None else sprite.concept + 1
        alpha = np.asarray(
            stamp.getchannel("A").resize(
                (max(1, stamp.width // PATCH), max(1, stamp.height // PATCH)), Image.Resampling.BOX
            )
        )
        self._char[self._touched(box)] = 0
        rows, columns = self._centred(box)
        rows, columns = (
            slice(rows.start, rows.start + alpha.shape[0]),
            slice(columns.start, columns.start + alpha.shape[1]),
        )
        target = self._icon[rows, columns]
        covered = alpha[: target.shape[0], : target.shape[1]] > 64
        target[covered] = icon
        self._colour[rows, columns][covered] = IGNORED if colour is None else colour + 1
        self._feature[rows, columns][covered] = IGNORED if sprite.feature is None else sprite.feature

    def rounded(self, box: Box, radius: float, fill: Rgb | None, outline: Rgb | None = None, width: int = 1) -> None:
        """A rectangle with rounded corners; radius 0 is square."""
        if radius < 1:
            self.pen.rectangle(box, fill, outline, width)
        else:
            self.pen.rounded_rectangle(box, min(radius, (box[3] - box[1]) / 2), fill, outline, width)
