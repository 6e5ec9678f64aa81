"""A drawn sample at the size at which it is shown: pixels as the service resizes them, labels where they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import astuple, fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from flashsight.demo import commands
from flashsight.demo.material import Material
from flashsight.demo.ring import Parts
from flashsight.demo.sample import BUCKETS, PATCH, Labels, Sample
from flashsight.demo.showing import as_shown
from flashsight.processing.pixels import resize_bicubic
from flashsight.processing.resize import PictureSettings, smart_resize
from tests.demo import small

SETTINGS = PictureSettings(
    patch=14, merge=2, frames=2, min_pixels=2 * 300_000, max_pixels=2 * 350_000, mean=(0, 0, 0), std=(1, 1, 1)
)
SIZES = [((336, 448), (476, 644)), ((560, 560), (560, 560)), ((952, 448), (840, 392))]


def drawn(height: int, width: int) -> Sample:
    """Two pictures of noise whose labels tell each patch's row and column."""
    rows, columns = height // PATCH, width // PATCH
    by_place: list[NDArray[np.int16]] = [np.indices((rows, columns), np.int16)[part % 2] for part in range(6)]
    numbers = np.random.default_rng(0)
    pictures = tuple(numbers.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    return replace(small.sample(30, "红"), pictures=pictures, labels=(Labels(*by_place),) * 2)


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_pictures_are_shown_as_the_service_shows_them(before: tuple[int, int], after: tuple[int, int]) -> None:
    sample = drawn(*before)
    shown = as_shown(sample, SETTINGS)
    assert shown.pairs == sample.pairs
    for was, now in zip(sample.pictures, shown.pictures, strict=True):
        assert now.shape == (*after, 3)
        service = resize_bicubic(torch.from_numpy(was).permute(2, 0, 1), after).permute(1, 2, 0)
        assert np.abs(now.astype(int) - service.numpy()).max() <= 2


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_a_patch_has_the_label_of_what_lies_under_its_middle(before: tuple[int, int], after: tuple[int, int]) -> None:
    shown = as_shown(drawn(*before), SETTINGS)
    for labels in shown.labels:
        assert len(fields(labels)) == 6
        for part, values in enumerate(astuple(labels)):
            assert values.shape == (after[0] // PATCH, after[1] // PATCH)
            side = part % 2
            for (row, column), label in np.ndenumerate(values):
                middle = ((row, column)[side] + 0.5) * PATCH * before[side] / after[side]
                assert label * PATCH - 1e-6 <= middle < (label + 1) * PATCH + 1e-6


class Stopped(Exception):
    """Enough was seen."""


def test_training_draws_what_the_processor_shows(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: set[tuple[int, int]] = set()

    def ring(batches: Callable[[int], Iterator[Parts]], **_: int) -> None:
        for batch in islice(batches(0), 40):
            shown.update(picture.shape[:2] for picture in batch["pixels"])
        raise Stopped

    nano = tmp_path / "nano"  # with other sizes than those that are drawn
    nano.mkdir()
    for file in commands.NANO.iterdir():
        (nano / file.name).symlink_to(file)
    settings = json.loads((nano / "preprocessor_config.json").read_text())
    (nano / "preprocessor_config.json").unlink()
    settings["size"] = {"shortest_edge": 2 * 448 * 448, "longest_edge": 2 * 448 * 560}
    (nano / "preprocessor_config.json").write_text(json.dumps(settings))
    monkeypatch.setattr(commands, "NANO", nano)
    monkeypatch.setattr(commands, "Ring", ring)
    training = commands.Training(
        material=material.folder, folder=tmp_path / "run", seconds=1, num_workers=1, num_patches=2048
    )
    with pytest.raises(Stopped):
        commands.train_nano(training, print)
    sizes = PictureSettings.load(nano)
    drawn_sizes = {size for size, _ in BUCKETS}
    assert shown <= {smart_resize(*size, sizes) for size in drawn_sizes}
    assert shown - drawn_sizes, "none was resized, so nothing was shown"


def test_what_fits_is_left_alone() -> None:
    sample = drawn(560, 560)
    assert as_shown(sample, SETTINGS) is sample
