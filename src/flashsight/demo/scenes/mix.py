"""Which kinds of pictures are drawn how often, and in which sizes."""

from __future__ import annotations

import random
from collections.abc import Mapping

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import BUCKETS, Sample, Scene, Split
from flashsight.demo.scenes.browser import Browser
from flashsight.demo.scenes.cards import Card
from flashsight.demo.scenes.charts import Chart
from flashsight.demo.scenes.icons import ManyIcons, Nameless, OneIcon, Photo
from flashsight.demo.scenes.pairs import TwoCards, TwoDrawings, TwoScreens
from flashsight.demo.scenes.reading import Reading
from flashsight.demo.scenes.refusals import Nothing
from flashsight.demo.scenes.screens import Ui

WEIGHTS: Mapping[Scene, float] = {
    Ui(): 20,
    Browser(): 16,
    Card(): 18,
    OneIcon(0.18): 11,
    Photo(): 5,
    ManyIcons(): 5,
    Reading(): 14,
    Chart(): 16,
    Nothing(): 2.5,
    TwoDrawings(): 3,
    TwoCards(): 4.5,
    TwoScreens(): 5,
}

MORE: Mapping[str, float] = {"chart": 8, "two cards": 2, "two screens": 4}
"""What training adds to the weights, by the names of scenes; validation keeps the mix that it was measured with."""


SCENES: Mapping[str, Scene] = {scene.name: scene for scene in WEIGHTS}
TAUGHT: Mapping[str, Scene] = {**SCENES, Nameless.name: Nameless()}
"""What a mix of one's own may name, for a training of what is known least."""

Mix = Mapping[Scene, float]


def weights(split: Split) -> Mix:
    """How often each scene is drawn beside the others."""
    return {scene: weight + (MORE.get(scene.name, 0) if split == "train" else 0) for scene, weight in WEIGHTS.items()}


def draw_sample(
    rng: random.Random,
    material: Material,
    split: Split,
    size: tuple[int, int] | None = None,
    mix: Mix | None = None,
) -> Sample:
    """One example of the mix, the split's own if none is given; `size` (height, width) in pixels fixes the bucket."""
    if size is None:
        size = rng.choices([bucket for bucket, _ in BUCKETS], [share for _, share in BUCKETS])[0]
    mix = mix or weights(split)
    return rng.choices(list(mix), list(mix.values()))[0].draw(rng, material, size, split)
