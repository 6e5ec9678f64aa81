"""Random JSON schemas whose answers have a longest form, so that an answer that is cut would be our fault.

A seeded generator: each piece is a schema, and the most bytes that an instance of it can take when it is written with
as much white space and as many escapes as JSON and the grammar allow.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

GAP = 17
"""Bytes of white space between two tokens of JSON: a line break and sixteen spaces."""

ESCAPED = 12
"""Bytes of one character, at most: two escapes of six, outside the basic plane."""

WORDS = ["red", "蓝色", "a b", 'say "x"', "back\\slash", "tab\t", "😀", "", "/", "null", "naïve"]
PATTERNS = [("^[a-c]{2,5}$", 5), ("^[0-9]{3}-[0-9]{2}$", 6), ("^(yes|no)$", 3), ("^[一-三]{1,3}$", 3)]
FORMATS = [("date", 10), ("uuid", 36), ("ipv4", 15)]
KEYS = ["a", "颜色", "price", "key features", "x-1", "$ref", 'quo"te', "is_new"]


@dataclass(frozen=True)
class Piece:
    """A schema and the length of its longest instance in bytes."""

    schema: dict[str, Any]
    max_bytes: int


def random_schema(seed: int, *, max_bytes: int) -> Piece:
    """Return an object schema within the bound; every keyword of it is one that the grammar promises to hold."""
    draw = random.Random(seed)
    while True:
        piece = _object(draw, depth=2)
        if draw.random() < 0.3:
            piece = _with_definition(draw, piece)
        if piece.max_bytes <= max_bytes:
            return piece


def _any(draw: random.Random, depth: int) -> Piece:
    makers = [_enum, _enum, _integer, _string, _string, _simple, _nullable]
    if depth > 0:
        makers += [_object, _array, _tuple, _any_of]  # type: ignore[list-item]
    made = draw.choice(makers)
    return made(draw, depth)


def _enum(draw: random.Random, _: int) -> Piece:
    values: list[Any] = draw.sample([*WORDS, 1, 2.5, -7, True, None, [1, 2], {"k": "v"}], draw.randint(1, 4))
    schema = {"const": values[0]} if draw.random() < 0.2 else {"enum": values}
    return Piece(schema, max(map(_longest, values)))


def _integer(draw: random.Random, _: int) -> Piece:
    low = draw.randint(-200, 200)
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": low + draw.randint(0, 300)}
    if draw.random() < 0.2:
        schema = {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": low + draw.randint(2, 9)}
    return Piece(schema, 5)


def _string(draw: random.Random, _: int) -> Piece:
    kind = draw.random()
    if kind < 0.3:
        pattern, most = draw.choice(PATTERNS)
        return Piece({"type": "string", "pattern": pattern}, ESCAPED * most + 2)
    if kind < 0.5:
        name, most = draw.choice(FORMATS)
        return Piece({"type": "string", "format": name}, 6 * most + 2)
    most = draw.randint(0, 6)
    return Piece({"type": "string", "minLength": draw.randint(0, most), "maxLength": most}, ESCAPED * most + 2)


def _simple(draw: random.Random, _: int) -> Piece:
    return Piece({"type": draw.choice(["boolean", "null"])}, 5)


def _nullable(draw: random.Random, _: int) -> Piece:
    return Piece({"type": ["string", "null"], "maxLength": 3}, ESCAPED * 3 + 2)


def _object(draw: random.Random, depth: int) -> Piece:
    names = draw.sample(KEYS, draw.randint(1, 3))
    pieces = {name: _any(draw, depth - 1) for name in names}
    required = names if draw.random() < 0.6 else draw.sample(names, draw.randint(0, len(names)))
    schema = {
        "type": "object",
        "properties": {name: piece.schema for name, piece in pieces.items()},
        "required": required,
        "additionalProperties": False,
    }
    fields = sum(_longest(name) + piece.max_bytes + 2 + 4 * GAP for name, piece in pieces.items())
    return Piece(schema, 2 + GAP + fields)


def _array(draw: random.Random, depth: int) -> Piece:
    item, most = _any(draw, depth - 1), draw.randint(0, 3)
    schema = {"type": "array", "items": item.schema, "minItems": draw.randint(0, most), "maxItems": most}
    return Piece(schema, 2 + GAP + most * (item.max_bytes + 1 + 2 * GAP))


def _tuple(draw: random.Random, depth: int) -> Piece:
    items = [_any(draw, depth - 1) for _ in range(draw.randint(1, 2))]
    schema = {"type": "array", "prefixItems": [item.schema for item in items], "items": False, "minItems": len(items)}
    return Piece(schema, 2 + GAP + sum(item.max_bytes + 1 + 2 * GAP for item in items))


def _any_of(draw: random.Random, depth: int) -> Piece:
    options = [_any(draw, depth - 1) for _ in range(2)]
    return Piece({"anyOf": [option.schema for option in options]}, max(option.max_bytes for option in options))


def _with_definition(draw: random.Random, piece: Piece) -> Piece:
    """Name a piece once and refer to it from a new field."""
    defined = _any(draw, 1)
    schema = dict(piece.schema)
    schema["properties"] = {**schema["properties"], "shared": {"$ref": "#/$defs/shared"}}
    schema["required"] = [*schema["required"], "shared"]
    schema["$defs"] = {"shared": defined.schema}
    return Piece(schema, piece.max_bytes + defined.max_bytes + _longest("shared") + 2 + 4 * GAP)


def _longest(value: Any) -> int:
    """Bytes of a value with every character of its strings escaped, and the widest gaps."""
    if isinstance(value, str):
        return 2 + ESCAPED * len(value)
    if isinstance(value, list):
        return 2 + GAP + sum(_longest(each) + 1 + 2 * GAP for each in value)
    if isinstance(value, dict):
        return 2 + GAP + sum(_longest(name) + _longest(each) + 2 + 4 * GAP for name, each in value.items())
    return len(json.dumps(value)) + 8
