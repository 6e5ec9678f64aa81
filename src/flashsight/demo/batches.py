"""Gathers drawn samples into batches of arrays, ready for one step of training. Knows no scene and no tensor.

A batch holds samples of one picture size and one number of pictures; as many as fill a fixed number of patches, so that
every step costs about the same.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flashsight.demo.packing import Packer, Row
from flashsight.demo.recipe import MERGE, PATCH
from flashsight.demo.ring import Parts
from flashsight.demo.sample import IGNORED, Labels, Sample

LABELLED_PATCHES = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSize:
    """How much one batch holds: patches of all its pictures, tokens of text beside each row's pictures."""

    num_patches: int = 128 * 1024
    text_tokens: int = 288


class Collator:
    """Turns a stream of samples into a stream of batches."""

    def __init__(self, packer: Packer, size: BatchSize, seed: int) -> None:
        self._packer, self._size = packer, size
        self._chance = random.Random(seed)
        self._numbers = np.random.default_rng(seed)

    def batches(self, samples: Iterable[Sample]) -> Iterator[Parts]:
        """Yield a batch whenever samples of one kind fill it; what is left at the end of the stream is dropped."""
        waiting: defaultdict[tuple[int, ...], list[Sample]] = defaultdict(list)
        for sample in samples:
            key = (len(sample.pictures), *sample.pictures[0].shape[:2])
            waiting[key].append(sample)
            patches = sum(height * width for height, width, _ in (picture.shape for picture in sample.pictures))
            if (len(waiting[key]) + 1) * patches > self._size.num_patches * PATCH * PATCH:
                yield self.collate(waiting.pop(key))

    def collate(self, samples: Sequence[Sample]) -> Parts:
        """Return the arrays of one batch of B rows with N pictures in all.

        pixels N of uint8 [H, W, 3] · ids, groups [B, L] · positions [B, 3, L] · pictures [M] and places [K], rows of
        the flattened B * L · targets, weights, skills [K] · patches [N, 192], rows of all patches in the encoder's
        order · labels [N, 192, 6] (char, icon, colour, level, value, feature).
        """
        rows = [self._row(sample) for sample in samples]
        length = len(rows[0].ids)
        offsets = [number * length + row.places for number, row in enumerate(rows)]
        pictures = [picture for sample in samples for picture in sample.pictures]
        labels = [self._patch_labels(labels) for sample in samples for labels in sample.labels]
        ids = np.stack([row.ids for row in rows])
        height, width, _ = pictures[0].shape
        num_patches = (height // PATCH) * (width // PATCH)
        return {
            "pixels": pictures,
            "ids": ids,
            "groups": np.stack([row.groups for row in rows]),
            "positions": np.stack([row.positions for row in rows]),
            "pictures": np.flatnonzero(ids == self._packer.picture_token),
            "places": np.concatenate(offsets).astype(np.int32),
            "targets": np.concatenate([row.targets for row in rows]),
            "weights": np.concatenate([row.weights for row in rows]),
            "skills": np.concatenate([row.skills for row in rows]),
            "patches": np.stack([number * num_patches + places for number, (places, _) in enumerate(labels)]),
            "labels": np.stack([values for _, values in labels]),
        }

    def _row(self, sample: Sample) -> Row:
        side = PATCH * MERGE
        pictures = [(picture.shape[0] // side, picture.shape[1] // side) for picture in sample.pictures]
        length = sum(rows * columns for rows, columns in pictures) + self._size.text_tokens
        return self._packer.pack(pictures, sample.pairs, -(-length // 8) * 8, self._chance)

    def _patch_labels(self, labels: Labels) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
        """Choose patches, those with something on them first in three of four places; return places and labels."""
        order = square_order(*labels.char.shape)
        kinds = (labels.char, labels.icon, labels.colour, labels.level, labels.value, labels.feature)
        values = np.stack([part.reshape(-1)[order] for part in kinds], axis=-1)
        has_something = (values[:, [0, 1, 3, 4]] > 0).any(axis=1) | (values[:, 5] != IGNORED)
        rank = self._numbers.random(len(values)) + ~has_something
        most = np.argsort(rank)[: LABELLED_PATCHES * 3 // 4]
        is_open = (values != IGNORED).any(axis=1)
        is_open[most] = False
        rest = self._numbers.permutation(np.flatnonzero(is_open))[: LABELLED_PATCHES - len(most)]
        num_chosen = len(most) + len(rest)
        places = np.resize(np.concatenate([most, rest]), LABELLED_PATCHES)
        chosen = values[places].astype(np.int16)
        chosen[num_chosen:] = IGNORED  # a small picture's patches come again, without a label
        return places.astype(np.int32), chosen


@cache
def square_order(height: int, width: int) -> NDArray[np.int64]:
    """Return where each patch of the encoder's order, square after square of patches, lies in reading order."""
    places = np.arange(height * width).reshape(height // MERGE, MERGE, width // MERGE, MERGE)
    return places.transpose(0, 2, 1, 3).reshape(-1)
