"""`flashsight report`: runs and a gold table as one page that people decide on, and as Excel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flashsight.cli.claims import WordsFile
from flashsight.cli.evaluate import Gold, RulesFile, Seed, SheetName, ratings_for
from flashsight.cli.terminal import to_stderr
from flashsight.core.errors import ConfigError
from flashsight.presets import Language


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="rounds in their order; the last one is judged")],
    gold: Gold,
    out: Annotated[Path, typer.Option(metavar="FILE", help="the page: one .html file with everything inside")],
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="the same figures as Excel")] = None,
    sheet: SheetName = None,
    rules: RulesFile = None,
    words: WordsFile = None,
    ratings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="table of ratings; default: those given on the page")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="attributes, recall, usable, valid (shares) or seconds; give it again"),
    ] = None,
    hand_seconds: Annotated[float | None, typer.Option(min=0.1, help="seconds a picture takes by hand")] = None,
    hourly_cost: Annotated[float | None, typer.Option(min=0.0, help="what an hour of labour costs")] = None,
    currency: Annotated[str, typer.Option(help="of that cost")] = "¥",
    check_seconds: Annotated[float, typer.Option(min=0.0, help="seconds to check one answer")] = 15.0,
    monthly: Annotated[int, typer.Option(min=1, help="pictures a month")] = 10_000,
    language: Annotated[Language, typer.Option(help="of the report")] = "zh",
    seed: Seed = 0,
) -> None:
    """Write the report of a proof of concept: verdicts, examples, rounds, savings, limits. 概念验证报告,一个网页文件。

    A target is met only where its whole interval reaches it. Needs the extra: pip install 'flashsight[workbench]'.

    \b
    flashsight report runs/first runs/second --gold gold.xlsx --out report.html --xlsx report.xlsx
    flashsight report runs/second --gold gold.xlsx --ratings ratings.csv --out report.html --language en
    flashsight report runs/second --gold gold.xlsx --out report.html --target attributes=85% --target seconds=2
    flashsight report runs/second --gold gold.xlsx --out report.html --hand-seconds 180 --hourly-cost 60
    """
    from flashsight.workbench.claims import read_word_rules
    from flashsight.workbench.report import Wishes
    from flashsight.workbench.savings import labour_of
    from flashsight.workbench.verdicts import read_goals

    _check_names(out, xlsx)
    labour = labour_of(hand_seconds, hourly_cost, currency, check_seconds, monthly)
    goals, law = read_goals(target or ()), read_word_rules(words)
    wishes = Wishes(language=language, goals=goals, labour=labour, law=law, seed=seed)
    _write(runs, gold, sheet, rules, ratings, wishes, out, xlsx)
    print(out)


def _check_names(out: Path, xlsx: Path | None) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out} must end in .html; --xlsx is for Excel")
    if xlsx is not None and xlsx.suffix.lower() != ".xlsx":
        raise ConfigError(f"--xlsx {xlsx} must end in .xlsx")
    for file in (out, xlsx):
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"there is no folder {file.absolute().parent}; make it first")


def _write(
    runs: list[Path],
    gold: Path,
    sheet: str | None,
    rules: Path | None,
    ratings: Path | None,
    wishes: object,
    out: Path,
    xlsx: Path | None,
) -> None:
    from flashsight.workbench.evaluate import columns_of
    from flashsight.workbench.gold import read_gold
    from flashsight.workbench.records import open_run
    from flashsight.workbench.report import Wishes, make_report
    from flashsight.workbench.report_book import write_book
    from flashsight.workbench.report_page import page_of
    from flashsight.workbench.rules import read_rules
    from flashsight.workbench.whole import write_whole

    assert isinstance(wishes, Wishes)
    known = read_rules(rules)
    opened = [open_run(run) for run in runs]
    for run in opened:
        if not run.is_complete:
            to_stderr().print(f"{run.folder} is not complete: only what has ended is judged 未完成", style="yellow")
    right = read_gold(gold, columns_of(opened[-1].manifest), known, sheet=sheet)
    said = ratings_for(opened[-1], ratings, known)
    to_stderr().print("judging 正在评测", style="dim")
    made = make_report(opened, right, known, said, wishes)
    write_whole(out, [page_of(made)])
    if xlsx is not None:
        write_book(made, xlsx)
        to_stderr().print(str(xlsx), style="dim")
