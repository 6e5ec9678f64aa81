"""Opens the prepared material: drawings, fonts and strings, decoded when first used and kept. Knows no scene."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import mmap
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from flashsight.core.errors import ConfigError
from flashsight.demo.colour_names import main_colours
from flashsight.demo.material.lookalikes import SIDE, Lookalikes
from flashsight.demo.material.opened_pages import Pages
from flashsight.demo.material.words import all_words
from flashsight.demo.sample import NUM_FEATURES, Language, Split
from flashsight.demo.vocabulary import CONCEPTS, Term

FEATURES = "features.npy"
_CONCEPTS = {concept.name.en: concept.index for concept in CONCEPTS}
_UNNAMED = -1
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_POOLS = {"train": ("train", "shared"), "extra": ("train",), "valid": ("valid",)}
"""Which pools hold a drawing of a split. Validation takes from `shared` what it has no drawing of itself."""

VALID_SHARE = 12  # one string in twelve is kept for validation
MISTAKABLE = 0.15  # of the Chinese words of training have a character that looks like the one they should have


def split_of(text: str) -> Split:
    """The split that a string belongs to, by its hash."""
    return "valid" if hashlib.sha256(text.encode()).digest()[0] % VALID_SHARE == 0 else "train"


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawing: RGBA, cut to its edges, about 112 pixels, and its main colour: two where that is open, none if motley.

    `concept` None: nano has no name for it. `feature`: the row of `Material.features` that describes it, None for most.
    """

    concept: int | None
    style: str
    picture: Image.Image
    colours: tuple[int, ...] = ()
    feature: int | None = None

    @property
    def is_shape(self) -> bool:
        """True when it is black with white parts and takes the colour that it is given."""
        return self.style in ("line", "solid")


class Font:
    """A typeface: opened at each size once, with the advance of each character."""

    def __init__(self, path: Path, missing: str, share: float = 1.0) -> None:
        self.path, self.share = path, share
        self._faces: dict[int, ImageFont.FreeTypeFont] = {}
        self._advances: dict[tuple[int, str], float] = {}
        self.name = path.stem
        self.missing = frozenset(missing)

    def face(self, size: int) -> ImageFont.FreeTypeFont:
        """The face at a size in pixels."""
        if size not in self._faces:
            self._faces[size] = ImageFont.truetype(str(self.path), size, layout_engine=ImageFont.Layout.BASIC)
        return self._faces[size]

    def advance(self, size: int, char: str) -> float:
        """Pixels from a character to the next one."""
        key = (size, char)
        if key not in self._advances:
            self._advances[key] = self.face(size).getlength(char)
        return self._advances[key]


class Material:
    """A folder made by `fetch`, opened for drawing. Cheap to open: drawings stay on disk until they are used."""

    def __init__(self, folder: Path) -> None:
        try:
            texts = json.loads((folder / "strings.json").read_text(encoding="utf-8"))
            fonts = json.loads((folder / "fonts.json").read_text(encoding="utf-8"))
            index = json.loads((folder / "sprites.json").read_text(encoding="utf-8"))
            with (folder / "sprites.bin").open("rb") as packed:
                self._packed = mmap.mmap(packed.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{folder} holds no demo material; make it with `flashsight demo material`") from error
        self.folder = folder
        self._seen: frozenset[str] = frozenset()
        self.characters: str = texts["characters"]
        self._words: dict[str, list[str]] = texts.get("words", {})
        self._terms = tuple(Term(zh, en) for zh, en in texts["strings"])
        self._fonts: dict[tuple[str, str], list[Font]] = defaultdict(list)
        for font in fonts:
            opened = Font(folder / "fonts" / font["file"], font["missing"], font.get("share", 1.0))
            self._fonts[font["script"], font["split"]].append(opened)
        self._entries: list[tuple[str, str, str, int, int]] = [(*entry,) for entry in index]
        self._sprites: dict[int, Sprite] = {}
        self._by_concept: dict[tuple[int, str], list[int]] = defaultdict(list)
        for number, (name, _, split, *_rest) in enumerate(self._entries):
            if name in _CONCEPTS or not name:
                for pool in _POOLS[split]:
                    self._by_concept[_CONCEPTS.get(name, _UNNAMED), pool].append(number)

    @cached_property
    def features(self) -> NDArray[np.float16] | None:
        """A teacher's description of each drawing [drawings, NUM_FEATURES], zeros for most; None where there is none.

        Raises ConfigError when it describes other drawings than the folder's.
        """
        path = self.folder / FEATURES
        if not path.is_file():
            return None
        features: NDArray[np.float16] = np.load(path, allow_pickle=False)
        if features.shape != (len(self._entries), NUM_FEATURES):
            raise ConfigError(f"{path} belongs to other drawings; make the material again, or delete the file")
        return features

    @cached_property
    def pages(self) -> Pages:
        """Pages that a browser rendered; none where the folder holds none."""
        return Pages(self.folder)

    @cached_property
    def character_index(self) -> dict[str, int]:
        """Place of each character in `characters`."""
        return {char: place for place, char in enumerate(self.characters)}

    @cached_property
    def strings(self) -> dict[Split, tuple[Term, ...]]:
        """Strings of user interfaces by split, no string in both."""
        found: dict[Split, list[Term]] = {"train": [], "valid": []}
        for term in self._terms:
            found[split_of(term.zh)].append(term)
        return {split: tuple(terms) for split, terms in found.items()}

    @cached_property
    def words(self) -> dict[Language, dict[Split, tuple[str, ...]]]:
        """Words of dictionaries by language and split; the demo's own where the folder holds none."""
        found: dict[Language, dict[Split, tuple[str, ...]]] = {}
        for language in LANGUAGES:
            words = self._words.get(language) or sorted({term[language] for term in self._terms})
            by_split: dict[Split, list[str]] = {"train": [], "valid": []}
            for word in words:
                by_split[split_of(word)].append(word)
            found[language] = {split: tuple(chosen or words) for split, chosen in by_split.items()}
        return found

    def phrase(self, rng: random.Random, split: Split, language: Language, count: int) -> str:
        """So many words of a dictionary in a row, which no one could guess."""
        words = rng.choices(self.words[language][split], k=count)
        if language == "en":
            return " ".join(words).capitalize()
        if split == "train":
            words = [self.mistakable(rng, word) if rng.random() < MISTAKABLE else word for word in words]
        return "".join(words)

    def mistakable(self, rng: random.Random, text: str) -> str:
        """A Chinese text of training with one character replaced by one that looks like it."""
        place = rng.randrange(len(text))
        alike = self._lookalikes.of(text[place])
        other = text[:place] + rng.choice(alike) + text[place + 1 :] if alike else text
        return other if split_of(other) == "train" else text

    @cached_property
    def _lookalikes(self) -> Lookalikes:
        return Lookalikes(self.characters, self.fonts("zh", "train")[0].face(SIDE))

    def fonts(self, script: str, split: Split) -> list[Font]:
        """The fonts of a script, "zh" (Chinese and ASCII) or "latin" (ASCII only), of a split."""
        return self._fonts[script, "train" if "fonts" in self._seen else split]

    def seeing(self, *aspects: Literal["fonts", "styles"]) -> Material:
        """The same material that shows training's fonts or drawing styles in validation too, to measure the rest."""
        other = copy.copy(self)
        other._seen = frozenset(aspects)
        return other

    def font_pair(self, rng: random.Random, split: Split) -> tuple[Font, Font]:
        """A Chinese font, and the font for ASCII beside it: often the same one."""
        fonts = self.fonts("zh", split)
        chinese = rng.choices(fonts, [font.share for font in fonts])[0]
        return chinese, chinese if rng.random() < 0.4 else rng.choice(self.fonts("latin", split))

    def _sprite(self, number: int) -> Sprite:
        if number not in self._sprites:
            name, style, _, start, size = self._entries[number]
            picture = Image.open(io.BytesIO(self._packed[start : start + size])).convert("RGBA")
            feature = number if self.features is not None and self.features[number].any() else None
            self._sprites[number] = Sprite(_CONCEPTS.get(name), style, picture, main_colours(picture), feature)
        return self._sprites[number]

    def sprite(self, rng: random.Random, concept: int, split: Split) -> Sprite:
        """A drawing of a concept; when validating in a style that training never saw, where there is one."""
        pools = ("train",) if split == "train" else ("shared",) if "styles" in self._seen else ("valid", "shared")
        numbers = next((found for pool in pools if (found := self._by_concept.get((concept, pool)))), None)
        return self._sprite(rng.choice(numbers or self._by_concept[concept, "train"]))

    def unnamed_sprite(self, rng: random.Random, split: Split) -> Sprite:
        """A drawing of something that nano has no name for."""
        return self._sprite(rng.choice(self._by_concept[_UNNAMED, split]))

    def styled_sprite(self, rng: random.Random, split: Split, style: str) -> Sprite:
        """A drawing of anything, named or not, in a style of the split."""
        return self._sprite(rng.choice(self._by_style[style, split]))

    @cached_property
    def _by_style(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (_, style, split, *_rest) in enumerate(self._entries):
            for pool in _POOLS[split]:
                found[style, pool].append(number)
        return found

    @cached_property
    def drawable(self) -> tuple[int, ...]:
        """Indices of the concepts that have a drawing."""
        return tuple(concept.index for concept in CONCEPTS if self._by_concept.get((concept.index, "train")))

    def texts(self) -> Iterator[str]:
        """Every string that may stand in a picture, for the tokenizer."""
        yield from all_words()
        for term in self._terms:
            yield term.zh
            yield term.en
