"""What a report says, as tables: each figure once, for the page and the workbook alike. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flashsight.workbench.claims import Finding
from flashsight.workbench.compare import WHOLE, Comparison
from flashsight.workbench.evaluate import Evaluation
from flashsight.workbench.report_words import Language, sentence, word
from flashsight.workbench.review import Review
from flashsight.workbench.statistics import Change, Figure

Unit = Literal["share", "seconds", "number"]
MOST_ROWS, MOST_CHARACTERS, MOST_EXAMPLES = 40, 300, 5


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


def field_name(name: str, told: Evaluation, language: Language) -> str:
    """A field by the name that its gold column has, where that is in the report's language; else by its own."""
    column = told.gold.headers.get(name, name)
    is_chinese = any("\u3400" <= sign <= "\u9fff" for sign in column)
    return cut(column if is_chinese == (language == "zh") else name, 60)


def field_table(told: Evaluation, language: Language) -> Table:
    """Each attribute with its accuracy."""
    rows: list[Sequence[Cell]] = [
        [field_name(name, told, language), Measure(one.accuracy), Measure(one.f1)]
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
        title = f"{word('classes', language)}: {field_name(name, told, language)}"
        tables.append(Table(key="classes", title=title, header=header, rows=rows))
    return tables


def text_table(told: Evaluation, language: Language) -> Table:
    """Each text with its scores."""
    rows: list[Sequence[Cell]] = [
        [
            field_name(name, told, language),
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


def change_table(told: Comparison, title: str, judged: Evaluation, language: Language) -> Table:
    """What was fixed and broken from one round to the next. judged: tells what the fields are called."""
    rows: list[Sequence[Cell]] = [
        [
            word("whole", language) if name == WHOLE else field_name(name, judged, language),
            one.num_fixed,
            one.num_broken,
            one.num_same,
            f"{_turn(one, language)} (McNemar p = {one.p_value:.3g})",
        ]
        for name, one in told.fields.items()
    ]
    header = [word(key, language) for key in ("field", "fixed", "broken", "unchanged", "verdict")]
    return Table(key="changes", title=title, header=header, rows=rows)


def claim_table(found: Sequence[Finding], language: Language) -> Table:
    """What to look at in the copies, by reason."""
    rows: list[Sequence[Cell]] = []
    for reason in dict.fromkeys(one.reason for one in found):
        here = [one for one in found if one.reason == reason]
        examples = "; ".join(f"{one.id}: {one.words}" for one in here[:MOST_EXAMPLES])
        pictures = len({one.id for one in here})
        rows.append([word(f"reason_{reason}", language), len(here), pictures, cut(examples)])
    header = [word(key, language) for key in ("reason", "places", "pictures", "examples")]
    return Table(key="claims", title=word("claims", language), header=header, rows=rows)


def review_table(told: Review, language: Language) -> Table:
    """How much review by doubt takes."""
    target = f"{told.target:.0%}"
    rows: list[Sequence[Cell]] = [
        [word("pictures", language), told.num],
        [word("unreviewed", language), Measure(told.accuracy)],
        [sentence("review_share", language, target=target), Measure(told.needed)],
        [sentence("review_random", language), f"{told.in_random_order:.1%}"],
    ]
    header = [word("figure", language), word("value", language)]
    return Table(key="review", title=word("review", language), header=header, rows=rows)


def _turn(one: Change, language: Language) -> str:
    if not one.is_real:
        return word("chance", language)
    return word("better" if one.num_fixed > one.num_broken else "worse", language)
