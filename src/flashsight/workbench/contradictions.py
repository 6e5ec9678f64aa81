"""Where two texts say opposite things: another colour, a property and its opposite. Reads words, understands nothing.

A sentence encoder finds 透气 and 不透气 all but equal, so it is never asked alone. Only what is named outright counts
(红色, red; not the 红 of 红包), and only if one text says the one and never the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flashsight.workbench.rules import NEGATIONS, Rules
from flashsight.workbench.words import value_key

COLOR = "color"


def contradictions(expected: str, got: str, rules: Rules, *, color: str | None = None) -> tuple[str, ...]:
    """What `got` says against `expected`, as `红 ↔ 蓝`. color: the right colour where the expected text names none."""
    wanted, found = colors_in(expected, rules), colors_in(got, rules)
    if not wanted and color is not None:
        wanted = _of_cell(color, rules)
    clashes = [] if not wanted or not found or wanted & found else [f"{_shown(wanted)} ↔ {_shown(found)}"]
    left, right = value_key(expected), value_key(got)
    for word, opposites in rules.opposites.items():
        against = [*opposites, *(negation + word for negation in NEGATIONS)]
        sides = _side(left, word, against), _side(right, word, against)
        if set(sides) == {True, False}:
            clashes.append(f"{word} ↔ {next(each for each in against if each in (right if sides[0] else left))}")
    return tuple(clashes)


def colors_in(text: str, rules: Rules) -> frozenset[str]:
    """The colours that a text names outright, each in its one spelling."""
    plain, found = value_key(text), set()
    for word, color in sorted(_color_words(rules.synonyms.get(COLOR, {})).items(), key=lambda each: -len(each[0])):
        pattern = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
        if re.search(pattern, plain, re.ASCII):
            found.add(color)
            plain = re.sub(pattern, " ", plain, flags=re.ASCII)
    return frozenset(found)


def _color_words(groups: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    """Words for a colour that mean one wherever they stand; a single sign does only with 色 behind it."""
    words = {}
    for color, others in groups.items():
        for word in map(value_key, (color, *others)):
            words[word if len(word) > 1 else word + "色"] = value_key(color)
    return words


def _of_cell(cell: str, rules: Rules) -> frozenset[str]:
    known = {value_key(color) for color in rules.synonyms.get(COLOR, {})}
    named = rules.canonical(COLOR, cell)
    return frozenset({named}) if named in known else colors_in(cell, rules)


def _side(text: str, word: str, against: Sequence[str]) -> bool | None:
    """True: the text says the word; False: its opposite; None: neither or both."""
    rest = text
    for opposite in sorted(against, key=len, reverse=True):
        rest = rest.replace(opposite, " ")
    says, denies = word in rest, rest != text
    return None if says == denies else says


def _shown(words: frozenset[str]) -> str:
    return "、".join(sorted(words))
