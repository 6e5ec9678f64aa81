"""What a report says, as tables: each figure once, for the page and the workbook alike. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flashsight.workbench.compare import WHOLE, Comparison
from flashsight.workbench.evaluate import Evaluation
from flashsight.workbench.report_words import Language, word
from flashsight.workbench.statistics import Change, Figure

Unit = Literal["share", "seconds", "number"]
MOST_ROWS, MOST_CHARACTERS = 40, 300


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure in its unit."""

    figure: Figure | None
    unit: Unit = "share"


Cell = str | int | float | Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table under a title; each row as long as the header."""

    key: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """A text that has room in a report."""
    return text if len(text) <= most else text[: most - 1] + "…"


def field_table(told: Evaluation, language: Language) -> Table:
    """Each attribute with its accuracy."""
    rows: list[Sequence[Cell]] = [
        [cut(name, 60), Measure(one.accuracy), Measure(one.f1)]
        for name, one in list(told.overall.fields.items())[:MOST_ROWS]
    ]
    header = [word(key, language) for key in ("field", "wholly", "f1")]
    return Table(key="fields", title=word("fields", language), header=header, rows=rows)


def class_tables(told: Evaluation, language: Language) -> list[Table]:
    """Each category field with its classes."""
    header = [word(key, language) for key in ("class", "class_recall", "precision", "taken")]
    tables = []
    for name, classes in told.categories.items():
        rows: list[Sequence[Cell]] = []
        for one, recall in list(classes.recall.items())[:MOST_ROWS]:
            taken = ", ".join(f"{got} ×{num}" for got, num in classes.confusion[one].items() if got != one)
            rows.append([cut(one, 60), Measure(recall), Measure(classes.precision[one]), cut(taken)])
        title = f"{word('classes', language)}: {cut(name, 60)}"
        tables.append(Table(key="classes", title=title, header=header, rows=rows))
    return tables


def text_table(told: Evaluation, language: Language) -> Table:
    """Each text with its scores."""
    rows: list[Sequence[Cell]] = [
        [
            cut(name, 60),
            Measure(one.consistency),
            Measure(one.bleu4),
            Measure(one.chrf),
            one.num_contradictory,
        ]
        for name, one in told.overall.texts.items()
    ]
    header = [word("field", language), word("same", language), "BLEU-4", "chrF", word("contradictory", language)]
    return Table(key="texts", title=word("texts", language), header=header, rows=rows)


def group_table(told: Evaluation, language: Language) -> Table:
    """Each group of pictures."""
    rows: list[Sequence[Cell]] = [
        [
            cut(name, 60),
            one.num,
            one.num_failed,
            Measure(one.attributes),
            Measure(one.seconds_p50, "seconds"),
            Measure(one.seconds_p95, "seconds"),
        ]
        for name, one in list(told.groups.items())[:MOST_ROWS]
    ]
    header = [word(key, language) for key in ("group", "pictures", "failed", "attributes", "p50", "seconds")]
    return Table(key="groups", title=word("groups", language), header=header, rows=rows)


def change_table(told: Comparison, title: str, language: Language) -> Table:
    """What was fixed and broken from one round to the next."""
    rows: list[Sequence[Cell]] = [
        [
            word("whole", language) if name == WHOLE else cut(name, 60),
            one.num_fixed,
            one.num_broken,
            one.num_same,
            f"{_turn(one, language)} (McNemar p = {one.p_value:.3g})",
        ]
        for name, one in told.fields.items()
    ]
    header = [word(key, language) for key in ("field", "fixed", "broken", "unchanged", "verdict")]
    return Table(key="changes", title=title, header=header, rows=rows)


def _turn(one: Change, language: Language) -> str:
    if not one.is_real:
        return word("chance", language)
    return word("better" if one.num_fixed > one.num_broken else "worse", language)
