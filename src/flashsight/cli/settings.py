"""`flashsight config`: the effective settings and where each came from."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flashsight.cli.options import takes_settings
from flashsight.core.settings import MASK, SECRETS, SETTINGS, Effective


@takes_settings(*SETTINGS)
def config(
    *,
    effective: Effective,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Show the effective settings and where each came from; secrets are masked. 显示生效的设置及其来源。

    A flag wins over FLASHSIGHT_<NAME>, that over flashsight.toml, that over the default.

    \b
    flashsight config
    flashsight config --port 9000 --json
    """
    if as_json:
        print(json.dumps(_described(effective), indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting 设置", "value 值", "from 来源"):
        table.add_column(heading, overflow="fold")
    for name in SETTINGS:
        style = "" if effective.origins[name] == "default" else "bold cyan"
        table.add_row(name, effective.shown(name), effective.origins[name], style=style)
    Console(highlight=False).print(table)


def _described(effective: Effective) -> dict[str, object]:
    values = effective.settings.model_dump(mode="json")
    for name in SECRETS:
        values[name] = [MASK for _ in values[name]]
    return {name: {"value": values[name], "from": effective.origins[name]} for name in SETTINGS}
