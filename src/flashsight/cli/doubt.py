"""`flashsight doubt`: which answers a person should look at first, and what that is worth on a gold table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flashsight.cli.evaluate import AsJson, RulesFile, RunFolder, Seed, SheetName
from flashsight.cli.figures import TOO_FEW, as_json, percent, table, to_stdout
from flashsight.cli.terminal import to_stderr
from flashsight.core.errors import ConfigError

if TYPE_CHECKING:
    from flashsight.workbench.records import Run
    from flashsight.workbench.review import Review
    from flashsight.workbench.rules import Rules

SHOWN = 20


def doubt(
    run: RunFolder,
    gold: Annotated[Path | None, typer.Option(metavar="FILE", help="gold table: how far review by doubt gets")] = None,
    sheet: SheetName = None,
    rules: RulesFile = None,
    target: Annotated[float, typer.Option(help="attribute accuracy to reach by review")] = 0.98,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="draw the curve there, as SVG")] = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """List the most doubtful answers of a run; with a gold table, how much review reaches a target. 按不确定度复核。

    Needs a run with a schema. The figures are defined in docs/workbench.md.

    \b
    flashsight doubt ./run1
    flashsight doubt ./run1 --gold gold.xlsx --target 0.98 --svg review.svg
    """
    from flashsight.workbench.records import RunError, open_run
    from flashsight.workbench.review import by_doubt, doubts_of
    from flashsight.workbench.rules import read_rules

    if not 0 < target <= 1:
        raise ConfigError(f"target must lie in (0, 1], got {target}", param="target")
    if gold is None and svg is not None:
        raise ConfigError("the curve is counted on a gold table; add --gold FILE, or leave --svg out", param="svg")
    known, opened = read_rules(rules), open_run(run)
    doubts = doubts_of(opened, known)
    if not doubts:
        raise RunError(
            f"{run} kept no margins: it asked for no schema, its server told no probabilities, or it is of an earlier "
            "version; run `flashsight batch` with --schema anew"
        )
    if gold is not None:
        _show(_review(opened, known, doubts, gold, sheet, target, seed), svg, json=json)
        return
    order = [(one.id, doubts[one.id]) for one in by_doubt(list(opened.results()), doubts) if one.id in doubts]
    if json:
        print(as_json({"run": str(run), "doubts": [{"id": one, "doubt": round(of, 4)} for one, of in order]}))
        return
    rows = [(one, "no answer 无回答" if of > 1.5 else f"{of:.2f}") for one, of in order[:SHOWN]]
    to_stdout().print(table("the most doubtful first 最不确定的在前", ("picture", "doubt"), rows))


def _review(
    run: Run, rules: Rules, doubts: dict[str, float], gold: Path, sheet: str | None, target: float, seed: int
) -> Review:
    from flashsight.workbench.evaluate import columns_of, judged_cases, paths_of
    from flashsight.workbench.gold import pair, read_gold
    from flashsight.workbench.review import review

    results = {result.id: result for result in run.results()}
    pairing = pair(read_gold(gold, columns_of(run.manifest), rules, sheet=sheet), paths_of(results))
    return review(run, judged_cases(run, results, pairing, rules), doubts, target=target, seed=seed)


def _show(told: Review, svg: Path | None, *, json: bool) -> None:
    from flashsight.workbench.charts import as_percent

    if svg is not None:
        _draw(told, svg)
    if json:
        print(as_json(told.as_dict()))
        return
    needed = told.needed
    assert needed.value is not None, "a review is of at least one picture"
    where = f"[{needed.low:.0%}, {needed.high:.0%}]"
    if not needed.value and not needed.high:
        where = "reached without any 不复核已达到"
    elif needed.is_too_few:
        where = f"{where}: {TOO_FEW}"
    rows = [
        ("pictures with gold and margin 图片数", str(told.num)),
        ("attribute accuracy without review 不复核的准确率", percent(told.accuracy)),
        (f"review to reach {as_percent(told.target)} 需复核", f"{needed.value:.0%} {where}"),
        ("the same in random order 随机复核", f"{told.in_random_order:.0%}"),
        ("probabilities 概率", told.distribution),
    ]
    console = to_stdout()
    console.print(table(f"Review by doubt of {told.run} 按不确定度复核", ("figure", "value [95 % interval]"), rows))
    if not told.is_order_of_use and told.in_random_order > 0:
        words = "the order by doubt is not surely better than none here 按不确定度排序未必优于随机"
        console.print(words, style="yellow")


def _draw(told: Review, file: Path) -> None:
    from flashsight.workbench.charts import as_percent
    from flashsight.workbench.whole import write_whole

    drawn = told.chart(
        title=f"Review {told.needed.value:.0%} to reach {as_percent(told.target)} 复核曲线",
        x_label="pictures reviewed 复核的图片",
        y_label="fields right 正确字段",
        names=("by doubt 按不确定度 (95 %)", "in random order 随机"),
    )
    write_whole(file, [drawn])
    to_stderr().print(escape(f"drawn in {file}"), style="dim")
