from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import settings as few
from hypothesis import strategies as st
from PIL import Image
from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil

from flashsight.processing.pixels import PixelPath, resize_bicubic_in_floats
from flashsight.processing.resize import PictureSettings, smart_resize
from tests.support.tiny import PREPROCESSOR

from .pictures import scene

STEP = 1 / (255 * 0.26130258)  # one step of 255, normalised, at most


def reference(image: Image.Image) -> tuple[torch.Tensor, list[int]]:
    """The first of the two equal temporal copies of transformers' patches, and its grid."""
    kept = {key: PREPROCESSOR[key] for key in ("size", "patch_size", "temporal_patch_size", "merge_size")}
    processor = Glm46VImageProcessorPil(**kept)
    out = processor(images=[image], return_tensors="pt")
    patches = out["pixel_values"].reshape(-1, 3, 2, 14 * 14)
    assert torch.equal(patches[:, :, 0], patches[:, :, 1])
    return patches[:, :, 0].flatten(1), out["image_grid_thw"][0].tolist()


def ours(image: Image.Image, settings: PictureSettings) -> torch.Tensor:
    resized = smart_resize(image.height, image.width, settings)
    return PixelPath(settings)(torch.from_numpy(np.array(image)), resized)


@pytest.mark.parametrize("size", [(336, 336), (112, 448), (28, 560)])
def test_without_a_resize_patches_equal_the_reference_processor_s(
    settings: PictureSettings, size: tuple[int, int]
) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    expected, grid = reference(image)
    found = ours(image, settings)
    assert found.dtype == torch.float32
    assert grid == [1, size[1] // 14, size[0] // 14]
    assert torch.allclose(found, expected, atol=1e-6)


@few(max_examples=15)
@given(width=st.integers(20, 500), height=st.integers(20, 500))
def test_with_a_resize_all_but_one_in_a_thousand_values_are_within_two_steps_of_255(
    settings: PictureSettings, width: int, height: int
) -> None:
    rows, columns = smart_resize(height, width, settings)
    assume(not (columns > width and rows < height))  # Pillow 13 then works columns first and cuts overshoot elsewhere
    image = scene(width, height)
    expected, _ = reference(image)
    difference = (ours(image, settings) - expected).abs()
    assert (difference > 2.1 * STEP).float().mean() <= 0.001  # overshoot at sharp edges is cut differently
    assert difference.mean() < 0.2 * STEP


def test_the_float_path_of_other_devices_agrees_with_pillow() -> None:
    for size in ((300, 200), (801, 613), (64, 48)):
        image = scene(*size)
        pixels_CHW = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        floats = resize_bicubic_in_floats(pixels_CHW, (252, 336)).permute(1, 2, 0).numpy().astype(int)
        pillow = np.asarray(image.resize((336, 252), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(floats - pillow).max() <= 2


def test_four_rows_make_one_token_and_columns_are_colour_row_column(settings: PictureSettings) -> None:
    pixels = torch.zeros(56, 112, 3, dtype=torch.uint8)
    pixels[14 + 3, 28 + 14 + 5, 1] = 255  # second row of patches, fourth column: token 1, its last patch
    marked = PixelPath(settings)(pixels, (56, 112)).reshape(-1, 3, 14, 14)
    blank = PixelPath(settings)(torch.zeros_like(pixels), (56, 112)).reshape(-1, 3, 14, 14)
    assert (marked != blank).nonzero().tolist() == [[7, 1, 3, 5]]
