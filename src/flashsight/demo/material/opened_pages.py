"""Opens pages that a browser rendered: the picture, and what was written where. Knows no question."""

from __future__ import annotations

import io
import json
import mmap
import random
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

FITS = (0.86, 1.27)  # how far a page may be scaled


@dataclass(frozen=True, slots=True)
class Run:
    """Letters on one line: role of their text, left edge, top and bottom, right edge of each letter, in pixels."""

    role: str
    text: str
    size: float
    left: float
    top: float
    bottom: float
    ends: tuple[float, ...]
    is_covered: bool


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page: its picture, runs of letters, boxes of the texts that can be asked for, and what was meant to be said."""

    kit: str
    layout: str
    picture: Image.Image
    runs: tuple[Run, ...]
    shown: dict[str, tuple[float, float, float, float]]
    screen: dict[str, Any]
    accent: int
    surface: tuple[int, int, int]


class Pages:
    """pages.bin and pages.json of a folder; empty where there are none. Pages are decoded when they are picked."""

    def __init__(self, folder: Path) -> None:
        self._index: list[tuple[str, str, str, int, int, int, int, int]] = []
        if (folder / "pages.json").exists():
            self._index = [(*entry,) for entry in json.loads((folder / "pages.json").read_text(encoding="utf-8"))]
            with (folder / "pages.bin").open("rb") as packed:
                self._packed = mmap.mmap(packed.fileno(), 0, access=mmap.ACCESS_READ)
        self._by_size: dict[tuple[str, tuple[int, int]], list[int]] = defaultdict(list)
        for number, (lot, _, _, height, width, *_rest) in enumerate(self._index):
            self._by_size[lot, (height, width)].append(number)
        self._fitting: dict[tuple[str, tuple[int, int]], list[int]] = {}

    def __len__(self) -> int:
        return len(self._index)

    def pick(self, rng: random.Random, lots: Sequence[str], size: tuple[int, int]) -> RenderedPage | None:
        """A page of one of the lots that fits a (height, width) with little scaling; None where there is none."""
        lot = rng.choice(lots)
        numbers = self._by_size.get((lot, size), []) if rng.random() < 0.7 else []
        numbers = numbers or self._fit(lot, size)
        return self._opened(rng.choice(numbers)) if numbers else None

    def _fit(self, lot: str, size: tuple[int, int]) -> list[int]:
        key = (lot, size)
        if key not in self._fitting:
            low, high = FITS
            self._fitting[key] = [
                number
                for (lot_, page), numbers in self._by_size.items()
                for number in numbers
                if lot_ == lot and low <= min(size[0] / page[0], size[1] / page[1]) <= high
            ]
        return self._fitting[key]

    def _opened(self, number: int) -> RenderedPage:
        _, kit, layout, _, _, start, num_picture, num_labels = self._index[number]
        middle = start + num_picture
        picture = Image.open(io.BytesIO(self._packed[start:middle])).convert("RGB")
        labels = json.loads(zlib.decompress(self._packed[middle : middle + num_labels]))
        runs = tuple(
            Run(role, text, size, left, top, bottom, tuple(ends), is_covered)
            for role, text, size, left, top, bottom, ends, is_covered in labels["runs"]
        )
        return RenderedPage(
            kit,
            layout,
            picture,
            runs,
            {role: (box[0], box[1], box[2], box[3]) for role, box in labels["shown"].items()},
            labels["screen"],
            labels["accent"],
            (labels["surface"][0], labels["surface"][1], labels["surface"][2]),
        )
