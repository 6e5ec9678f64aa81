"""`flashsight ask`: pictures and a question in, the answer on standard output as it is written."""

from __future__ import annotations

import ipaddress
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import settings_of, takes_settings
from flashsight.cli.scene import scene_of
from flashsight.cli.terminal import to_stderr
from flashsight.core.errors import ConfigError
from flashsight.core.settings import Effective, feeds
from flashsight.core.telemetry import configure_logging
from flashsight.core.types import ChatRequest, Detail, Finish, ReasoningDelta, TextDelta, Usage
from flashsight.presets import Language

if TYPE_CHECKING:
    from flashsight.cli.answers import Ask

_HERE = tuple(name for name in settings_of("model", "engine", "media", None) if name != "log_format")
_ALSO_REMOTE = frozenset({"served_name", "max_picture_size", "api_key", "offline", "log_level"})


@takes_settings(*_HERE, "api_key", "presets_folder")
def ask(
    *,
    effective: Effective,
    words: Annotated[
        list[str], typer.Argument(metavar="PICTURE... [QUESTION]", help="pictures, then the question; - reads stdin")
    ],
    url: Annotated[str | None, typer.Option(help="ask this running server instead of loading the model here")] = None,
    preset: Annotated[str | None, typer.Option(help="a scene: its prompt, schema and sampling; see presets")] = None,
    language: Annotated[Language | None, typer.Option(help="of the preset's prompt (default: zh)")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="longest answer, in tokens (default: 512)")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="0: the likeliest words every time (default: 0)")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="draw the same words again")] = None,
    json_schema: Annotated[Path | None, typer.Option(help="file with a JSON schema that the answer fits")] = None,
    detail: Annotated[
        Detail, typer.Option(help="of every picture; high: large ones in tiles too, low: all small")
    ] = "auto",
    thinking: Annotated[bool, typer.Option("--thinking", help="let the model think first; shown dimmed")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="end with where the time went")] = False,
) -> None:
    """Ask about pictures; the answer streams to the terminal. 对图片提问,答案逐字输出。

    Without a question the picture is described. The model is loaded here unless --url names a running server.

    \b
    flashsight ask cup.jpg "这个杯子是什么材质?"
    flashsight ask old.png new.png "有什么不同?"
    flashsight ask cup.jpg --json-schema product.json
    flashsight ask --preset ticket screenshot.png
    flashsight ask page.png "抄下正文" --detail high
    cat cup.jpg | flashsight ask - --stats
    flashsight ask cup.jpg --url http://127.0.0.1:8080
    """
    refuse_pointless(effective, url)
    level = effective.settings.log_level if effective.origins["log_level"] != "default" else "warning"
    configure_logging(format="human", level=level)
    config = effective.config
    scene = scene_of(preset, language, config.server.presets_folder)
    request = ChatRequest(
        model=config.model.served_name,
        messages=scene.messages(words, max_bytes=config.media.max_bytes, detail=detail),
        sampling=scene.sampling(temperature=temperature, seed=seed, max_tokens=max_tokens, schema=json_schema),
        thinking=thinking,
    )
    with _answers(effective, url) as answer:
        run_until_interrupted(_print_answer(answer, request, wants_stats=stats))


def refuse_pointless(effective: Effective, url: str | None, *, used_here: frozenset[str] = frozenset()) -> None:
    """Raise ConfigError for a bad --url and for flags that play no part. used_here: settings that do."""
    if url is None:
        if effective.origins["api_key"] == "--api-key":
            raise ConfigError("--api-key is for a running server; add --url, or leave it out", param="api_key")
        return
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme not in ("http", "https") or not host:
        raise ConfigError(f"--url must be like http://127.0.0.1:8080, got {url!r}", param="url")
    if effective.settings.offline and not _is_here(host):
        raise ConfigError("--url leads away from this machine, which offline forbids; drop one of them", param="url")
    for name in _HERE:
        if name not in _ALSO_REMOTE | used_here and effective.origins[name].startswith("--"):
            section = feeds(name).section or "process"
            raise ConfigError(
                f"{effective.origins[name]} steers the {section} of this process, but --url asks another; drop one",
                param=name,
            )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _answers(effective: Effective, url: str | None) -> Iterator[Ask]:
    from flashsight.cli.answers import local_answers, remote_answers

    if url is not None:
        keys = effective.settings.api_key
        yield remote_answers(url, keys[0] if keys else None)
        return
    with ExitStack() as stack:
        with to_stderr().status("…") as spinner:
            answer = stack.enter_context(local_answers(effective.config, spinner.update))
        yield answer


async def _print_answer(answer: Ask, request: ChatRequest, *, wants_stats: bool) -> None:
    began_at = time.perf_counter()
    first_at: float | None = None
    usage: Usage | None = None
    finish: Finish | None = None
    async with aclosing(answer(request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta | ReasoningDelta):
                first_at = first_at or time.perf_counter()
                _write(delta)
            elif isinstance(delta, Finish):
                finish = delta
            elif isinstance(delta, Usage):
                usage = delta
    print()
    if finish is not None and finish.reason == "length":
        to_stderr().print(
            f"cut at {request.sampling.max_tokens} tokens; raise --max-tokens 达到长度上限", style="yellow"
        )
    if wants_stats and usage is not None:
        to_stderr().print(_waterfall(usage, began_at, first_at or time.perf_counter()), style="dim")


def _write(delta: TextDelta | ReasoningDelta) -> None:
    if isinstance(delta, TextDelta):
        sys.stdout.write(delta.text)
        sys.stdout.flush()
    else:
        to_stderr().print(delta.text, style="dim", end="")


def _waterfall(usage: Usage, began_at: float, first_at: float) -> str:
    ended_at, spent = time.perf_counter(), usage.timings
    stages = (("decode", spent.decode_seconds), ("encode", spent.encode_seconds), ("prefill", spent.prefill_seconds))
    pieces = [f"{name} {seconds * 1e3:.0f} ms" for name, seconds in stages]
    pieces.append(f"first {(first_at - began_at) * 1e3:.0f} ms")
    if usage.completion_tokens > 1 and ended_at > first_at:
        pieces.append(f"{(usage.completion_tokens - 1) / (ended_at - first_at):.0f} tok/s")
    pieces.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens, {usage.picture_tokens} of pictures")
    if any(usage.picture_tiles):
        pieces.append(f"{sum(usage.picture_tiles)} tiles")
    pieces.append(f"{usage.cached_tokens} cached, picture from {usage.picture_level}")
    return " · ".join(pieces)
