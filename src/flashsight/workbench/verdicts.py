"""Whether a target is met, from a figure's interval and never from its value alone. Knows no run and no page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from flashsight.core.errors import ConfigError
from flashsight.workbench.statistics import FEWEST, Figure

Light = Literal["met", "missed", "open"]

GOALS: Mapping[str, float] = {"attributes": 0.80, "recall": 0.90, "usable": 0.80, "valid": 1.0}
"""What is asked for unless somebody says otherwise; `seconds` (the P95 of a picture) has no usual goal."""

NAMES = (*GOALS, "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One target: name as in NAMES, its goal, the figure, the light, and the key of the words that say why."""

    name: str
    goal: float
    figure: Figure | None
    light: Light
    why: str


def read_goals(said: Iterable[str]) -> dict[str, float]:
    """The usual goals with those of `NAME=VALUE` over them. Raises ConfigError, naming what is wrong."""
    goals = dict(GOALS)
    for one in said:
        name, separator, value = one.partition("=")
        try:
            number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            number = -1.0
        is_share = name != "seconds"
        if name not in NAMES or not separator or not 0 < number < float("inf") or (is_share and number > 1):
            known = ", ".join(NAMES)
            raise ConfigError(
                f"--target must be like attributes=0.85, recall=90% or seconds=2 (known: {known}), got {one!r}"
            )
        goals[name] = number
    return goals


def judge_target(name: str, goal: float, figure: Figure | None, *, holds_waiting: bool = False) -> Verdict:
    """Hold a figure against its goal: met or missed only where the whole interval is on one side.

    holds_waiting: a time was taken of many at once. Then it can meet its goal and never miss it.
    """
    light, why = _light(figure, goal, is_least=name != "seconds")
    if name == "seconds" and holds_waiting and light != "met" and why != "none_why":
        light, why = "open", "waiting_why"
    return Verdict(name=name, goal=goal, figure=figure, light=light, why=why)


def _light(figure: Figure | None, goal: float, *, is_least: bool) -> tuple[Light, str]:
    if figure is None or figure.value is None:
        return "open", "none_why"
    if is_least and goal == 1.0 and figure.hits is not None:  # no sample proves a share of one
        return ("met", "all_why") if figure.hits == figure.num else ("missed", "missed_why")
    is_drawn_from_few = figure.method == "bootstrap" and figure.num < FEWEST  # its interval is too narrow then
    if figure.low is None or figure.high is None or is_drawn_from_few:
        return "open", "few_why"
    ahead, behind = (figure.low >= goal, figure.high < goal) if is_least else (figure.high <= goal, figure.low > goal)
    if ahead:
        return "met", "met_why"
    if behind:
        return "missed", "missed_why"
    return "open", "few_why" if is_least and figure.is_too_few else "open_why"
