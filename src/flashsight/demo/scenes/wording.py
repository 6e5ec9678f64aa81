"""Texts of interfaces, shops and charts that a reader cannot guess: known ones, known ones changed, and any other.

A text that often stands in pictures is soon recognised by its first letter and no longer read, so a known one comes as
it stands less than half of the time. Knows no picture and no question.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Language, Split
from flashsight.demo.vocabulary import Term

ALIKE = 0.2  # of the changed Chinese texts of training have a character that looks like the one before
KNOWN, CHANGED = 0.42, 0.66  # shares up to which a text is a known one as it stands, or with something changed
_WORD = re.compile("[A-Za-z]{3,}")


def changed(rng: random.Random, material: Material, split: Split, text: str, language: Language) -> str:
    """The text with a word, or one or two Chinese characters, replaced by others."""
    if language == "en":
        spans = [found.span() for found in _WORD.finditer(text)]
        if not spans:
            return text
        start, end = rng.choice(spans)
        word = material.phrase(rng, split, "en", 1).lower()
        return text[:start] + (word.capitalize() if text[start].isupper() else word) + text[end:]
    places = [place for place, char in enumerate(text) if "㐀" <= char <= "鿿"]
    if not places:
        return text
    start = rng.choice(places)
    if split == "train" and rng.random() < ALIKE:
        return text[:start] + material.mistakable(rng, text[start]) + text[start + 1 :]
    word = material.phrase(rng, split, "zh", 1)[: rng.choice((1, 2))]
    return text[:start] + word + text[start + len(word) :]


def a_text(
    rng: random.Random, material: Material, split: Split, language: Language, known: Sequence[Term], longest: int
) -> str:
    """A text of at most `longest` Chinese characters' width that could stand where `known` ones do."""
    roll = rng.random()
    if roll < CHANGED:
        text = rng.choice(known)[language]
        return text if roll < KNOWN else changed(rng, material, split, text, language)
    return any_text(rng, material, split, language, longest)


def any_text(rng: random.Random, material: Material, split: Split, language: Language, longest: int) -> str:
    """A string of a program, or words in a row, of at most so many Chinese characters' width."""
    limit = longest if language == "zh" else longest * 2
    if rng.random() < 0.5:
        text = material.phrase(rng, split, language, rng.randint(1, max(1, longest // 4)))[:limit].strip()
        return text.title() if language == "en" and rng.random() < 0.3 else text
    for _ in range(20):
        text = rng.choice(material.strings[split])[language].strip()
        if len(text) <= limit:
            return text
    return rng.choice(words.PAGES)[language]


def an_action(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    """What a button says: a usual word, a verb with what it acts on, or any short text."""
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(rng.choice((words.CONFIRM, words.CANCEL)))[language]
    if roll < 0.7:
        verb, thing = rng.choice(words.VERBS)[language], _thing(rng, material, split, language)
        return verb + thing if language == "zh" else f"{verb} {thing.lower()}"
    return any_text(rng, material, split, language, 6)


def _thing(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    if rng.random() < 0.4:
        return rng.choice(rng.choice((words.PAGES, words.FIELDS, words.TABS, words.ROWS)))[language]
    return material.phrase(rng, split, language, 1)
