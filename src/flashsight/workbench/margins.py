"""How sure a model was of each field it wrote: from the probabilities of the tokens to one margin a field.

A token's margin is its probability less that of the likeliest other token that was allowed there; a token without an
alternative has 1. A field's margin is the least of the tokens that its value is made of, its closing quote included:
the place where the answer could most easily have become another. Knows no gold table and asks nobody.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from flashsight.core.types import TextLogprob

NUM_TOP = 2
"""How many likeliest tokens a margin needs at each place."""

_DIGITS = 4
_SPACE = " \t\n\r"


def margins_of(text: str, logprobs: Sequence[TextLogprob]) -> dict[str, float]:
    """The margin of each field of a JSON object, in [-1, 1]; none where text and tokens do not tell the same bytes.

    Below 0 the token was drawn against a likelier one, which only a temperature above 0 does.
    """
    if b"".join(one.token_bytes for one in logprobs) != text.encode():
        return {}
    ends, margins, end = [], [], 0
    for one in logprobs:
        end += len(one.token_bytes)
        ends.append(end)
        margins.append(_margin(one))
    starts = [0, *ends[:-1]]
    told = {}
    for name, (start, stop) in _spans(text).items():
        first, last = len(text[:start].encode()), len(text[:stop].encode())
        here = [m for m, begin, end in zip(margins, starts, ends, strict=True) if begin < last and end > first]
        told[name] = round(min(here, default=1.0), _DIGITS)
    return told


def _margin(chosen: TextLogprob) -> float:
    others = [other.logprob for other in chosen.top if other.token_bytes != chosen.token_bytes]
    return math.exp(chosen.logprob) - (math.exp(max(others)) if others else 0.0)


def _spans(text: str) -> dict[str, tuple[int, int]]:
    """From where to where each value of an object stands, in characters. One that ends in itself counts the next too:

    only the sign after it tells that a number is 12 and not 129.
    """
    decoder, spans = json.JSONDecoder(), {}
    try:
        at = _skipped(text, 0)
        while text[at] in "{,":
            name, at = decoder.raw_decode(text, _skipped(text, at + 1))
            at = _skipped(text, at)
            start = _skipped(text, at + 1)
            _, end = decoder.raw_decode(text, start)
            spans[str(name)] = (start, end if text[start] in '"[{' else end + 1)
            at = _skipped(text, end)
    except (ValueError, IndexError):
        return {}
    return spans


def _skipped(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
