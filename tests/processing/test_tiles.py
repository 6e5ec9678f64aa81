from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flashsight.processing.resize import PictureSettings, shown_size
from flashsight.processing.tiles import WORTH_IT, Tiling, plan_tiles

SIDES = st.integers(2, 20000)


def plan(
    settings: PictureSettings,
    size: tuple[int, int],
    *,
    side: int = 1024,
    tiles: int = 12,
    tokens: int | None = None,
) -> Tiling | None:
    return plan_tiles(size, settings, max_side=side, max_tiles=tiles, max_tokens=tokens)


@given(
    size=st.tuples(SIDES, SIDES),
    side=st.sampled_from([280, 1024, 2048]),
    tiles=st.integers(0, 24),
    tokens=st.none() | st.integers(0, 20000),
    budget=st.sampled_from([602_112, 9_633_792]),
)
def test_tiles_cover_the_picture_once_within_every_limit(
    settings: PictureSettings, size: tuple[int, int], side: int, tiles: int, tokens: int | None, budget: int
) -> None:
    assume(max(size) <= 100 * min(size))
    chosen = dataclasses.replace(settings, max_pixels=budget)
    tiling = plan(chosen, size, side=side, tiles=tiles, tokens=tokens)
    if tiling is None:
        return
    assert 2 <= tiling.num_tiles <= tiles
    regions = list(tiling.regions(size))
    assert len(regions) == tiling.num_tiles
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in regions) == size[0] * size[1]
    assert (min(r[0] for r in regions), min(r[1] for r in regions)) == (0, 0)
    assert (max(r[2] for r in regions), max(r[3] for r in regions)) == size
    shown = [shown_size((right - left, bottom - top), chosen, max_side=side) for left, top, right, bottom in regions]
    assert tiling.num_tokens == sum(chosen.num_tokens(each) for each in shown)
    assert tokens is None or tiling.num_tokens <= tokens
    assert tiling.resized == shown[0]


@given(size=st.tuples(st.integers(2, 400), st.integers(2, 400)))
def test_no_pixel_of_a_small_cut_belongs_to_two_tiles(settings: PictureSettings, size: tuple[int, int]) -> None:
    assume(max(size) <= 50 * min(size))
    tiling = plan(settings, size, side=84)
    if tiling is not None:
        counts = np.zeros(size[::-1], int)
        for left, top, right, bottom in tiling.regions(size):
            counts[top:bottom, left:right] += 1
        assert (counts == 1).all()


@given(size=st.tuples(SIDES, SIDES))
def test_tiles_show_clearly_more_than_the_overview_or_there_are_none(
    settings: PictureSettings, size: tuple[int, int]
) -> None:
    assume(max(size) <= 100 * min(size))
    overview = shown_size(size, settings, max_side=1024)
    tiling = plan(settings, size)
    if tiling is None:
        assert max(size) < 2 * WORTH_IT * 1024 or max(size) > 20 * min(size)
    else:
        assert tiling.shown[0] * tiling.shown[1] > overview[0] * overview[1]


@pytest.mark.parametrize(
    ("size", "cut"),
    [
        ((4000, 3000), (3, 4)),  # every pixel of a 12-megapixel photograph
        ((3000, 4000), (4, 3)),
        ((1080, 2400), (3, 1)),  # a telephone's screen
        ((1920, 1080), (1, 2)),
        ((2480, 3508), (4, 3)),  # a page of A4 at 300 dpi
        ((30000, 400), (1, 11)),
        ((1100, 1100), None),  # the overview shows it nearly as it is
        ((512, 512), None),
    ],
)
def test_the_cut_follows_the_picture(
    settings: PictureSettings, size: tuple[int, int], cut: tuple[int, int] | None
) -> None:
    tiling = plan(settings, size)
    assert (tiling and (tiling.rows, tiling.columns)) == cut


def test_a_small_budget_means_fewer_tiles_and_a_tiny_one_none(settings: PictureSettings) -> None:
    numbers = [plan(settings, (4000, 3000), tokens=tokens) for tokens in (16000, 8000, 3000, 500)]
    assert [each and each.num_tiles for each in numbers] == [12, 6, 2, None]
    assert plan(settings, (4000, 3000), tiles=0) is None
    assert plan(settings, (4000, 3000), tiles=1) is None
