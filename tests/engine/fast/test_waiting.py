"""When the trial of the fast parts begins: behind the first answers, but not for ever behind them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsight.engine.takeover import GRACE_SECONDS, LONGEST_WAIT_SECONDS, LOOK_SECONDS, wait_for_turn


def waited_for(is_idle_at: Callable[[float], bool]) -> float:
    """Seconds by a clock that only moves while it is slept."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    wait_for_turn(lambda: is_idle_at(now), lambda: now, sleep)
    return now


@pytest.mark.parametrize(
    ("is_idle_at", "seconds"),
    [
        (lambda now: True, GRACE_SECONDS),
        (lambda now: not 0.3 <= now < 1.9, 1.9),
        (lambda now: now >= 0.5, 0.5),
        (lambda now: now < 0.5, LONGEST_WAIT_SECONDS),
    ],
    ids=["nobody asks", "one is answered", "one is here at once", "they never end"],
)
def test_the_trial_waits_for_first_answers(is_idle_at: Callable[[float], bool], seconds: float) -> None:
    assert seconds <= waited_for(is_idle_at) <= seconds + 2 * LOOK_SECONDS
