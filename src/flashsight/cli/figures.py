"""Figures at the terminal: a share with its interval, a table of them, and plain words where pictures are too few."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from flashsight.workbench.statistics import Figure

TOO_FEW = "too few pictures to tell 图片太少,无法判断"
SHOWN = 10


def to_stdout() -> Console:
    """A console for the answer itself; tables keep their width where nobody watches."""
    return Console(highlight=False, soft_wrap=False)


def percent(figure: Figure | None) -> str:
    """A figure between 0 and 1 with its interval and what it counts, or in words why it says nothing."""
    if figure is None or figure.value is None:
        return "—"
    counted = (
        f"{figure.hits} of {figure.num}"
        if figure.hits is not None
        else f"{figure.num} picture{'s' * (figure.num != 1)}"
    )
    if figure.is_too_few:
        return f"{counted}, {figure.value:.1%}: {TOO_FEW}"
    return f"{figure.value:.1%} [{figure.low:.1%}, {figure.high:.1%}] {counted}"


def seconds(figure: Figure | None) -> str:
    """A time with its interval."""
    if figure is None or figure.value is None:
        return "—"
    told = f"{figure.value:.3g} s"
    return told if figure.low is None else f"{told} [{figure.low:.3g}, {figure.high:.3g}]"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table that wraps its cells rather than cut them, and shows every text as it is."""
    drawn = Table(title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in header:
        drawn.add_column(Text(name), overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def listed(names: Sequence[str]) -> str:
    """The first names and how many more there are."""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def as_json(told: Mapping[str, object]) -> str:
    """One JSON document, readable by people too."""
    return json.dumps(told, ensure_ascii=False, indent=2)
