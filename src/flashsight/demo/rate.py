"""Measures how fast one core draws: each kind of picture, and whole batches as training gets them. Knows no model."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from itertools import islice, repeat

from flashsight.demo.batches import BatchSize, Collator
from flashsight.demo.material import Material
from flashsight.demo.packing import Packer
from flashsight.demo.sample import BUCKETS, Sample
from flashsight.demo.scenes import draw_sample
from flashsight.demo.scenes.mix import weights

WARM = 20  # pictures drawn before the clock starts, so that fonts and drawings are open


def drawing_rates(material: Material, packer: Packer, count: int) -> str:
    """A Markdown table: milliseconds of processor time and pictures a second, `count` pictures of each kind."""
    rng = random.Random(0)
    sizes, shares = [size for size, _ in BUCKETS], [share for _, share in BUCKETS]
    lines = ["| picture | share | ms | pictures/s on one core |", "|---|---|---|---|"]
    mix = weights("train")
    whole = sum(mix.values())
    for scene, weight in mix.items():
        draw = partial(scene.draw, rng, material, split="train")
        seconds, num = _timed(lambda draw=draw: draw(size=rng.choices(sizes, shares)[0]), count)  # type: ignore[misc]
        lines.append(f"| {scene.name} | {weight / whole:.0%} | {1000 * seconds / num:.1f} | {num / seconds:.0f} |")
    collator = Collator(packer, BatchSize(num_patches=32 * 1024), seed=0)
    batches = collator.batches(draw_sample(rng, material, "train") for _ in repeat(None))
    next(islice(batches, count // 20, None))
    before = time.process_time()
    num = sum(len(batch["pixels"]) for batch in islice(batches, max(1, count // 20)))
    seconds = time.process_time() - before
    lines.append(f"| batches of the mix | | {1000 * seconds / num:.1f} | {num / seconds:.0f} |")
    return "\n".join(lines) + "\n"


def _timed(draw: Callable[[], Sample], count: int) -> tuple[float, int]:
    """Processor seconds of `count` samples, and the pictures in them."""
    for _ in range(WARM):
        draw()
    before = time.process_time()
    num = sum(len(draw().pictures) for _ in range(count))
    return time.process_time() - before, num
