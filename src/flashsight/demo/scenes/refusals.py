"""Pictures in which nothing can be made out: blank, noise, and what is blurred beyond recognition."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageFilter

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import IGNORED, Labels, Sample, Split
from flashsight.demo.scenes.asking import Facts
from flashsight.demo.scenes.canvas import Canvas, mixed
from flashsight.demo.scenes.icons import OneIcon
from flashsight.demo.scenes.paper import any_colour, fade, paper
from flashsight.demo.scenes.reading import Reading
from flashsight.demo.vocabulary import Term

BLANK = Term("图片是空白的，没有可识别的内容。", "The picture is blank; there is nothing to recognise.")
NOISE = Term("图片只有噪声，无法识别内容。", "The picture is only noise; nothing can be recognised.")
BLURRED = Term("图片太模糊，无法辨认。", "The picture is too blurred to make anything out.")
ASKED = (
    "describe",
    "what",
    "read",
    "title",
    "buttons",
    "error",
    "problem",
    "price",
    "json",
    "largest",
    "colour",
    "features",
)


class Nothing:
    """A blank, noisy or hopelessly blurred picture; every question is answered by saying so."""

    name = "nothing"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """One of the three, each as often."""
        roll = rng.randrange(3)
        canvas = Canvas(material, size, paper(rng, 0.3) if rng.random() < 0.6 else any_colour(rng))
        labels = canvas.labels()
        pixels = canvas.pixels()
        if roll == 0 and rng.random() < 0.3:
            first = any_colour(rng)
            fade(canvas, first, mixed(first, (255, 255, 255), rng.uniform(0, 0.12)), upright=rng.random() < 0.5)
            pixels = canvas.pixels()
        elif roll == 1:
            pixels = self._noise(rng, size)
        elif roll == 2:
            pixels, labels = self._blurred(rng, material, size, split)
        facts = Facts("refuse")
        for key in ASKED:
            facts.add(key, (BLANK, NOISE, BLURRED)[roll], weight=3 if key in ("describe", "what") else 1)
        traits = frozenset({("blank", "noise", "blurred")[roll]})
        return Sample(self.name, (pixels,), (labels,), facts.pairs(rng, split), traits)

    def _noise(self, rng: random.Random, size: tuple[int, int]) -> np.ndarray:
        """Grains of one to twelve pixels, coloured or grey."""
        grain = rng.choice((1, 1, 2, 4, 8, 12))
        channels = rng.choice((1, 3))
        source = np.random.default_rng(rng.getrandbits(32))
        small = source.integers(0, 256, (-(-size[0] // grain), -(-size[1] // grain), channels), np.uint8)
        wide = small.repeat(grain, 0).repeat(grain, 1)[: size[0], : size[1]]
        return np.ascontiguousarray(np.broadcast_to(wide, (*size, 3)))

    def _blurred(
        self, rng: random.Random, material: Material, size: tuple[int, int], split: Split
    ) -> tuple[np.ndarray, Labels]:
        """A page or a drawing, blurred so far that neither can be told."""
        scene = rng.choice((Reading(), OneIcon()))
        drawn = scene.draw(rng, material, size, split)
        small = Image.fromarray(drawn.pictures[0]).resize((size[1] // 28, size[0] // 28), Image.Resampling.BOX)
        blurred = small.filter(ImageFilter.GaussianBlur(rng.uniform(1.2, 2.2))).resize(
            (size[1], size[0]), Image.Resampling.BICUBIC
        )
        unknown = np.full((size[0] // 14, size[1] // 14), IGNORED, np.int16)
        return np.asarray(blurred), Labels(*[unknown] * 6)
