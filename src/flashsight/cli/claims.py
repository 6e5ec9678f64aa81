"""`flashsight claims`: what a person should look at in the copy of a run, as a table or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flashsight.cli.evaluate import AsJson, RulesFile, RunFolder, SheetName
from flashsight.cli.figures import as_json, table, to_stdout

WordsFile = Annotated[Path | None, typer.Option(metavar="FILE", help="TOML: more rules of forbidden words")]


def claims(
    run: RunFolder,
    words: WordsFile = None,
    rules: RulesFile = None,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="gold table: what it states of a picture backs a claim too")
    ] = None,
    sheet: SheetName = None,
    json: AsJson = False,
) -> None:
    """Find advertising-law words and claims that no attribute backs in the copy of a run. 检查文案用词与依据。

    A help to look, no legal advice. The tables are described in docs/workbench.md.

    \b
    flashsight claims ./run1
    flashsight claims ./run1 --gold gold.xlsx
    flashsight claims ./run1 --words my-words.toml --json
    """
    from flashsight.workbench.claims import findings, read_word_rules
    from flashsight.workbench.evaluate import columns_of
    from flashsight.workbench.gold import read_gold
    from flashsight.workbench.records import open_run
    from flashsight.workbench.rules import read_rules

    known, opened = read_rules(rules), open_run(run)
    seen = read_gold(gold, columns_of(opened.manifest), known, sheet=sheet) if gold is not None else None
    found = list(findings(opened, known, read_word_rules(words), seen))
    if json:
        print(as_json({"run": str(run), "findings": [one.as_dict() for one in found]}))
        return
    rows = [
        (one.id, one.reason, one.words, one.paragraph or "no attribute says so 属性未提及", one.suggestion)
        for one in found
    ]
    pictures = len({one.id for one in found})
    title = f"{len(found)} findings in {pictures} pictures"
    to_stdout().print(table(title, ("picture", "reason", "words", "because", "suggestion"), rows))
