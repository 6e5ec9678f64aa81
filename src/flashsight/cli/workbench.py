"""`flashsight workbench`: the page on which people rate a run, or compare two without knowing which is which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from flashsight.cli.evaluate import RulesFile, RunFolder
from flashsight.cli.options import takes_settings
from flashsight.cli.terminal import to_stderr
from flashsight.core.settings import Effective
from flashsight.core.telemetry import configure_logging

Second = Annotated[Path | None, typer.Argument(metavar="[RUN2]", help="another run of the same pictures: blind A/B")]


@takes_settings("host", "port", "open", "api_key")
def workbench(*, effective: Effective, run: RunFolder, second: Second = None, rules: RulesFile = None) -> None:
    """Rate the answers of a run in the browser, or two runs blindly side by side. 网页评分、双盲对比。

    Ratings are kept in RUN/ratings.sqlite; several people may rate at once. No model is loaded. Ctrl-C ends it.

    \b
    flashsight workbench ./run1
    flashsight workbench ./run1 ./run2 --port 8090
    flashsight workbench ./run1 --host 0.0.0.0 (colleagues reach it: a key is made and printed)
    """
    configure_logging(format=effective.settings.log_format, level="WARNING")
    from flashsight.launcher.address import listen, reachable_urls, with_key
    from flashsight.launcher.workbench import open_panel, serve_workbench

    panel = open_panel(run, second, rules)
    server, key = with_key(effective.config.server)
    listening = listen(server.host, server.port)
    say = to_stderr()
    for url in reachable_urls(server.host, int(listening.getsockname()[1])):
        say.print(f"  rate here 在此评分 {url}/workbench" + (f"#key={key}" if key is not None else ""), style="bold")
    serve_workbench(replace(effective.config, server=server), panel, listening)
