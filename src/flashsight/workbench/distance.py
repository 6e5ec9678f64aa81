"""How far a corrected text is from the written one: Levenshtein distance in characters. Knows no rating."""

from __future__ import annotations

import unicodedata


def edit_distance(written: str, corrected: str) -> int:
    """Fewest insertions, deletions and replacements of characters that turn one text into the other, after NFC.

    Bit-parallel (Myers 1999, in Hyyrö's form), https://doi.org/10.1145/316542.316550.
    """
    pattern, text = (unicodedata.normalize("NFC", each) for each in (written, corrected))
    if not pattern or not text:
        return len(pattern) + len(text)
    places: dict[str, int] = {}
    for at, character in enumerate(pattern):
        places[character] = places.get(character, 0) | 1 << at
    every, last = (1 << len(pattern)) - 1, 1 << (len(pattern) - 1)
    plus, minus, distance = every, 0, len(pattern)
    for character in text:
        equal = places.get(character, 0)
        diagonal = (((equal & plus) + plus) ^ plus) | equal | minus
        up, down = minus | (~(diagonal | plus) & every), plus & diagonal
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1 | 1) & every, (down << 1) & every
        plus, minus = down | (~(diagonal | up) & every), up & diagonal
    return distance
