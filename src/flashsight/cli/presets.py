"""`flashsight presets`: the scenes that can be named, the package's and one's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flashsight.cli.options import takes_settings
from flashsight.core.settings import Effective
from flashsight.presets import load_presets


@takes_settings("presets_folder")
def presets(
    *,
    effective: Effective,
    as_json: Annotated[bool, typer.Option("--json", help="print all of each preset as JSON")] = False,
) -> None:
    """List the presets: scenes with prompt, schema and sampling. 列出预设场景。

    \b
    flashsight presets
    flashsight presets --presets-folder my-presets --json
    """
    known = load_presets(effective.config.server.presets_folder)
    if as_json:
        print(json.dumps([asdict(preset) for preset in known.values()], indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name 名称", "title 标题", "answer 回答", "what for 用途"):
        table.add_column(heading, overflow="fold")
    for preset in known.values():
        title, hint = (" · ".join(dict.fromkeys((words.zh, words.en))) for words in (preset.title, preset.hint))
        table.add_row(preset.name, title, "JSON" if preset.schema is not None else "text", hint)
    Console(highlight=False).print(table)
