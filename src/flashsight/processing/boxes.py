"""Boxes that an answer names, in pixels of the picture as a person sees it. Tolerant: odd text has no boxes, no errors.

The family writes corners in thousandths of the picture's width and height, between box tags, `[[x1,y1,x2,y2],…]` in any
kind of brackets, or as JSON objects with `bbox_2d` and perhaps `label`. Box tags also wrap plain final answers (`42`)
and actions; those are no boxes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from flashsight.core.types import Box

SCALE = 1000

_TAGGED = re.compile(r"<\|begin_of_box\|>([^|]*)<\|end_of_box\|>")
_ONLY_NUMBERS = re.compile(r"[\d\s,.;\[\](){}<>]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FLAT_OBJECT = re.compile(r"\{[^{}]*\"bbox_2d\"[^{}]*\}")

Corners = tuple[float, float, float, float]


def parse_boxes(answer: str, turned_sizes: Sequence[tuple[int, int]]) -> tuple[Box, ...]:
    """Return the boxes of an answer whose box tags were kept (`Tokenizer.decode(ids, keep_special=True)`).

    turned_sizes: (width, height) in pixels of each picture of the conversation. The family's format has no word for
    which picture a box is on, so boxes are on the last one, the one that the last question most likely shows.
    """
    if not turned_sizes:
        return ()
    picture = len(turned_sizes) - 1
    named = [*_in_json(answer), *_in_tags(answer)]
    boxes = (_box(corners, label, picture, turned_sizes[picture]) for corners, label in named)
    return tuple(box for box in boxes if box is not None)


def _in_tags(answer: str) -> Iterator[tuple[Corners, None]]:
    for tagged in _TAGGED.finditer(answer):
        if _ONLY_NUMBERS.fullmatch(tagged[1]):
            numbers = [float(number) for number in _NUMBER.findall(tagged[1])]
            if len(numbers) % 4 == 0:
                for at in range(0, len(numbers), 4):
                    yield (numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]), None


def _in_json(answer: str) -> Iterator[tuple[Corners, str | None]]:
    for found in _FLAT_OBJECT.finditer(answer):
        try:
            named = json.loads(found[0])
        except (ValueError, RecursionError):
            continue
        label = named.get("label")
        for corners in _quadruples(named.get("bbox_2d")):
            yield corners, label if isinstance(label, str) else None


def _quadruples(value: Any) -> Iterator[Corners]:
    """Yield one box for [a, b, c, d], several for a list of such lists, none for anything else."""
    if not isinstance(value, list):
        return
    if len(value) == 4 and all(isinstance(number, int | float) for number in value):
        yield (value[0], value[1], value[2], value[3])
        return
    for inner in value:
        if isinstance(inner, list) and not any(isinstance(number, list) for number in inner):
            yield from _quadruples(inner)


def _box(corners: Corners, label: str | None, picture: int, size: tuple[int, int]) -> Box | None:
    if not all(0 <= number <= SCALE for number in corners):
        return None
    x1, y1, x2, y2 = corners
    width, height = size
    left, right = sorted((round(x1 * width / SCALE), round(x2 * width / SCALE)))
    top, bottom = sorted((round(y1 * height / SCALE), round(y2 * height / SCALE)))
    return Box(picture=picture, left=left, top=top, right=right, bottom=bottom, label=label)
