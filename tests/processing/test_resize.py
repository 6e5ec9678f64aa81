from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.glm46v.image_processing_pil_glm46v import smart_resize as reference_resize

from flashsight.core.errors import CheckpointError, PictureError
from flashsight.processing.resize import PictureSettings, shown_size, smart_resize

SIDES = st.one_of(st.integers(1, 300), st.integers(1, 12000))


@given(height=SIDES, width=SIDES, budget=st.sampled_from([9_633_792, 11_760_000, 1_000_000]))
def test_sizes_equal_the_reference_processor_s(settings: PictureSettings, height: int, width: int, budget: int) -> None:
    limits = {"min_pixels": settings.min_pixels, "max_pixels": budget}
    chosen = dataclasses.replace(settings, max_pixels=budget)
    try:
        expected = reference_resize(num_frames=2, height=height, width=width, **limits)
    except ValueError:
        with pytest.raises(PictureError, match="200 times"):
            smart_resize(height, width, chosen)
    else:
        assert smart_resize(height, width, chosen) == expected


@pytest.mark.parametrize(
    ("width", "height", "shown", "num_tokens"),
    [
        (512, 512, (504, 504), 324),
        (1024, 1024, (1036, 1036), 1369),
        (768, 1024, (1036, 756), 999),
        (336, 336, (336, 336), 144),
        (28, 28, (84, 84), 9),
        (42, 420, (420, 56), 30),
        (8000, 6000, (756, 1036), 999),
        (1280, 720, (588, 1036), 777),
    ],
)
def test_pictures_within_1024_are_shown_as_published_and_larger_ones_scaled_down(
    settings: PictureSettings, width: int, height: int, shown: tuple[int, int], num_tokens: int
) -> None:
    assert shown_size((width, height), settings, max_side=1024) == shown
    assert settings.num_tokens(shown) == num_tokens
    assert settings.grid(shown).num_patches == 4 * num_tokens


@given(width=st.integers(2, 20000), height=st.integers(2, 20000), max_side=st.integers(28, 4096))
def test_no_picture_within_the_aspect_limit_is_refused_and_none_exceeds_the_side_by_more_than_rounding(
    settings: PictureSettings, width: int, height: int, max_side: int
) -> None:
    if max(width, height) > 100 * min(width, height):
        return
    shown = shown_size((width, height), settings, max_side=max_side)
    smallest_side = 84 if max_side < 84 else 28  # the pixel floor lifts tiny pictures
    assert max(shown) <= max(max_side + settings.factor // 2, smallest_side) or min(shown) <= 84
    assert all(side % 28 == 0 for side in shown)
    assert 2 * shown[0] * shown[1] <= settings.max_pixels


def test_low_detail_caps_the_longest_side_at_512_and_never_enlarges(settings: PictureSettings) -> None:
    assert shown_size((2048, 1024), settings, max_side=1024, detail="low") == (252, 504)
    assert shown_size((2048, 1024), settings, max_side=280, detail="low") == (140, 280)
    assert shown_size((300, 200), settings, max_side=1024, detail="low") == shown_size(
        (300, 200), settings, max_side=1024
    )


@pytest.mark.parametrize("content", [None, "{", "{}", '{"size": 3}'])
def test_a_missing_or_incomplete_preprocessor_file_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json"):
        PictureSettings.load(tmp_path)
