"""Figures equal the formulas of the textbook, written out here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsight.workbench import statistics
from flashsight.workbench.statistics import at_one_end, change, mean, mean_share, quantile, resampled, share

Z = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(hits: int, num: int) -> tuple[float, float]:
    part = hits / num
    middle = (part + Z**2 / (2 * num)) / (1 + Z**2 / num)
    half = Z / (1 + Z**2 / num) * math.sqrt(part * (1 - part) / num + Z**2 / (4 * num**2))
    return middle - half, middle + half


def mcnemar(fixed: int, broken: int) -> float:
    turned = fixed + broken
    tail = sum(math.comb(turned, k) for k in range(min(fixed, broken) + 1)) / 2**turned
    return min(1.0, 2 * tail)


@settings(deadline=None)  # the first call loads scipy
@given(st.integers(1, 500).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num))))
def test_a_share_has_wilsons_interval(hits_of: tuple[int, int]) -> None:
    figure = share(*hits_of)
    assert figure.value == hits_of[0] / hits_of[1]
    assert (figure.low, figure.high) == pytest.approx(wilson(*hits_of), abs=1e-9)


def test_a_share_of_nothing_is_no_share() -> None:
    figure = share(0, 0)
    assert figure.value is None
    assert figure.is_too_few


@pytest.mark.parametrize(
    ("hits", "num", "is_too_few"), [(46, 50, False), (18, 20, True), (1, 1, True), (50, 100, False)]
)
def test_too_few_pictures_are_known_by_the_width_of_the_interval(hits: int, num: int, is_too_few: bool) -> None:
    low, high = wilson(hits, num)
    assert (high - low > 0.20) == is_too_few
    assert share(hits, num).is_too_few == is_too_few


@pytest.mark.parametrize(("fixed", "broken"), list(product(range(8), repeat=2)))
def test_a_change_has_mcnemars_exact_p(fixed: int, broken: int) -> None:
    before = [False] * fixed + [True] * broken + [True, False, True]
    after = [True] * fixed + [False] * broken + [True, False, True]
    told = change(before, after)
    assert (told.num_fixed, told.num_broken, told.num_same) == (fixed, broken, 3)
    assert told.p_value == pytest.approx(mcnemar(fixed, broken))
    assert told.is_real == (mcnemar(fixed, broken) < 0.05)


def test_a_mean_is_repeatable_and_its_interval_holds_it() -> None:
    values = [0.1, 0.4, 0.5, 0.9, 0.2, 0.7]
    first = mean(values, seed=3)
    assert first == mean(values, seed=3)
    assert first.value == pytest.approx(2.8 / 6)
    assert first.low is not None
    assert first.high is not None
    assert 0.1 <= first.low < 2.8 / 6 < first.high <= 0.9


def test_a_bootstrap_interval_comes_close_to_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400).tolist()
    figure = mean(values)
    half = Z * np.std(values, ddof=1) / math.sqrt(400)
    assert (figure.low, figure.high) == pytest.approx((np.mean(values) - half, np.mean(values) + half), abs=0.05)


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5).value == 2.5
    assert quantile(list(map(float, range(101))), 0.95).value == 95.0


@pytest.mark.parametrize("values", [[], [0.5]])
def test_no_interval_is_made_up_from_one_value(values: list[float]) -> None:
    figure = mean(values)
    assert (figure.low, figure.high) == (None, None)
    assert figure.num == len(values)


def test_equal_values_have_a_point_for_an_interval() -> None:
    assert (mean([1.0] * 5).low, mean([1.0] * 5).high) == (1.0, 1.0)


@pytest.mark.parametrize(("value", "hits"), [(1.0, 30), (0.0, 0)])
def test_a_share_at_its_end_is_no_more_certain_than_as_many_hits(value: float, hits: int) -> None:
    for figure in (mean_share([value] * 30), at_one_end(resampled(30, lambda places: value))):
        assert (figure.value, figure.num, figure.method) == (value, 30, "wilson")
        assert (figure.low, figure.high) == pytest.approx(wilson(hits, 30), abs=1e-9)
    assert (mean_share([0.5] * 30).low, mean_share([0.5] * 30).high) == (0.5, 0.5)
    assert mean_share([1.0] * 29 + [0.5]) == mean([1.0] * 29 + [0.5])
    assert (mean_share([1.0]).low, mean_share([]).value) == (None, None)


def test_a_resampled_figure_has_the_interval_that_scipy_gives_the_same_statistic() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=60)

    def geometric(places: Sequence[int]) -> float:
        return float(np.exp(np.mean(np.log(values[list(places)]))))

    told = resampled(60, geometric, seed=5)
    drawn = scipy.stats.bootstrap(
        (values,), scipy.stats.gmean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    )
    width = drawn.confidence_interval.high - drawn.confidence_interval.low
    assert told.value == pytest.approx(scipy.stats.gmean(values))
    assert (told.low, told.high) == pytest.approx(tuple(drawn.confidence_interval), abs=0.08 * width)


def test_few_equal_values_are_too_few_however_narrow_their_interval() -> None:
    assert mean([1.0] * 15).is_too_few
    assert not mean([1.0] * 16).is_too_few
    assert [share(num, num).is_too_few for num in (15, 16)] == [True, False]


def test_a_missing_library_is_one_sentence_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from flashsight.core.errors import ConfigError
    from flashsight.workbench.extras import library

    with pytest.raises(ConfigError, match=r"flashsight\[workbench\]"):
        library("a_library_that_nobody_has")
    assert library("scipy.stats") is not None
    assert statistics.TOO_WIDE == 0.20
