"""Agreement of raters and distance of texts, held against other programs and the textbooks' sums."""

from __future__ import annotations

import itertools

import krippendorff as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsight.workbench.agreement import krippendorff, weighted_kappa
from flashsight.workbench.distance import edit_distance

scores = st.lists(st.lists(st.integers(1, 5), min_size=0, max_size=4), min_size=2, max_size=12)


def as_table(units: list[list[int]]) -> np.ndarray:
    """One row a rater, gaps as not-a-number: the shape that the reference package reads."""
    table = np.full((4, len(units)), np.nan)
    for place, unit in enumerate(units):
        table[: len(unit), place] = unit
    return table


@settings(max_examples=60, deadline=None)
@given(units=scores)
def test_alpha_is_that_of_the_reference_package(units: list[list[int]]):
    pairable = [score for unit in units if len(unit) > 1 for score in unit]
    told = krippendorff(units)
    if len(set(pairable)) < 2:
        assert told.value is None
        return
    right = reference.alpha(as_table(units), level_of_measurement="ordinal", value_domain=[1, 2, 3, 4, 5])
    assert told.value == pytest.approx(right, abs=1e-9)
    assert told.num == sum(len(unit) > 1 for unit in units)


def test_alpha_of_full_agreement_is_one_and_its_interval_holds_the_value():
    rng = np.random.default_rng(0)
    assert krippendorff([[score, score] for score in (1, 2, 3, 4, 5)]).value == 1.0
    base = rng.integers(1, 6, 60)
    noisy = [[int(one), int(np.clip(one + rng.integers(-1, 2), 1, 5))] for one in base]
    told = krippendorff(noisy)
    assert told.value is not None
    assert told.low is not None
    assert told.high is not None
    assert told.low < told.value < told.high


def textbook_kappa(pairs: list[tuple[int, int]]) -> float | None:
    """1 - sum of w*observed / sum of w*expected over the cells of the table, w = (i - j)^2 (Cohen 1968)."""
    num = len(pairs)
    cells = list(itertools.product(range(1, 6), repeat=2))
    observed = sum((i - j) ** 2 * sum(pair == (i, j) for pair in pairs) / num for i, j in cells)
    first, second = ([sum(pair[side] == k for pair in pairs) / num for k in range(6)] for side in (0, 1))
    expected = sum((i - j) ** 2 * first[i] * second[j] for i, j in cells)
    return 1 - observed / expected if expected else None


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=20))
def test_kappa_is_the_textbooks(pairs: list[tuple[int, int]]):
    right = textbook_kappa(pairs)
    told = weighted_kappa(pairs).value
    assert (told is None) == (right is None)
    if right is not None:
        assert told == pytest.approx(right, abs=1e-9)


def test_nothing_rated_twice_tells_no_agreement():
    assert krippendorff([[3], []]).value is None
    assert weighted_kappa([]).value is None
    assert krippendorff([[3, 3], [3, 3]]).value is None


def textbook_distance(one: str, other: str) -> int:
    """The table of Wagner and Fischer, row by row."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row = row, [i]
        for j, right in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (left != right)))
    return row[-1]


@settings(max_examples=200, deadline=None)
@given(one=st.text("红蓝色ab ", max_size=90), other=st.text("红蓝色ab ", max_size=90))
def test_the_edit_distance_is_the_textbooks(one: str, other: str):
    assert edit_distance(one, other) == textbook_distance(one, other)


def test_one_character_written_in_two_ways_is_no_edit():
    assert edit_distance("café", "cafe\u0301") == 0
