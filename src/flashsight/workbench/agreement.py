"""How far raters agree on scores from 1 to 5. Knows numbers only: no picture, no rater's name.

Krippendorff's alpha for ordinal values (Krippendorff 2004, Content Analysis, chapter 11) takes any number of raters and
gaps; Cohen's kappa with quadratic weights (Cohen 1968) is for two raters. 1 is full agreement, 0 is chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flashsight.workbench.statistics import CONFIDENCE, Figure

LEVELS = 5
RELIABLE, TENTATIVE = 0.8, 0.667
"""Krippendorff's own bounds: from the first on, ratings may be relied upon; below the second they may not."""

_RESAMPLES = 1000


def krippendorff(units: Sequence[Sequence[int]], *, seed: int = 0) -> Figure:
    """Ordinal alpha of the scores that each picture got, with a percentile bootstrap over pictures.

    Only pictures with two scores or more count. value None: there are none, or all scores are the same, so that nothing
    tells agreement from habit.
    """
    counts_UK = np.array([np.bincount(one, minlength=LEVELS + 1)[1:] for one in units if len(one) > 1], dtype=float)
    num = len(counts_UK)
    if num == 0:
        return Figure(value=None, low=None, high=None, num=0, method="bootstrap")
    low, high = _ends([_alpha(counts_UK[places]) for places in _drawn(num, seed)])
    return Figure(value=_alpha(counts_UK), low=low, high=high, num=num, method="bootstrap")


def weighted_kappa(pairs: Sequence[tuple[int, int]], *, seed: int = 0) -> Figure:
    """Quadratically weighted kappa of two raters over the pictures that both scored, with a bootstrap over pictures."""
    scores_N2 = np.array(pairs, dtype=float).reshape(-1, 2)
    num = len(scores_N2)
    low, high = _ends([_kappa(scores_N2[places]) for places in _drawn(num, seed)])
    return Figure(value=_kappa(scores_N2) if num else None, low=low, high=high, num=num, method="bootstrap")


def _drawn(num: int, seed: int) -> NDArray[np.int64]:
    """Places of pictures, one row a resample; none where a single picture tells no spread."""
    return np.random.default_rng(seed).integers(0, max(num, 1), (_RESAMPLES if num > 1 else 0, num))


def _alpha(counts_UK: NDArray[np.float64]) -> float | None:
    pairable_U1 = counts_UK.sum(axis=1, keepdims=True)
    coincidences_KK = counts_UK.T @ (counts_UK / (pairable_U1 - 1))
    coincidences_KK -= np.diag((counts_UK / (pairable_U1 - 1)).sum(axis=0))
    totals_K = coincidences_KK.sum(axis=1)
    below_K = np.cumsum(totals_K) - totals_K / 2
    distances_KK = (below_K[:, None] - below_K[None, :]) ** 2
    expected = (np.outer(totals_K, totals_K) * distances_KK).sum() / (totals_K.sum() - 1)
    return float(1 - (coincidences_KK * distances_KK).sum() / expected) if expected else None


def _kappa(scores_N2: NDArray[np.float64]) -> float | None:
    one_N, other_N = scores_N2.T
    expected = ((one_N[:, None] - other_N[None, :]) ** 2).mean()
    return float(1 - ((one_N - other_N) ** 2).mean() / expected) if expected else None


def _ends(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The interval of resampled values; None where most of them say nothing."""
    told = [value for value in values if value is not None]
    if len(told) <= len(values) // 2:
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(told, [tail, 1 - tail])
    return float(low), float(high)
