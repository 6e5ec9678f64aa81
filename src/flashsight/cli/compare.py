"""`flashsight compare`: two rounds over the same pictures, what was fixed and what was broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flashsight.cli.evaluate import AsJson, RulesFile, RunFolder, SheetName
from flashsight.cli.figures import SHOWN, as_json, listed, table, to_stdout
from flashsight.cli.terminal import to_stderr

if TYPE_CHECKING:
    from rich.table import Table

    from flashsight.workbench.compare import Comparison, PictureChange
    from flashsight.workbench.statistics import Change

OptionalGold = Annotated[
    Path | None, typer.Option("--gold", metavar="FILE", help="what is right; without it: what changed")
]


def compare(
    first: RunFolder,
    second: RunFolder,
    gold: OptionalGold = None,
    sheet: SheetName = None,
    rules: RulesFile = None,
    every: Annotated[bool, typer.Option("--all", help="list every picture that turned, not only the first")] = False,
    json: AsJson = False,
) -> None:
    """Compare two runs over the same pictures: fixed, broken, same, and whether chance alone does that. 对比两轮结果。

    Without a gold table it lists what changed. Needs the extra: pip install 'flashsight[workbench]'.

    \b
    flashsight compare ./run1 ./run2 --gold gold.xlsx
    flashsight compare ./run1 ./run2 --all
    flashsight compare ./run1 ./run2 --gold gold.xlsx --json
    """
    from flashsight.workbench.compare import compare as side_by_side
    from flashsight.workbench.evaluate import columns_of
    from flashsight.workbench.gold import read_gold
    from flashsight.workbench.records import open_run
    from flashsight.workbench.rules import read_rules

    known = read_rules(rules)
    before, after = open_run(first), open_run(second)
    right = read_gold(gold, columns_of(before.manifest), known, sheet=sheet) if gold is not None else None
    to_stderr().print(f"comparing {before.manifest.num_cases} answers 正在对比", style="dim")
    told = side_by_side(before, after, known, right)
    if json:
        print(as_json(told.as_dict()))
        return
    for line in _unmatched(told):
        to_stderr().print(escape(line), style="yellow")
    console = to_stdout()
    for drawn in _tables(told, None if every else SHOWN):
        console.print(drawn)
        console.print()
    if not _turned(told):
        console.print(f"none of {len(told.pictures)} pictures turned 没有图片变化")


def _unmatched(told: Comparison) -> Iterator[str]:
    for run, ids in zip(told.runs, told.only, strict=True):
        if ids:
            yield f"pictures only in {run} 仅在此运行中: {listed(ids)}"
    if told.pairing is not None and told.pairing.run_only:
        yield f"pictures without gold 金标里没有的图片: {listed(told.pairing.run_only)}"


def _tables(told: Comparison, most: int | None) -> Iterator[Table]:
    if told.prompt_diff:
        yield table("Prompt 提示词", ("difference",), [(line,) for line in told.prompt_diff])
    if told.settings:
        settings = [(name, old, new) for name, (old, new) in told.settings.items()]
        yield table("Settings 设置", ("setting", *told.runs), settings)
    if told.fields:
        fields = [(name, *_counts(one), _verdict(one)) for name, one in told.fields.items()]
        yield table("Fields 字段", ("field", "fixed 修复", "broken 变差", "same 不变", "verdict"), fields)
    if not (turned := _turned(told)):
        return
    rows = [_picture_row(one) for one in turned[:most]]
    rest = f", the first {most} (--all lists them all)" if most is not None and len(turned) > most else ""
    yield table(f"{len(turned)} of {len(told.pictures)} pictures turned{rest}", ("picture", "", "what"), rows)


def _turned(told: Comparison) -> list[PictureChange]:
    return [one for one in told.pictures if one.state != "same"]


def _counts(one: Change) -> tuple[str, str, str]:
    return str(one.num_fixed), str(one.num_broken), str(one.num_same)


def _verdict(one: Change) -> str:
    """McNemar's exact test in words."""
    told = f"p = {one.p_value:.3g}"
    if not one.is_real:
        return f"{told}: may be chance 可能是偶然"
    return f"{told}: better 变好" if one.num_fixed > one.num_broken else f"{told}: worse 变差"


def _picture_row(one: PictureChange) -> tuple[str, str, str]:
    said = [
        f"{name}: {old} → {new}" + (f" (right: {right})" if right is not None else "")
        for name, (old, new, right) in one.values.items()
    ]
    return one.id, one.state, "\n".join(said)
