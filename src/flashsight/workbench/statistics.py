"""Figures with their doubt: shares, means, quantiles and the difference of two runs. Knows numbers only.

A figure whose 95 % interval is wider than `TOO_WIDE` is not told as a finding: too few pictures stand behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flashsight.workbench.extras import library

CONFIDENCE = 0.95
TOO_WIDE = 0.20  # of a figure between 0 and 1: 20 points, as of 50 pictures that are half right
FEWEST = 16  # pictures from which even a share without a single miss has Wilson's interval within TOO_WIDE
RESAMPLES, BATCH = 2000, 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number with its 95 % interval. `low` and `high` are None where no interval can be had (one picture, or none).

    `method` is `wilson` (a share of pictures) or `bootstrap` (a mean or a quantile); `num` counts what is behind it.
    """

    value: float | None
    low: float | None
    high: float | None
    num: int
    method: str
    hits: int | None = None

    @property
    def is_too_few(self) -> bool:
        """Whether too few pictures stand behind this figure between 0 and 1 to tell it as a finding."""
        is_wide = self.low is None or self.high is None or self.high - self.low > TOO_WIDE
        return is_wide or self.num < FEWEST  # a bootstrap of few equal values has no width at all

    def as_dict(self) -> Mapping[str, object]:
        """The figure for JSON."""
        rounded = {name: _rounded(getattr(self, name)) for name in ("value", "low", "high")}
        hits = {} if self.hits is None else {"hits": self.hits}
        return {**rounded, "num": self.num, **hits, "method": self.method}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became of the same pictures from one run to another, and McNemar's exact test of it (two-sided)."""

    num_fixed: int
    num_broken: int
    num_same: int
    p_value: float

    @property
    def is_real(self) -> bool:
        """Whether chance alone would show such a change in fewer than 5 of 100 cases."""
        return self.p_value < 1 - CONFIDENCE

    def as_dict(self) -> Mapping[str, object]:
        """The change for JSON."""
        counts = {"fixed": self.num_fixed, "broken": self.num_broken, "same": self.num_same}
        return {**counts, "p_value": self.p_value, "significant": self.is_real}


def share(hits: int, num: int) -> Figure:
    """Return hits of num with Wilson's score interval (Wilson 1927); of nothing there is no share."""
    if num == 0:
        return Figure(value=None, low=None, high=None, num=0, hits=0, method="wilson")
    ends = library("scipy.stats").binomtest(hits, num).proportion_ci(CONFIDENCE, method="wilson")
    return Figure(value=hits / num, low=float(ends.low), high=float(ends.high), num=num, hits=hits, method="wilson")


def mean(values: Sequence[float], *, seed: int = 0) -> Figure:
    """Return the mean of per-picture values with a percentile bootstrap interval; the seed makes it repeatable."""
    return _bootstrapped(values, np.mean, seed)


def mean_share(values: Sequence[float], *, seed: int = 0) -> Figure:
    """Return the mean of per-picture values in [0, 1], as `mean` and `at_one_end` have it."""
    return at_one_end(mean(values, seed=seed))


def at_one_end(figure: Figure) -> Figure:
    """Give a figure in [0, 1] Wilson's interval where all its pictures are wholly right, or wholly wrong.

    A bootstrap draws nothing but equal values there and would tell a certainty that no sample has.
    """
    value = figure.value
    if value is None or figure.num < 2 or figure.low != figure.high or not (_is(value, 0.0) or _is(value, 1.0)):
        return figure
    told = share(figure.num if _is(value, 1.0) else 0, figure.num)
    return replace(figure, low=told.low, high=told.high, method=told.method)


def _is(value: float, end: float) -> bool:
    return abs(value - end) < 1e-9


def quantile(values: Sequence[float], part: float, *, seed: int = 0) -> Figure:
    """Return the quantile at `part` in [0, 1], linear between neighbours, with a percentile bootstrap interval."""

    def statistic(sample: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.quantile(sample, part, axis=axis))

    return _bootstrapped(values, statistic, seed)


def _bootstrapped(values: Sequence[float], statistic: Callable[..., np.ndarray], seed: int) -> Figure:
    sample = np.asarray(values, dtype=np.float64)
    value = float(statistic(sample, axis=-1)) if sample.size else None
    if sample.size < 2:
        return Figure(value=value, low=None, high=None, num=sample.size, method="bootstrap")
    drawn = library("scipy.stats").bootstrap(
        (sample,),
        statistic,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    ends = drawn.confidence_interval
    return Figure(value=value, low=float(ends.low), high=float(ends.high), num=sample.size, method="bootstrap")


def resampled(num: int, statistic: Callable[[Sequence[int]], float], *, seed: int = 0) -> Figure:
    """Return any figure of `num` pictures, given their places 0..num-1, with a percentile bootstrap over pictures."""
    if num == 0:
        return Figure(value=None, low=None, high=None, num=0, method="bootstrap")
    value = statistic(range(num))
    if num == 1:
        return Figure(value=value, low=None, high=None, num=1, method="bootstrap")
    drawn = np.random.default_rng(seed).integers(0, num, (RESAMPLES // 4, num))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile([statistic(places.tolist()) for places in drawn], [tail, 1 - tail])
    return Figure(value=value, low=float(low), high=float(high), num=num, method="bootstrap")


def change(before: Sequence[bool], after: Sequence[bool]) -> Change:
    """Compare the same pictures, wrong or right, in two runs: McNemar's exact test on those that changed."""
    fixed = sum(new and not old for old, new in zip(before, after, strict=True))
    broken = sum(old and not new for old, new in zip(before, after, strict=True))
    turned = fixed + broken
    p_value = float(library("scipy.stats").binomtest(fixed, turned).pvalue) if turned else 1.0
    return Change(num_fixed=fixed, num_broken=broken, num_same=len(before) - turned, p_value=p_value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
