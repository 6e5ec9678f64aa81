"""`flashsight serve`: the page and the API, here or in the background."""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from flashsight.cli.options import takes_settings
from flashsight.cli.terminal import to_stderr
from flashsight.core.settings import SETTINGS, Effective
from flashsight.core.telemetry import configure_logging, get_log

if TYPE_CHECKING:
    from flashsight.launcher.build import LocalParts


@takes_settings(*SETTINGS)
def serve(
    *,
    effective: Effective,
    background: Annotated[bool, typer.Option("--background", help="start, wait until ready, return")] = False,
    listen_fd: Annotated[int | None, typer.Option("--listen-fd", hidden=True)] = None,
    numbered: Annotated[bool, typer.Option("--numbered", hidden=True)] = False,
) -> None:
    """Start the page and the OpenAI-compatible API. 启动网页和接口服务。

    It listens at once and says on /health how far the model is; Ctrl-C finishes what is under way and ends.

    \b
    flashsight serve
    flashsight serve --model-path ~/models/GLM-4.6V-Flash --port 9000
    flashsight serve --host 0.0.0.0 (others reach it: an API key is made and printed)
    flashsight serve --background, then: flashsight status | logs | stop
    """
    if background:
        _start_in_background(effective, numbered=numbered)
        return
    configure_logging(format=effective.settings.log_format, level=effective.settings.log_level)
    from flashsight.launcher.address import listen, reachable_urls, with_key
    from flashsight.launcher.run import run_service

    server, key = with_key(effective.config.server)
    listening = socket.socket(fileno=listen_fd) if listen_fd is not None else listen(server.host, server.port)
    urls = reachable_urls(server.host, int(listening.getsockname()[1]))
    get_log(__name__).info("listening", addresses=urls)
    watcher = _Terminal(urls, key) if sys.stderr.isatty() else _Log()
    if key is not None and not sys.stderr.isatty():
        show_key(key)
    run_service(replace(effective.config, server=server), listening, watcher)


class _Terminal:
    """Tells a person at the terminal, who has the log in front of them too."""

    def __init__(self, urls: list[str], key: str | None) -> None:
        self._urls, self._key = urls, key

    def entered(self, phase: str, seconds: float) -> None:
        """The log says it."""

    def opened(self, parts: LocalParts, seconds: float) -> None:
        say = to_stderr()
        say.print(Text(f"ready in {seconds:.1f} s 就绪", style="bold green"))
        for what, how_much in parts.plan.as_table():
            say.print(f"  {what:16} {how_much}")
        show_addresses(self._urls, self._key)


class _Log:
    """Nobody watches: the log is all there is to say."""

    def entered(self, phase: str, seconds: float) -> None:
        """The log says it."""

    def opened(self, parts: LocalParts, seconds: float) -> None:
        """The log says it."""


def show_addresses(urls: list[str] | tuple[str, ...], key: str | None) -> None:
    """Print where to look, and the key if one was made."""
    say = to_stderr()
    for url in urls:
        say.print(f"  page 网页 {url}/    API 接口 {url}/v1", style="bold")
    if key is not None:
        show_key(key)


def show_key(key: str) -> None:
    """Print the key that was made: the only place where it is told."""
    reason = "others reach this address 其他机器可访问; --open asks for none 不需要密钥"
    to_stderr().print(f"  API key 密钥 {key}   ({reason})")


def _start_in_background(effective: Effective, *, numbered: bool) -> None:
    from flashsight.launcher.background import phases, start, state_folder

    say = to_stderr()
    began_at = time.monotonic()
    started = start(effective, state_folder())
    if not started.is_new:
        say.print(
            f"already running 已在运行 (pid {started.record.pid}); stop it first to change settings 先停止再改设置"
        )
    step = _Steps(numbered=numbered)
    for phase in phases(started.record):
        step.entered(phase)
    step.ended()
    say.print(
        Text(f"ready in {time.monotonic() - began_at:.1f} s 就绪", style="bold green"),
        f" (pid {started.record.pid}, log 日志 {started.record.log})",
    )
    show_addresses(started.record.urls, started.key)


class _Steps:
    """The last two of the five start steps: the model's files, then the service; each with its seconds."""

    _FILES = ("starting", "loading libraries", "checking the model's files")

    def __init__(self, *, numbered: bool) -> None:
        self._numbered = numbered
        self._title = ""
        self._began_at = time.monotonic()

    def entered(self, phase: str) -> None:
        title = "4/5 model files 模型文件" if phase in self._FILES else "5/5 service 启动服务"
        if title != self._title:
            self.ended()
            self._title, self._began_at = title, time.monotonic()

    def ended(self) -> None:
        if self._title:
            number, _, words = self._title.partition(" ")
            seconds = time.monotonic() - self._began_at
            to_stderr().print(f"{f'[{number}] ' if self._numbered else ''}{words}: ok ({seconds:.1f} s)")
