"""Asks a checkpoint to read lines of one kind, size and font at a time: what it reads, and what it guesses.

Random letters can only be read, words can be guessed: a checkpoint that does worse on words does not look.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from flashsight.demo.evaluate import edit_distance
from flashsight.demo.generate import Answerer
from flashsight.demo.material import Material
from flashsight.demo.sample import Pair, Sample, Split
from flashsight.demo.scenes.canvas import Canvas, Type

LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ0123456789"
LINES = 5
CONDITIONS: Mapping[str, tuple[int, Split]] = {
    "16 px": (16, "train"),
    "18 px": (18, "train"),
    "20 px": (20, "train"),
    "26 px": (26, "train"),
    "20 px, unseen fonts": (20, "valid"),
}
"""Sizes in pixels, and whose split's fonts; strings are always validation's."""


def _kinds(rng: random.Random, material: Material) -> dict[str, Callable[[], str]]:
    def letters(of: str) -> str:
        return "".join(rng.choices(of, k=10))

    chinese = "".join(char for char in material.characters if "㐀" <= char <= "鿿")
    return {
        "Chinese, strings of programs": lambda: rng.choice(material.strings["valid"]).zh[:12],
        "Chinese, words": lambda: material.phrase(rng, "valid", "zh", 4)[:10],
        "Chinese, random characters": lambda: letters(chinese),
        "English, strings of programs": lambda: rng.choice(material.strings["valid"]).en[:22],
        "English, words": lambda: material.phrase(rng, "valid", "en", 2),
        "random letters and digits": lambda: letters(LETTERS),
        "random small letters": lambda: letters(LETTERS[:25]),
        "numbers": lambda: f"{rng.randrange(10 ** rng.randint(3, 6)) / rng.choice((1, 10, 100)):,}",
    }


def legibility(answerer: Answerer, material: Material, num_pictures: int) -> str:
    """A Markdown table of character error rates by kind of text and condition, five lines a picture."""
    rng = random.Random(0)
    lines = [f"| text | {' | '.join(CONDITIONS)} |", "|---" * (1 + len(CONDITIONS)) + "|"]
    for kind, text in _kinds(rng, material).items():
        rates = []
        for size, split in CONDITIONS.values():
            samples = [_page(rng, material, split, size, text) for _ in range(num_pictures)]
            rates.append(_error_rate(samples, answerer.answers(samples)))
        lines.append(f"| {kind} | {' | '.join(f'{rate:.3f}' for rate in rates)} |")
    return "\n".join(lines) + "\n"


def _page(rng: random.Random, material: Material, split: Split, size: int, text: Callable[[], str]) -> Sample:
    chinese, latin = material.font_pair(rng, split)
    type_ = Type(chinese, latin, material.fonts("zh", "train")[0], size)
    canvas, pairs = Canvas(material, (336, 448), (255, 255, 255)), []
    for number in range(LINES):
        said = text().strip()
        canvas.text(12, 10 + 62 * number, said, type_, (20, 20, 24))
        pairs.append(Pair(f"第{number + 1}行写了什么？", said, "read", "line"))
    return Sample("lines", (canvas.pixels(),), (canvas.labels(),), tuple(pairs))


def _error_rate(samples: Sequence[Sample], answers: Mapping[tuple[int, int], str]) -> float:
    wrong = total = 0
    for number, sample in enumerate(samples):
        for place, pair in enumerate(sample.pairs):
            wrong += min(edit_distance(pair.answer, answers[number, place].strip()), len(pair.answer))
            total += len(pair.answer)
    return wrong / total
