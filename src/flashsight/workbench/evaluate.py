"""Holds a run against a gold table. Asks no model: it reads the run's folder and nothing else.

A failed or unreadable answer counts as wrong, never as absent. A field is judged where its gold cell is filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flashsight.workbench.contradictions import COLOR, contradictions
from flashsight.workbench.gold import GROUP, PICTURE, GoldCase, GoldTable, Pairing, pair
from flashsight.workbench.metrics import Classes, classes, judge, spelled
from flashsight.workbench.pace import pace_of
from flashsight.workbench.records import Manifest, Result, Run, RunError
from flashsight.workbench.rules import Kind, Rules
from flashsight.workbench.sections import JudgedCase, Section, TextJudgement, section_of
from flashsight.workbench.statistics import Figure
from flashsight.workbench.texts import Pair, sentence_bleu, sentence_chrf, similarities
from flashsight.workbench.usable import Rating, usable_share

PLAIN_TEXT = "marketing_copy"
"""The field that an answer without a schema stands for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A run held against a gold table. missing: fields of the run for which the table has no column.

    at_once: how many cases were asked at a time at most; of more than one the times hold their waiting for each other.
    """

    run: str
    gold: GoldTable
    pairing: Pairing
    missing: tuple[str, ...]
    overall: Section
    groups: Mapping[str, Section]
    categories: Mapping[str, Classes]
    usable: Figure | None
    cases: tuple[JudgedCase, ...]
    at_once: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The evaluation for JSON."""
        return {
            "run": self.run,
            "gold": {"file": self.gold.file, "sheet": self.gold.sheet, "columns": dict(self.gold.headers)},
            "unmatched": {
                "gold_columns": list(self.gold.unknown),
                "run_fields": list(self.missing),
                "gold_pictures": list(self.pairing.gold_only),
                "run_pictures": list(self.pairing.run_only),
                "ambiguous": {name: list(ids) for name, ids in self.pairing.ambiguous.items()},
            },
            "overall": self.overall.as_dict(),
            "groups": {name: section.as_dict() for name, section in self.groups.items()},
            "categories": {name: _classes_dict(told) for name, told in self.categories.items()},
            "asked_at_once": self.at_once,
            "usable_copy": self.usable.as_dict() if self.usable else None,
            "cases": [case.as_dict() for case in self.cases],
        }


def fields_of(manifest: Manifest) -> tuple[str, ...]:
    """The fields that a run's answers have: those of its schema, or one text."""
    properties = (manifest.schema or {}).get("properties")
    return tuple(properties) if isinstance(properties, Mapping) and properties else (PLAIN_TEXT,)


def columns_of(manifest: Manifest) -> tuple[str, ...]:
    """The fields to look for in a gold table: those of the answers, and the colour that a copy must not contradict."""
    return tuple(dict.fromkeys((*fields_of(manifest), COLOR)))


def evaluate(run: Run, gold: GoldTable, rules: Rules, ratings: Sequence[Rating] = (), *, seed: int = 0) -> Evaluation:
    """Judge every picture that run and gold table share. Raises RunError where they share none."""
    results = {result.id: result for result in run.results()}
    pairing = pair(gold, paths_of(results))
    fields = fields_of(run.manifest)
    cases = judged_cases(run, results, pairing, rules)
    listed = frozenset(name for name in fields if rules.kind_of(name, run.manifest.schema) == "labels")
    named = dict.fromkeys(case.group for case in cases if case.group is not None)
    groups = {name: section_of([one for one in cases if one.group == name], listed, seed=seed) for name in named}
    return Evaluation(
        run=str(run.folder),
        gold=gold,
        pairing=pairing,
        missing=tuple(name for name in fields if name not in gold.headers),
        overall=section_of(cases, listed, seed=seed),
        groups=groups,
        categories=_categories(cases, run, rules, seed),
        usable=usable_share(ratings, results, text_fields(run, rules)) if ratings else None,
        cases=tuple(cases),
        at_once=_at_once(run, len(results)),
    )


def _at_once(run: Run, num_cases: int) -> int:
    pace = pace_of(run)
    return min(pace.in_flight, num_cases) if pace is not None else 1


def paths_of(results: Mapping[str, Result]) -> dict[str, list[str]]:
    """The ids of a run, each with the paths of its pictures."""
    return {one: [picture.path for picture in result.pictures] for one, result in results.items()}


def judged_cases(run: Run, results: Mapping[str, Result], pairing: Pairing, rules: Rules) -> list[JudgedCase]:
    """Judge each paired picture, in the order of the run. Raises RunError where nothing is paired."""
    if not pairing.by_id:
        here, there = next(iter(results), "none"), next(iter(pairing.gold_only), "none")
        raise RunError(
            f"no picture of the gold table is in the run: one calls them like {there}, the other like {here}"
        )
    schema, fields = run.manifest.schema, fields_of(run.manifest)
    kinds = {name: rules.kind_of(name, schema) if schema else "text" for name in fields}
    seconds = _seconds(run, results)
    texts = _judged_texts(results, pairing, [name for name in fields if kinds[name] == "text"], rules)
    return [
        _judged_case(results[one], pairing.by_id[one], kinds, rules, texts.get(one, {}), seconds.get(one))
        for one in results
        if one in pairing.by_id
    ]


def _judged_case(
    result: Result,
    gold: GoldCase,
    kinds: Mapping[str, Kind],
    rules: Rules,
    texts: Mapping[str, TextJudgement],
    seconds: float | None,
) -> JudgedCase:
    fields = {
        name: judge(name, kind, gold.cells[name], value_of(result, name), rules)
        for name, kind in kinds.items()
        if kind != "text" and name in gold.cells
    }
    error = result.error.message if result.error else None
    if error is None and result.answer is None:
        error = "no answer"
    group = gold.group or result.columns.get(GROUP)
    return JudgedCase(id=result.id, group=group, fields=fields, texts=texts, seconds=seconds, error=error)


def value_of(result: Result, field: str) -> object:
    """What an answer says for a field; an answer that is no object says everything in its text."""
    if result.parsed is not None:
        return result.parsed.get(field)
    return result.answer if field == PLAIN_TEXT else None


def _judged_texts(
    results: Mapping[str, Result], pairing: Pairing, names: Sequence[str], rules: Rules
) -> dict[str, dict[str, TextJudgement]]:
    places = [(one, name) for one in results for name in names if _has_cell(pairing, one, name)]
    pairs: list[Pair] = [
        ("\n".join(pairing.by_id[one].cells[name]), spelled(value_of(results[one], name))) for one, name in places
    ]
    judged: dict[str, dict[str, TextJudgement]] = {}
    for (one, name), both, similarity in zip(places, pairs, similarities(pairs), strict=True):
        color = "、".join(pairing.by_id[one].cells.get(COLOR, ())) or None
        judged.setdefault(one, {})[name] = TextJudgement(
            expected=both[0],
            got=both[1],
            bleu=sentence_bleu(both),
            chrf=sentence_chrf(both),
            similarity=similarity if both[1] else 0.0,
            contradictions=contradictions(*both, rules, color=color),
        )
    return judged


def _has_cell(pairing: Pairing, one: str, name: str) -> bool:
    return one in pairing.by_id and name != PICTURE and name in pairing.by_id[one].cells


def text_fields(run: Run, rules: Rules) -> list[str]:
    """The fields of a run that word something freely: its copies."""
    schema = run.manifest.schema
    return [name for name in fields_of(run.manifest) if not schema or rules.kind_of(name, schema) == "text"]


def _categories(cases: Sequence[JudgedCase], run: Run, rules: Rules, seed: int) -> dict[str, Classes]:
    names = [name for name in fields_of(run.manifest) if rules.kind_of(name, run.manifest.schema) == "category"]
    judged = {name: [case.fields[name] for case in cases if name in case.fields] for name in names}
    return {name: classes(rows, seed=seed) for name, rows in judged.items() if rows}


def _seconds(run: Run, results: Mapping[str, Result]) -> dict[str, float]:
    """Seconds per picture of each case that was computed: the time of a case over its pictures."""
    return {
        timing.id: timing.total_ms / 1000 / max(1, len(results[timing.id].pictures))
        for timing in run.timings()
        if timing.attempts and timing.id in results and results[timing.id].error is None
    }


def _classes_dict(told: Classes) -> dict[str, Any]:
    return {
        "macro_recall": told.macro_recall.as_dict(),
        "recall": {name: figure.as_dict() for name, figure in told.recall.items()},
        "precision": {name: figure.as_dict() for name, figure in told.precision.items()},
        "confusion": {name: dict(row) for name, row in told.confusion.items()},
    }
