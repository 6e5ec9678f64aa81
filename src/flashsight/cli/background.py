"""`flashsight status | stop | logs`: the service that runs in the background."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from flashsight.cli.terminal import EXIT_FAILED


def status(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Say whether the background service runs, where, and how far it is. 查看后台服务状态。

    Exit status 0: it runs; 1: it does not.

    \b
    flashsight status
    flashsight status --json
    """
    from flashsight.launcher.background import ask_health, running, state_folder

    record = running(state_folder())
    health = ask_health(record.url) if record is not None else None
    if as_json:
        described = None if record is None else {"pid": record.pid, "url": record.url, "log": record.log}
        print(json.dumps({"is_running": record is not None, "service": described, "health": health}))
    elif record is None:
        print("not running 未运行")
    else:
        state = f"{health['phase']} ({health['seconds']:.1f} s)" if health else "not answering 无响应"
        print(f"running 运行中: pid {record.pid}, {record.url}, {state}, log 日志 {record.log}")
    if record is None:
        raise typer.Exit(EXIT_FAILED)


def stop() -> None:
    """Stop the background service after the answers under way. 停止后台服务。

    Only the process that this folder's start made is stopped, never another one.

    \b
    flashsight stop
    """
    from flashsight.launcher import background

    record = background.stop(background.state_folder())
    print("not running 未运行" if record is None else f"stopped 已停止: pid {record.pid}")


def logs(
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="how many of the last lines")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on as lines are added; Ctrl-C ends")] = False,
) -> None:
    """Print the background service's log. 查看后台服务日志。

    \b
    flashsight logs
    flashsight logs -n 200
    flashsight logs -f
    """
    from flashsight.launcher.background import state_folder, tail

    log = state_folder() / "service.log"
    if not log.is_file():
        print(f"no log yet 还没有日志: {log}")
        raise typer.Exit(EXIT_FAILED)
    print(tail(log, lines))
    if follow:
        _follow(log)


def _follow(log: Path) -> None:
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(0.2)
