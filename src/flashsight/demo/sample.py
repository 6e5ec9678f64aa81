"""What a drawn training example is: pictures, questions with their answers, and labels of every patch.

The contract between the scenes that draw and the training that reads. Knows no tensor, no tokenizer and no file.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from flashsight.demo.material import Material

Split = Literal["train", "valid"]
Language = Literal["zh", "en"]
Skill = Literal["read", "card", "json", "ui", "icon", "photo", "chart", "compare", "refuse"]
SKILLS: tuple[str, ...] = get_args(Skill)

PATCH = 14
IGNORED = -1
LEVELS = 100  # parts of an axis
LEADING = 2  # digits of a written value that a label of patches tells
NUM_FEATURES = 64  # numbers by which a teacher describes a drawing

# Heights and widths that scenes draw, multiples of two patches, with how often; a batch holds one of them. The largest
# areas are what nano's processor makes of any larger picture: a phone's and a desktop's.
BUCKETS: tuple[tuple[tuple[int, int], float], ...] = (
    ((448, 448), 0.28),
    ((532, 532), 0.10),
    ((336, 448), 0.06),
    ((392, 560), 0.05),
    ((448, 644), 0.10),
    ((420, 700), 0.07),
    ((476, 784), 0.04),
    ((560, 896), 0.05),
    ((560, 420), 0.06),
    ((644, 448), 0.08),
    ((756, 504), 0.04),
    ((952, 448), 0.05),
    ((616, 616), 0.02),
)
LARGE = 400_000  # pixels; pictures above that hold small text


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and the one answer that is true of what was drawn. The answer speaks the question's language.

    key: what is asked, as `scenes.questions` names it. spelled: [start, end) of the answer's characters that stand in
    the picture as they stand here, in order.
    """

    question: str
    answer: str
    skill: Skill
    key: str = ""
    language: Language = "zh"
    spelled: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What each patch shows, int16 [height / 14, width / 14] each; -1 where nobody should learn anything.

    char: index into `Material.characters`, 0 where no character stands.
    icon: 1 + index into `vocabulary.CONCEPTS`, 0 where no drawing stands.
    colour: 1 + index into `vocabulary.COLOURS` of the drawing that covers the patch, 0 where none does.
    level: 0 to LEVELS, how far along its axis the value ends whose mark or label covers the patch; -1 elsewhere.
    value: first LEADING digits of the value that is written for the mark or label covering the patch; -1 elsewhere.
    feature: row of `Material.features` that describes the drawing that covers the patch; -1 where none does.
    """

    char: NDArray[np.int16]
    icon: NDArray[np.int16]
    colour: NDArray[np.int16]
    level: NDArray[np.int16]
    value: NDArray[np.int16]
    feature: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One or two pictures, uint8 [H, W, 3], sides multiples of 28 and equal for both; labels per picture; pairs.

    pairs: all that can be asked, in the order in which it is to be asked.
    traits: what an evaluation tells samples apart by, "named" for a card whose words name the product.
    """

    scene: str
    pictures: tuple[NDArray[np.uint8], ...]
    labels: tuple[Labels, ...]
    pairs: tuple[Pair, ...]
    traits: frozenset[str] = frozenset()


class Scene(Protocol):
    """A kind of picture that can be drawn from random numbers and material."""

    @property
    def name(self) -> str:
        """Stable name for reports."""

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Draw one example of (height, width) pixels. Equal generators and material give equal examples."""
