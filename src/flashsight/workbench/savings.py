"""What a run would save, from a labour time and cost that somebody states. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

from flashsight.core.errors import ConfigError
from flashsight.workbench.statistics import Figure

CHECK_SECONDS, PICTURES_PER_MONTH = 15.0, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Labour:
    """What was stated: seconds a picture takes by hand and to check, cost of an hour, pictures a month."""

    hand_seconds: float
    hourly_cost: float
    currency: str = "¥"
    check_seconds: float = CHECK_SECONDS
    pictures_per_month: int = PICTURES_PER_MONTH


def labour_of(
    hand_seconds: float | None,
    hourly_cost: float | None,
    currency: str,
    check_seconds: float,
    pictures_per_month: int,
) -> Labour | None:
    """What the command line states, None where it states nothing. Raises ConfigError where half of it is missing."""
    if (hand_seconds is None) != (hourly_cost is None):
        raise ConfigError("savings need both --hand-seconds and --hourly-cost; add the other one")
    if hand_seconds is None or hourly_cost is None:
        return None
    return Labour(
        hand_seconds=hand_seconds,
        hourly_cost=hourly_cost,
        currency=currency,
        check_seconds=check_seconds,
        pictures_per_month=pictures_per_month,
    )


def saved_hours(labour: Labour, right: Figure) -> Figure:
    """Hours a month: each picture by hand, less checking it, less doing again what is not wholly right.

    right: the share of pictures that are wholly right. Below 0 the machine costs time.
    """

    def hours(share: float | None) -> float | None:
        if share is None:
            return None
        seconds = share * labour.hand_seconds - labour.check_seconds
        return labour.pictures_per_month * seconds / 3600

    low, high = hours(right.low), hours(right.high)
    return Figure(value=hours(right.value), low=low, high=high, num=right.num, method=right.method)


def scaled(figure: Figure, factor: float) -> Figure:
    """The same figure in another unit."""

    def times(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Figure(
        value=times(figure.value),
        low=times(figure.low),
        high=times(figure.high),
        num=figure.num,
        method=figure.method,
    )
