"""Which of two rounds people prefer, from choices made without knowing which is which. Knows numbers and names only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flashsight.workbench.statistics import Figure, share


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """The outcome of a blind comparison. An item counts once, for the round that more of its raters prefer.

    second: share of the decided items that the second round wins, with its interval. num_even: items without a winner.
    """

    num_items: int
    num_raters: int
    num_choices: int
    num_even: int
    second: Figure

    @property
    def winner(self) -> Literal["first", "second"] | None:
        """The preferred round, None where the interval holds one half: it may be chance, or too few to tell."""
        if self.second.low is None or self.second.high is None:
            return None
        return "second" if self.second.low > 0.5 else "first" if self.second.high < 0.5 else None

    def as_dict(self) -> dict[str, Any]:
        """The outcome for JSON."""
        return {
            "items": self.num_items,
            "raters": self.num_raters,
            "choices": self.num_choices,
            "even": self.num_even,
            "second_preferred": self.second.as_dict(),
            "too_few": self.second.is_too_few,
            "winner": self.winner,
        }


def preference(choices: Mapping[tuple[str, str], str]) -> Preference:
    """Count choices by (item, rater): `first`, `second` or `same`."""
    balance: Counter[str] = Counter()
    for (item, _), chosen in choices.items():
        balance[item] += {"first": -1, "second": 1}.get(chosen, 0)
    decided = [value for value in balance.values() if value]
    return Preference(
        num_items=len(balance),
        num_raters=len({rater for _, rater in choices}),
        num_choices=len(choices),
        num_even=len(balance) - len(decided),
        second=share(sum(value > 0 for value in decided), len(decided)),
    )
