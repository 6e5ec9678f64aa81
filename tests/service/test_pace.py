"""What is learnt of the time that pictures take."""

from __future__ import annotations

import pytest

from flashsight.core.types import CacheLevel, PromptStats, Timings
from flashsight.service.pace import Pace


def spent(
    *, tokens: int = 100, cached: int = 0, level: CacheLevel = "none", encode: float = 0.4, prefill: float = 0.6
) -> PromptStats:
    return PromptStats(
        prompt_tokens=tokens + 20,
        picture_tokens=tokens,
        cached_tokens=cached,
        picture_level=level,
        timings=Timings(decode_seconds=0.1 if encode else 0.0, encode_seconds=encode, prefill_seconds=prefill),
    )


def test_nothing_is_told_before_anything_was_seen():
    assert Pace().estimate(100) is None


def test_a_picture_like_the_last_takes_as_long_and_one_of_twice_the_size_twice():
    pace = Pace()
    pace.prewarmed("ok", spent())
    same, double = pace.estimate(100), pace.estimate(200)
    assert same is not None
    assert double is not None
    assert same.picture_seconds == pytest.approx(0.5)
    assert same.prefill_seconds == pytest.approx(0.6 * 100 / 120)
    assert double.picture_seconds == pytest.approx(2 * same.picture_seconds)


@pytest.mark.parametrize(
    "of_little_use",
    [
        spent(level="device", encode=0.0, cached=110, prefill=9.0),
        spent(tokens=10, encode=50.0, cached=25, prefill=9.0),
    ],
)
def test_caches_and_tiny_pictures_do_not_blur_it(of_little_use: PromptStats):
    pace = Pace()
    pace.prewarmed("ok", spent())
    before = pace.estimate(100)
    pace.prewarmed("ok", of_little_use)
    pace.prewarmed("skipped", None)
    assert pace.estimate(100) == before


def test_the_newest_counts_most_but_not_alone():
    pace = Pace()
    pace.prewarmed("ok", spent(encode=0.4))
    for _ in range(30):
        pace.prewarmed("ok", spent(encode=0.9))
    estimate = pace.estimate(100)
    assert estimate is not None
    assert 0.9 < estimate.picture_seconds < 1.0
