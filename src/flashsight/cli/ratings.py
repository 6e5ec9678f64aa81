"""`flashsight ratings`: what people said of a run, how far they agree, and the table of it all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flashsight.cli.evaluate import AsJson, RunFolder, Seed
from flashsight.cli.figures import TOO_FEW, as_json, percent, table, to_stdout
from flashsight.cli.terminal import to_stderr

if TYPE_CHECKING:
    from flashsight.workbench.preference import Preference
    from flashsight.workbench.rating_table import RatingSummary
    from flashsight.workbench.records import Run
    from flashsight.workbench.statistics import Figure


def ratings(
    run: RunFolder,
    second: Annotated[
        Path | None, typer.Argument(metavar="[RUN2]", help="the run that it was blindly compared with")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write the ratings there: .csv or .xlsx")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="with --out: every change, not only what holds now")
    ] = False,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Tell what people said of a run on the page, how far they agree, and write it as a table. 查看、导出评分。

    With two runs, tell which one people preferred without knowing which was which.

    \b
    flashsight ratings ./run1
    flashsight ratings ./run1 --out ratings.xlsx --history
    flashsight ratings ./run1 ./run2
    """
    from flashsight.core.errors import ConfigError
    from flashsight.workbench.rating_table import summarise, write_ratings
    from flashsight.workbench.ratings import read_ratings, store_of
    from flashsight.workbench.records import open_run

    if history and out is None:
        raise ConfigError("--history says what --out writes; add --out FILE", param="history")
    opened = open_run(run)
    rows = read_ratings(opened)
    told = summarise(rows, seed=seed)
    preferred = _preferred(opened, open_run(second)) if second is not None else None
    if out is not None:
        write_ratings(store_of(opened).history() if history else rows, out, with_history=history)
        to_stderr().print(escape(f"written to {out} 已导出"), style="dim")
    if json:
        print(as_json({"run": str(run), **told.as_dict(), "preferred": preferred.as_dict() if preferred else None}))
        return
    if not rows and preferred is None:
        to_stderr().print(escape(f"nobody has rated {run} yet 还没有评分; start: flashsight workbench {run}"))
        return
    for name, lines in _tables(run, second, told, preferred):
        to_stdout().print(table(name, ("figure", "value [95 % interval]"), list(lines)))


def _preferred(first: Run, second: Run) -> Preference:
    from flashsight.workbench.preference import preference
    from flashsight.workbench.ratings import run_id, store_of

    return preference(store_of(first).choices(run_id(second)))


def _tables(
    run: Path, second: Path | None, told: RatingSummary, preferred: Preference | None
) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    if told.num_ratings:
        yield f"Ratings of {run} 评分", _said(told)
    if preferred is not None and second is not None:
        yield f"{run} and {second}, compared blindly 双盲对比", _compared(preferred, second)


def _said(told: RatingSummary) -> Iterator[tuple[str, str]]:
    from flashsight.workbench.rating_records import tag_name

    yield "items, raters, ratings 条目、评分人、评分", f"{told.num_items}, {told.num_raters}, {told.num_ratings}"
    yield "mean rating 1-5 平均分", _number(told.score)
    yield "Krippendorff's alpha, ordinal 一致性", f"{_number(told.alpha)}: {told.reliance}"
    if told.kappa is not None:
        yield "weighted kappa of the two raters", _number(told.kappa)
    if told.edits.num:
        yield "characters changed per corrected copy 平均改字数", _number(told.edits)
    for tag, num in told.tags:
        yield f"tag 标签 {tag_name(tag)}", f"{num} item{'s' * (num != 1)}"


def _compared(preferred: Preference, second: Path) -> Iterator[tuple[str, str]]:
    yield (
        "items, raters, choices 条目、评分人、选择",
        (f"{preferred.num_items}, {preferred.num_raters}, {preferred.num_choices}"),
    )
    yield "even 一样", str(preferred.num_even)
    yield f"prefer {second} 更喜欢后者", percent(preferred.second)
    verdict = {"first": "the first is better 前者更好", "second": "the second is better 后者更好"}
    undecided = TOO_FEW if preferred.second.is_too_few else "it may be chance 可能是偶然"
    yield "verdict 结论", verdict.get(preferred.winner or "", undecided)


def _number(figure: Figure) -> str:
    if figure.value is None:
        return "—"
    interval = "" if figure.low is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.2f}{interval} {figure.num} item{'s' * (figure.num != 1)}"
