"""`flashsight doctor`: what is there, what is missing, what would fit."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flashsight.cli.options import takes_settings
from flashsight.cli.terminal import EXIT_FAILED
from flashsight.core.settings import SETTINGS, Effective

if TYPE_CHECKING:
    from flashsight.engine.device import DeviceMemory
    from flashsight.launcher.doctor import Finding
    from flashsight.launcher.fit import Fit

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@takes_settings(*SETTINGS)
def doctor(
    *,
    effective: Effective,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Check GPU, memory, disk, port and model files; say what would fit. 体检:显卡、内存、磁盘、端口、模型文件。

    Exit status 0: nothing stands in the way; 1: something does, and its fix is printed.

    \b
    flashsight doctor
    flashsight doctor --model-path ~/models/GLM-4.6V-Flash --json
    """
    from flashsight.launcher.doctor import examine
    from flashsight.launcher.fit import fits

    config = effective.config
    findings: list[Finding] = []
    for finding in examine(config):
        findings.append(finding)
        if not as_json:
            _show(finding)
    memory, rows = fits(config)
    if as_json:
        described = {"findings": [asdict(finding) for finding in findings], "device": asdict(memory)}
        print(json.dumps(described | {"fits": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False))
    else:
        _show_fits(memory, rows)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _show(finding: Finding) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((f"{finding.verdict:5}", _STYLES[finding.verdict]), f"{finding.check:8}{finding.text}"))
    for fix in (finding.fix, finding.fix_zh):
        if fix:
            console.print(Text(f"             {fix}", style="cyan"))


def _show_fits(memory: DeviceMemory, rows: list[Fit]) -> None:
    console = Console(highlight=False)
    console.print(f"\nWhat would fit on {memory.name} ({memory.free_bytes / 2**30:.1f} GiB free) 能装下什么:")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model 模型", "precision 精度", "weights 权重", "1024-px requests at once 同时请求"):
        table.add_column(heading)
    for row in rows:
        fit = "does not fit 装不下" if row.requests is None else str(row.requests)
        table.add_row(row.model, row.precision, f"{row.weight_bytes / 2**30:.2f} GiB", fit)
    console.print(table)
    console.print("int8 and int4 are sizes to plan with; this version computes in 16 or 32 bits.", style="dim")
