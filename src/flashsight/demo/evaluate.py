"""Scores answers against what was drawn, row by row of what is promised, with intervals. Knows no model."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from flashsight.demo.sample import Language

Measure = Literal["cer", "exact", "items", "json", "attributes", "close", "label", "invented", "declined", "refused"]
"""What is counted of an answer:

cer: characters to change, over those of the truth · exact: equal to the truth · items: twice the shared over all items
of two lists (F1) · json: parses to the schema's fields · attributes: category, color, material and key_features right ·
close: a number, which may follow its label, within 5 % · label: the first item right · invented: something where there
is nothing · declined: said that it cannot be told, as is true · refused: said so though it can.
"""
LOWER_IS_BETTER = frozenset({"cer", "invented", "refused"})
RATIOS = frozenset({"cer", "items"})

ITEMS = re.compile(r"[、,，;；\n]\s*")
LABELLED = re.compile(r"(.*)[:：]")
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")
FIELDS = ("category", "color", "material", "key_features", "marketing_copy")
REFUSED = re.compile(r"词汇|vocabulary|空白|blank|噪声|only noise|模糊|blurred")
RESAMPLED = 400
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure with its 95 % interval over so many answers."""

    num: int
    value: float
    low: float
    high: float


@dataclass(slots=True)
class Tally:
    """Answers of one row: what counts and what it is counted against, answer by answer."""

    measure: Measure
    counted: list[tuple[float, float]] = field(default_factory=list)
    languages: list[Language] = field(default_factory=list)

    def add(self, truth: str, said: str, language: Language) -> None:
        """Take one answer in."""
        self.counted.append(count(self.measure, truth.strip(), said.strip()))
        self.languages.append(language)

    def rate(self, language: Language | None = None) -> Rate:
        """The figure over all answers, or over those in one language."""
        chosen = [pair for pair, spoken in zip(self.counted, self.languages, strict=True) if language in (None, spoken)]
        got, of = sum(pair[0] for pair in chosen), sum(pair[1] for pair in chosen)
        low, high = bootstrap(chosen) if self.measure in RATIOS else wilson(round(got), len(chosen))
        return Rate(len(chosen), got / of if of else 0.0, low, high)


def count(measure: Measure, truth: str, said: str) -> tuple[float, float]:
    """What one answer adds to the figure: (counted, counted against)."""
    if measure == "cer":
        return min(edit_distance(truth, said), len(truth)), len(truth)
    if measure == "items":
        wanted, named = Counter(ITEMS.split(truth)), Counter(ITEMS.split(said))
        return 2 * (wanted & named).total(), wanted.total() + named.total()
    if measure in ("json", "attributes"):
        return _count_json(measure == "attributes", truth, said), 1
    if measure == "close":
        label = LABELLED.match(truth)
        true, told = (_number(_unlabelled(text, label[1] if label else "")) for text in (truth, said))
        return float(true is not None and told is not None and abs(told - true) <= 0.05 * abs(true)), 1
    if measure == "label":
        return float(ITEMS.split(truth)[0] == ITEMS.split(said)[0]), 1
    if measure in ("declined", "refused"):
        return float(REFUSED.search(said) is not None), 1
    return float((said == truth) != (measure == "invented")), 1


def _count_json(is_strict: bool, truth: str, said: str) -> float:
    try:
        told = json.loads(said)
    except ValueError:
        return 0.0
    if not isinstance(told, dict) or set(told) != set(FIELDS):
        return 0.0
    true = json.loads(truth)
    return float(not is_strict or all(told[name] == true[name] for name in FIELDS[:-1]))


def _unlabelled(text: str, label: str) -> str:
    """What an answer says of a label, which may hold digits itself: what follows it, or follows the last colon."""
    if label and text.startswith(label):
        return text[len(label) :]
    return LABELLED.sub("", text, count=1)


def _number(text: str) -> float | None:
    found = NUMBER.search(text)
    return float(found[0].replace(",", "")) if found else None


def table(report: Mapping[str, Any]) -> str:
    """Return a report as a Markdown table: figure with interval, in each language, and the goal; below, the whole."""
    lines = ["| measured | answers | result (95 %) | Chinese | English | goal |", "|---" * 6 + "|"]
    for row in report["rows"]:
        shown = [_shown(row[language], row["measure"]) for language in ("zh", "en")]
        goal = f"{'≤' if row['measure'] in LOWER_IS_BETTER else '≥'} {figure(row['goal'], row['measure'])}"
        mark = "✓" if is_met(row) else "✗"
        value, low, high = (figure(row[name], row["measure"]) for name in ("value", "low", "high"))
        lines.append(f"| {row['name']} | {row['num']} | {value} ({low}–{high}) | {' | '.join(shown)} | {goal} {mark} |")
    met = sum(map(is_met, report["rows"]))
    lines += ["", f"{met} of {len(report['rows'])} goals are met; {overall(report['rows']):.3f} over all rows."]
    return "\n".join(lines) + "\n"


def overall(rows: Sequence[Mapping[str, Any]]) -> float:
    """One number to tell two checkpoints apart by: the mean of what the rows got of all there was to get."""
    got = [float(1 - row["value"] if row["measure"] in LOWER_IS_BETTER else row["value"]) for row in rows]
    return sum(got) / len(got)


def missed(rows: Sequence[Mapping[str, Any]]) -> str:
    """The goals that were not reached as a Markdown list, each with by how much."""
    lines = [
        f"- {row['name']}: {figure(row['value'], row['measure'])}, short by "
        + _short_by(abs(row["value"] - row["goal"]), row["measure"])
        for row in rows
        if not is_met(row)
    ]
    return "\n".join(lines) + "\n" if lines else "none\n"


def _short_by(distance: float, measure: str) -> str:
    return f"{distance:.3f}" if measure in RATIOS else f"{100 * distance:.1f} points"


def is_met(row: Mapping[str, Any]) -> bool:
    """True when a row's figure reaches its goal."""
    return bool(row["value"] <= row["goal"] if row["measure"] in LOWER_IS_BETTER else row["value"] >= row["goal"])


def figure(value: float, measure: str) -> str:
    """A row's figure as tables show it: a rate with three decimals, a share in percent."""
    return f"{value:.3f}" if measure in RATIOS else f"{100 * value:.1f} %"


def _shown(rate: Mapping[str, Any], measure: str) -> str:
    return figure(rate["value"], measure) if rate["num"] else "–"


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's distance between two strings."""
    row = list(range(len(other) + 1))
    for place, character in enumerate(one, start=1):
        diagonal, row[0] = row[0], place
        for column, candidate in enumerate(other, start=1):
            changed = diagonal + (character != candidate)
            diagonal = row[column]
            row[column] = min(changed, diagonal + 1, row[column - 1] + 1)
    return row[-1]


def wilson(right: int, num: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if num == 0:
        return 0.0, 1.0
    share = right / num
    middle = share + Z95**2 / (2 * num)
    spread = Z95 * math.sqrt(share * (1 - share) / num + Z95**2 / (4 * num**2))
    scale = 1 + Z95**2 / num
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def bootstrap(counted: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the 95 % interval of a ratio of sums, by drawing the answers again (Efron's percentiles).

    Where all answers are alike, drawing again says nothing: then Wilson's interval over what the answers are made of.
    """
    if not counted:
        return 0.0, 1.0
    pairs = np.array(counted, float)
    drawn = np.random.default_rng(0).integers(0, len(pairs), (RESAMPLED, len(pairs)))
    sums = pairs[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1e-9), (0.025, 0.975))
    if high - low < 1e-9:
        return wilson(round(pairs[:, 0].sum()), round(pairs[:, 1].sum()))
    return float(low), float(high)
