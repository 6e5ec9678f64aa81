"""Where in the picture an attribute is seen: asked for beside the schema's fields, taken out of the answer as boxes.

The family writes a box as [x1, y1, x2, y2] in thousandths of the picture's width and height. A field without a box is
no fault: the model need not give any, and one that lies outside the picture is left out. Knows no backend.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw

from flashsight.core.errors import ConfigError
from flashsight.core.types import Box
from flashsight.processing.boxes import SCALE, parse_boxes

FIELD = "evidence"
PROMPT = (
    "在 evidence 中为每个看得见依据的字段给出依据所在的区域 [x1, y1, x2, y2],"
    "坐标为宽、高的千分之几(0 到 1000);看不到依据的字段不写。"
)
_BOX = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": SCALE},
    "minItems": 4,
    "maxItems": 4,
}
_INK, _WIDTH = (168, 38, 28), 2

Json = Mapping[str, Any]


def with_evidence(schema: Json) -> dict[str, Any]:
    """The schema with an optional box for each of its fields. Raises ConfigError for one that has no room for it."""
    fields = schema.get("properties")
    if not isinstance(fields, Mapping) or not fields:
        raise ConfigError("evidence is asked for by field; the schema must have `properties`", param="evidence")
    if FIELD in fields:
        raise ConfigError(f"the schema has a field {FIELD!r} of its own; rename it, or leave --evidence out")
    boxes = {"type": "object", "properties": dict.fromkeys(fields, _BOX), "additionalProperties": False}
    return {**schema, "properties": {**fields, FIELD: boxes}}


def split_evidence(parsed: Json, turned_sizes: Sequence[tuple[int, int]]) -> tuple[dict[str, Any], tuple[Box, ...]]:
    """The answer's own fields, and its boxes in pixels of the turned picture, labelled with their fields.

    turned_sizes: (width, height) of the case's pictures; boxes are on the last, as the family has no word for which.
    """
    named = parsed.get(FIELD)
    boxes = named if isinstance(named, Mapping) else {}
    found: list[Box] = []
    for name, corners in boxes.items():
        if _is_box(corners):
            placed = parse_boxes(json.dumps({"bbox_2d": corners}), turned_sizes)
            found += [_labelled(box, name) for box in placed if box.left < box.right and box.top < box.bottom]
    return {name: value for name, value in parsed.items() if name != FIELD}, tuple(found)


def draw_boxes(thumbnail: Image.Image, boxes: Sequence[Json], turned_size: tuple[int, int]) -> None:
    """Draw boxes, which are in pixels of a picture of this size, on its thumbnail."""
    pen = ImageDraw.Draw(thumbnail)
    across, down = thumbnail.width / turned_size[0], thumbnail.height / turned_size[1]
    for box in boxes:
        corners = (box["left"] * across, box["top"] * down, box["right"] * across, box["bottom"] * down)
        pen.rectangle(corners, outline=_INK, width=_WIDTH)


def _is_box(corners: object) -> bool:
    return isinstance(corners, list) and len(corners) == 4 and all(type(number) is int for number in corners)


def _labelled(box: Box, label: str) -> Box:
    return Box(picture=box.picture, left=box.left, top=box.top, right=box.right, bottom=box.bottom, label=label)
