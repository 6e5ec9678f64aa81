"""A teacher's descriptions: of which drawings they are kept, where they stand in a picture, and what they teach."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from flashsight.core.errors import ConfigError
from flashsight.demo.material import Material, Sprite
from flashsight.demo.material.teacher import SIDE, reduced, view, write_features
from flashsight.demo.objective import FEW, LABELS, Objective, PatchHeads
from flashsight.demo.sample import IGNORED, NUM_FEATURES, PATCH
from flashsight.demo.scenes.canvas import Canvas
from flashsight.demo.scenes.icons import turned
from flashsight.demo.scenes.restyling import restyled
from flashsight.demo.train import build
from tests.demo import small


def mean_colour(pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    return np.stack([np.asarray(picture, np.float32).mean((0, 1)) for picture in pictures])


@pytest.fixture
def described(material: Material, tmp_path: Path) -> Material:
    """The material with descriptions of its four photographs and eight unnamed drawings, as if in colours."""
    for name in ("fonts.json", "strings.json", "sprites.bin"):
        (tmp_path / name).write_bytes((material.folder / name).read_bytes())
    index = json.loads((material.folder / "sprites.json").read_text())
    coloured = [[name, style if name else "noto", *rest] for name, style, *rest in index]
    (tmp_path / "sprites.json").write_text(json.dumps(coloured))
    assert write_features(tmp_path, mean_colour) == 12
    return Material(tmp_path)


def test_photographs_and_unnamed_drawings_of_training_are_described_and_nothing_of_validation(
    described: Material,
) -> None:
    assert described.features is not None
    lengths = np.linalg.norm(described.features.astype(float), axis=1)
    index = json.loads((described.folder / "sprites.json").read_text())
    wanted = [split == "train" and (style == "photo" or not name) for name, style, split, *_ in index]
    assert lengths == pytest.approx(np.array(wanted, float), abs=2e-3)
    assert sum(wanted) == 12


def test_the_same_drawings_are_described_in_the_same_way(described: Material) -> None:
    before = (described.folder / "features.npy").read_bytes()
    write_features(described.folder, mean_colour)
    assert (described.folder / "features.npy").read_bytes() == before


def test_descriptions_of_other_drawings_are_refused(described: Material) -> None:
    index = json.loads((described.folder / "sprites.json").read_text())
    (described.folder / "sprites.json").write_text(json.dumps(index[1:]))
    with pytest.raises(ConfigError, match="other drawings"):
        assert Material(described.folder).features


def test_directions_that_are_kept_keep_the_angles_between_photographs() -> None:
    numbers = np.random.default_rng(2)
    features = numbers.normal(3, 1, (30, 20)).astype(np.float32)
    few = reduced(features, np.ones(30, bool))
    assert few.shape == (30, NUM_FEATURES)
    directed = features / np.sqrt((features**2).sum(1))[:, None]
    apart = directed - directed.mean(0)
    for one, other in ((0, 1), (4, 9), (20, 7)):
        a, b = apart[one], apart[other]
        assert few[one] @ few[other] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-4)


def test_a_view_shows_the_whole_picture_in_the_middle_of_a_square() -> None:
    square = np.asarray(view(Image.new("RGBA", (100, 50), (255, 0, 0, 255))))
    rows, columns = np.nonzero(square[..., 1] == 0)
    assert (rows.min() + rows.max() + 1, columns.min() + columns.max() + 1) == (SIDE, SIDE)
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (208, 104)


def sprite(style: str = "photo") -> Sprite:
    return Sprite(3, style, Image.new("RGBA", (60, 60), (200, 30, 30, 255)), (0,), feature=7)


def test_patches_that_a_described_drawing_covers_point_to_its_row(material: Material) -> None:
    canvas = Canvas(material, (8 * PATCH, 8 * PATCH), (255, 255, 255))
    canvas.sprite(sprite(), (2 * PATCH, PATCH, 5 * PATCH, 4 * PATCH), None)
    wanted = np.full((8, 8), IGNORED)
    wanted[1:4, 2:5] = 7
    assert (canvas.labels().feature == wanted).all()
    canvas.forget((2 * PATCH, PATCH, 3 * PATCH, 4 * PATCH))
    wanted[1:4, 2] = IGNORED
    assert (canvas.labels().feature == wanted).all()


def test_a_photograph_in_other_light_keeps_its_description_and_a_drawing_in_another_manner_loses_it() -> None:
    for seed in range(10):
        assert turned(random.Random(seed), sprite("noto")).feature == 7
        assert restyled(random.Random(seed), sprite("photo")).feature == 7
        assert restyled(random.Random(seed), sprite("noto")).feature is None


def objective_of(features_FC: torch.Tensor | None, *, is_clear: bool) -> Objective:
    model = build(small.config(), small.CLASSES, 2, 0, torch.device("cpu")).model
    heads = PatchHeads(small.config().vision.hidden_size, small.CLASSES)
    if is_clear:
        heads.clear()
    return Objective(model, heads, 2, features_FC=features_FC)


def patch_batch(rows: list[int]) -> dict[str, torch.Tensor]:
    labels = torch.full((1, len(rows), len(LABELS)), IGNORED)
    labels[0, :, LABELS.index("feature")] = torch.tensor(rows)
    return {"patches": torch.arange(len(rows))[None], "labels": labels}


def test_the_loss_is_half_the_squared_distance_of_the_described_patches_alone() -> None:
    features_FC = torch.nn.functional.normalize(torch.randn(3, NUM_FEATURES, generator=torch.manual_seed(1)))
    objective = objective_of(features_FC, is_clear=False)
    hidden_PC = torch.randn(4, small.config().vision.hidden_size)
    loss, counts = objective._patches(patch_batch([2, IGNORED, 0, IGNORED]), hidden_PC)
    layer = objective.heads.heads["feature"]
    told = (hidden_PC @ layer.weight.T + layer.bias).detach().numpy()
    pairs = [(told[0], features_FC[2].numpy()), (told[2], features_FC[0].numpy())]
    assert loss.item() == pytest.approx(np.mean([((a - b) ** 2).sum() / 2 for a, b in pairs]), rel=1e-5)
    cosines = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in pairs]
    assert counts[:, LABELS.index("feature")].tolist() == pytest.approx([sum(cosines), 2], rel=1e-4)


def test_a_head_of_zeros_learns_gently_and_a_lone_patch_counts_little() -> None:
    objective = objective_of(small.FEATURES, is_clear=True)
    hidden_PC = torch.ones(2 * FEW, small.config().vision.hidden_size, requires_grad=True)
    loss, _ = objective._patches(patch_batch([1] + [IGNORED] * (2 * FEW - 1)), hidden_PC)
    assert loss.item() == pytest.approx(0.5 / 2)
    loss.backward()
    slope = objective.heads.heads["feature"].weight.grad
    assert slope is not None
    assert slope.abs().max().item() == pytest.approx(0.5)
    assert hidden_PC.grad is not None
    assert not hidden_PC.grad.any()


def test_material_without_descriptions_teaches_none(material: Material) -> None:
    assert material.features is None
    assert material.sprite(random.Random(0), 0, "train").feature is None
    objective = objective_of(None, is_clear=False)
    loss, counts = objective._patches(patch_batch([IGNORED] * 4), torch.randn(4, small.config().vision.hidden_size))
    assert loss.item() == 0
    assert not counts.any()
