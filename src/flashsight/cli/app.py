"""The tree of commands, and what an error looks like to whoever typed one. Does no work itself."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flashsight import __version__
from flashsight.cli.ask import ask
from flashsight.cli.background import logs, status, stop
from flashsight.cli.batch import batch
from flashsight.cli.bench import bench
from flashsight.cli.bench_batch import bench_batch
from flashsight.cli.claims import claims
from flashsight.cli.compare import compare
from flashsight.cli.demo import demo
from flashsight.cli.doctor import doctor
from flashsight.cli.doubt import doubt
from flashsight.cli.evaluate import evaluate
from flashsight.cli.presets import presets
from flashsight.cli.ratings import ratings
from flashsight.cli.reference import reference
from flashsight.cli.report import report
from flashsight.cli.selftest import selftest
from flashsight.cli.serve import serve
from flashsight.cli.settings import config
from flashsight.cli.terminal import EXIT_INTERRUPTED, exit_status, show_error
from flashsight.cli.workbench import workbench
from flashsight.core.errors import FlashSightError

app = typer.Typer(
    name="flashsight",
    epilog="Exit status: 0 done · 1 failed · 2 wrong use or setting · 3 refused · 4 server not reachable · 130 Ctrl-C",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def version() -> None:
    """Print the version. 显示版本。

    \b
    flashsight version
    """
    print(__version__)


def _version_and_out(is_wanted: bool) -> None:
    if is_wanted:
        version()
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", help="print the version 显示版本", is_eager=True, callback=_version_and_out)
    ] = False,
) -> None:
    """A vision-language model behind a page, an API and this command line. 看图问答:网页、接口、命令行,全离线。"""


app.command()(serve)
app.command()(ask)
app.command()(batch)
app.command()(presets)
app.command()(doctor)
app.command()(config)
app.command()(status)
app.command()(stop)
app.command()(logs)
app.command()(evaluate)
app.command()(compare)
app.command()(claims)
app.command()(report)
app.command()(selftest)
app.command()(doubt)
app.command()(workbench)
app.command()(ratings)
bench.command("batch")(bench_batch)
app.add_typer(bench)
app.add_typer(demo)
app.command(hidden=True)(reference)


def run() -> None:
    """Run the command that the process was started with."""
    try:
        app()
    except FlashSightError as error:
        show_error(error)
        sys.exit(exit_status(error))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
