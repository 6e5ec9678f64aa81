"""`flashsight evaluate`: a run held against a gold table, as tables with intervals or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flashsight.cli.figures import as_json, listed, percent, seconds, table, to_stdout
from flashsight.cli.terminal import to_stderr

if TYPE_CHECKING:
    from rich.table import Table

    from flashsight.workbench.evaluate import Evaluation
    from flashsight.workbench.metrics import Classes
    from flashsight.workbench.records import Run
    from flashsight.workbench.rules import Rules
    from flashsight.workbench.usable import Rating

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="folder that `flashsight batch --out` wrote")]
Gold = Annotated[Path, typer.Option(metavar="FILE", help="gold table: .xlsx, .csv, .ods … with a picture column")]
SheetName = Annotated[str | None, typer.Option(metavar="NAME", help="sheet of the gold table; default: the first")]
RulesFile = Annotated[Path | None, typer.Option(metavar="FILE", help="TOML: names, synonyms, tolerance, opposites")]
AsJson = Annotated[bool, typer.Option("--json", help="print everything, each picture too, as JSON")]
Seed = Annotated[int, typer.Option(help="of the bootstrap: the same seed, the same intervals")]


def evaluate(
    run: RunFolder,
    gold: Gold,
    sheet: SheetName = None,
    rules: RulesFile = None,
    ratings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="table of ratings 1-5 or accepted copies; default: those given on the page"),
    ] = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Hold a run against a gold table: accuracy, recall, texts, times, each with its interval. 用金标评测一次运行。

    Needs the extra: pip install 'flashsight[workbench]'. The figures are defined in docs/workbench.md.

    \b
    flashsight evaluate ./run1 --gold gold.xlsx
    flashsight evaluate ./run1 --gold gold.xlsx --sheet 金标 --rules my-rules.toml --ratings ratings.csv
    flashsight evaluate ./run1 --gold gold.csv --json > figures.json
    """
    from flashsight.workbench.evaluate import columns_of
    from flashsight.workbench.evaluate import evaluate as hold_against
    from flashsight.workbench.gold import read_gold
    from flashsight.workbench.records import open_run
    from flashsight.workbench.rules import read_rules

    known = read_rules(rules)
    opened = open_run(run)
    right = read_gold(gold, columns_of(opened.manifest), known, sheet=sheet)
    said = ratings_for(opened, ratings, known)
    if not opened.is_complete:
        to_stderr().print(f"{run} is not complete: only what has ended so far is judged", style="yellow")
    to_stderr().print(f"judging {opened.manifest.num_cases} answers 正在评测", style="dim")
    told = hold_against(opened, right, known, said, seed=seed)
    if json:
        print(as_json(told.as_dict()))
        return
    console = to_stdout()
    for line in unmatched(told):
        to_stderr().print(escape(line), style="yellow")
    for drawn in _tables(told):
        console.print(drawn)
        console.print()


def ratings_for(run: Run, file: Path | None, rules: Rules) -> list[Rating]:
    """What people said of a run: in a table, or, without one, on the page."""
    from flashsight.workbench.ratings import read_ratings as read_page_ratings
    from flashsight.workbench.ratings import run_id
    from flashsight.workbench.usable import ratings_of, read_ratings

    if file is None:
        return ratings_of(read_page_ratings(run))
    return read_ratings(file, rules, run=run_id(run))


def unmatched(told: Evaluation) -> Iterator[str]:
    """What found no partner, both ways, a line each."""
    found = (
        ("columns of the gold table that no field has 金标多出的列", told.gold.unknown),
        ("fields of the run that the gold table has no column for 金标没有的字段", told.missing),
        ("pictures of the gold table that are not in the run 运行里没有的图片", told.pairing.gold_only),
        ("pictures of the run that are not in the gold table 金标里没有的图片", told.pairing.run_only),
        ("names that fit several pictures 对应多张图片的名称", tuple(told.pairing.ambiguous)),
    )
    return (f"{what}: {listed(names)}" for what, names in found if names)


def _tables(told: Evaluation) -> Iterator[Table]:
    whole = told.overall
    waiting = f", with the waiting of {told.at_once} at once 含排队" if told.at_once > 1 else ""
    rows = [
        ("pictures judged 图片数", f"{whole.num}, of these {whole.num_failed} without an answer"),
        ("attribute accuracy 属性准确率", percent(whole.attributes)),
        *(("usable copy 文案可用率", percent(told.usable)) for _ in [0] if told.usable),
        ("time per picture P50 单图耗时", seconds(whole.seconds_p50) + waiting),
        ("time per picture P95", seconds(whole.seconds_p95) + waiting),
    ]
    yield table(f"{told.run} against {told.gold.file}", ("figure", "value [95 % interval]"), rows)
    if whole.fields:
        fields = [(name, percent(one.accuracy), percent(one.f1)) for name, one in whole.fields.items()]
        yield table("Attributes 属性", ("field", "wholly right", "F1 of its labels"), fields)
    for name, classes in told.categories.items():
        yield _class_table(name, classes)
    if whole.texts:
        yield _text_table(told)
    if told.groups:
        groups = [
            (name, str(one.num), percent(one.attributes), seconds(one.seconds_p50), seconds(one.seconds_p95))
            for name, one in told.groups.items()
        ]
        yield table("By group 分组", ("group", "pictures", "attribute accuracy", "P50", "P95"), groups)


def _class_table(name: str, classes: Classes) -> Table:
    rows = [
        (one, percent(recall), percent(classes.precision[one]), _taken_for(classes, one))
        for one, recall in classes.recall.items()
    ]
    rows.append(("mean of the classes", percent(classes.macro_recall), "", ""))
    return table(f"Classes of {name} 类别召回", ("class", "recall", "precision", "taken for"), rows)


def _taken_for(classes: Classes, name: str) -> str:
    return ", ".join(f"{got} ×{num}" for got, num in classes.confusion[name].items() if got != name)


def _text_table(told: Evaluation) -> Table:
    sections = {"all": told.overall, **told.groups}
    rows = [
        (name, group, percent(one.bleu4), percent(one.chrf), percent(one.consistency), str(one.num_contradictory))
        for group, section in sections.items()
        for name, one in section.texts.items()
    ]
    return table("Texts 文案", ("field", "group", "BLEU-4", "chrF", "same meaning", "contradictory"), rows)
