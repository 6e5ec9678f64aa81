"""From runs and a gold table to what a report says: verdicts, tables, gallery, limits, next steps. Draws nothing.

The last run is the one that is judged; those before it are its rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from flashsight.workbench.claims import Finding, WordRule, findings
from flashsight.workbench.compare import Comparison, compare
from flashsight.workbench.evaluate import Evaluation, evaluate
from flashsight.workbench.gallery import Exhibit, Place, gallery
from flashsight.workbench.gold import GoldTable
from flashsight.workbench.pace import pace_of
from flashsight.workbench.records import Run, RunError
from flashsight.workbench.report_limits import limits_of, next_steps
from flashsight.workbench.report_tables import (
    Cell,
    Measure,
    Table,
    change_table,
    claim_table,
    class_tables,
    cut,
    field_table,
    group_table,
    text_table,
)
from flashsight.workbench.report_words import Language, sentence, word
from flashsight.workbench.review import Review, doubts_of, review
from flashsight.workbench.rules import Rules
from flashsight.workbench.savings import Labour, saved_hours, scaled
from flashsight.workbench.sections import JudgedCase
from flashsight.workbench.statistics import Figure, share
from flashsight.workbench.usable import Rating
from flashsight.workbench.verdicts import Verdict, judge_target

MOST_RUNS = 8
REVIEWED_TO = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says. rounds: the difference of the prompts between each run and the one before it.

    found: what to look at in the copies.
    """

    language: Language
    runs: Sequence[Run]
    told: Evaluation
    made: str
    verdicts: Sequence[Verdict]
    tables: Sequence[Table]
    rounds: Sequence[Table]
    prompt_diffs: Sequence[tuple[str, Sequence[str]]]
    by_round: Sequence[tuple[str, Figure]]
    exhibits: Mapping[Place, Sequence[Exhibit]]
    speed: Table
    savings: Table | None
    limits: Sequence[str]
    steps: Sequence[str]
    review: Review | None
    found: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What whoever makes the report wants in it. law: the words that a copy is checked for."""

    language: Language
    goals: Mapping[str, float]
    labour: Labour | None = None
    law: Sequence[WordRule] = ()
    seed: int = 0


def make_report(
    runs: Sequence[Run], gold: GoldTable, rules: Rules, ratings: Sequence[Rating], wishes: Wishes
) -> Report:
    """Judge the last run, and each one before it as a round. Raises RunError for runs that cannot be compared."""
    if len(runs) > MOST_RUNS:
        raise RunError(f"a report has room for {MOST_RUNS} runs, got {len(runs)}; name the rounds that matter")
    language, last = wishes.language, runs[-1]
    told_rounds = [evaluate(run, gold, rules, seed=wishes.seed) for run in runs[:-1]]
    told = evaluate(last, gold, rules, ratings, seed=wishes.seed)
    changes = [compare(before, after, rules, gold) for before, after in pairwise(runs)]
    verdicts = [
        judge_target(name, goal, _figures(last, told, wishes.seed)[name], holds_waiting=told.at_once > 1)
        for name, goal in wishes.goals.items()
        if _applies(name, last, told)
    ]
    found = list(findings(last, rules, wishes.law, gold))
    doubts = doubts_of(last, rules)
    reviewed = (
        review(last, told.cases, doubts, target=REVIEWED_TO, seed=wishes.seed)
        if any(case.fields and case.id in doubts for case in told.cases)
        else None
    )
    every = [*told_rounds, told]
    return Report(
        language=language,
        runs=runs,
        told=told,
        made=datetime.now(UTC).strftime("%Y-%m-%d"),
        verdicts=verdicts,
        tables=_tables(told, found, language),
        rounds=[_round_table(runs, every, language), *_changes(changes, told, language)] if len(runs) > 1 else [],
        prompt_diffs=[(_between(one), one.prompt_diff) for one in changes if one.prompt_diff],
        by_round=[(name_of(run), one.overall.attributes) for run, one in zip(runs, every, strict=True)],
        exhibits=gallery(last, told.cases),
        speed=_speed(last, told, language),
        savings=_savings(wishes.labour, told.cases, language) if wishes.labour is not None else None,
        limits=limits_of(told, language),
        steps=[*next_steps(verdicts, told, found, language), *_review_step(reviewed, language)],
        review=reviewed,
        found=found,
    )


def name_of(run: Run) -> str:
    """A run as a report names it: its folder's name."""
    return cut(run.folder.resolve().name, 60)


def whole_share(cases: Sequence[JudgedCase]) -> Figure:
    """The share of pictures that are wholly right: every field, and every text by its meaning."""
    return share(sum(_is_whole(case) for case in cases), len(cases))


def _is_whole(case: JudgedCase) -> bool:
    verdicts = [*(one.is_right for one in case.fields.values()), *(one.is_consistent for one in case.texts.values())]
    return case.error is None and all(verdicts)


def _figures(run: Run, told: Evaluation, seed: int) -> dict[str, Figure | None]:
    by_class = [figures.macro_recall for figures in told.categories.values()]
    num_valid = sum(result.error is None for result in run.results())
    return {
        "attributes": told.overall.attributes,
        "recall": min(by_class, key=lambda figure: figure.value or 0.0) if by_class else None,
        "usable": told.usable,
        "valid": share(num_valid, sum(1 for _ in run.results())),
        "seconds": told.overall.seconds_p95,
    }


def _applies(name: str, run: Run, told: Evaluation) -> bool:
    """Whether a run can be held to a target at all: a run of plain texts has no attributes and no schema."""
    if name == "attributes":
        return bool(told.overall.fields)
    if name == "recall":
        return bool(told.categories)
    return name != "valid" or run.manifest.schema is not None


def _tables(told: Evaluation, found: Sequence[Finding], language: Language) -> list[Table]:
    tables = [field_table(told, language), *class_tables(told, language), text_table(told, language)]
    tables += [claim_table(found, language), group_table(told, language)]
    return [table for table in tables if table.rows]


def _round_table(runs: Sequence[Run], every: Sequence[Evaluation], language: Language) -> Table:
    rows: list[Sequence[Cell]] = [
        [
            f"{number}. {name_of(run)}",
            cut(run.manifest.model.called, 60),
            Measure(told.overall.attributes),
            Measure(whole_share(told.cases)),
            cut(run.manifest.prompt),
        ]
        for number, (run, told) in enumerate(zip(runs, every, strict=True), 1)
    ]
    header = [word(key, language) for key in ("run", "model", "attributes", "whole", "prompt")]
    return Table(key="rounds", title=word("rounds", language), header=header, rows=rows)


def _changes(changes: Sequence[Comparison], told: Evaluation, language: Language) -> list[Table]:
    return [change_table(one, _between(one), told, language) for one in changes]


def _between(one: Comparison) -> str:
    return " → ".join(cut(run.rstrip("/").rpartition("/")[2], 60) for run in one.runs)


def _speed(run: Run, told: Evaluation, language: Language) -> Table:
    waiting = word("waiting", language) if told.at_once > 1 else ""
    rows: list[Sequence[Cell]] = [
        [word("p50", language) + waiting, Measure(told.overall.seconds_p50, "seconds")],
        [word("seconds", language) + waiting, Measure(told.overall.seconds_p95, "seconds")],
    ]
    pace = pace_of(run)
    if pace is not None:
        rows.append([word("pace", language), round(pace.pictures_per_second, 3)])
        rows.append([word("per_hour", language), round(3600 * pace.pictures_per_second)])
        rows.append([word("at_once", language), pace.in_flight])
    spent = [result.tokens.completion for result in run.results() if result.tokens is not None]
    if spent:
        rows.append([word("tokens", language), round(sum(spent) / len(spent), 1)])
    model = run.manifest.model
    where = model.url or f"{model.device or '—'}, {model.precision or '—'}"
    rows.append([word("where", language), cut(where, 120)])
    header = [word("figure", language), word("value", language)]
    return Table(key="speed", title=word("speed", language), header=header, rows=rows)


def _savings(labour: Labour, cases: Sequence[JudgedCase], language: Language) -> Table:
    right = whole_share(cases)
    hours = saved_hours(labour, right)
    rows: list[Sequence[Cell]] = [
        [word("hand", language), labour.hand_seconds],
        [word("check", language), labour.check_seconds],
        [f"{word('hourly', language)} ({labour.currency})", labour.hourly_cost],
        [word("volume", language), labour.pictures_per_month],
        [word("whole", language), Measure(right)],
        [word("saved_hours", language), Measure(hours, "number")],
        [f"{word('saved_cost', language)} ({labour.currency})", Measure(scaled(hours, labour.hourly_cost), "number")],
    ]
    header = [word("figure", language), word("value", language)]
    return Table(key="savings", title=word("savings", language), header=header, rows=rows)


def _review_step(told: Review | None, language: Language) -> list[str]:
    return [review_words(told, language)] if told is not None and told.is_order_of_use else []


def review_words(told: Review, language: Language) -> str:
    """What review by doubt is worth, in a sentence."""
    target, right, needed = f"{told.target:.0%}", told.accuracy.value or 0.0, told.needed
    if right >= told.target:
        return sentence("review_reached", language, value=f"{right:.1%}", target=target)
    if not told.is_order_of_use:
        return sentence("review_useless", language)
    low, high = f"{needed.low or 0.0:.0%}", f"{needed.high or 1.0:.0%}"
    return sentence("review_needed", language, share=f"{needed.value or 0.0:.0%}", target=target, low=low, high=high)


__all__ = ["MOST_RUNS", "Report", "Wishes", "make_report", "name_of", "review_words", "whole_share"]
