"""`flashsight bench gpu | agree | soak | timeline`: the table of a GPU, its repeat, its load, and one request drawn."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flashsight.cli.ask import refuse_pointless
from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import settings_of, takes_settings
from flashsight.cli.parts import load_parts
from flashsight.cli.terminal import to_stderr
from flashsight.core.errors import ConfigError
from flashsight.core.settings import Effective, flag_of

if TYPE_CHECKING:
    from flashsight.bench.process import StartedService
    from flashsight.bench.suite import Outcome
    from flashsight.bench.wire import Wire

SETTINGS_OF_A_SERVICE = settings_of("model", "engine", "media")
STARTS = 3
"""Starts of one's own server that are timed: only the first may find nothing in the system's caches."""

Url = Annotated[str | None, typer.Option(metavar="URL", help="measure this server; default: start one of one's own")]
Settle = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="longest wait after the first answer until a GPU's kernels are ready"),
]
Log = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="add the started server's log to this file")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write what was measured to this file too")]


@takes_settings(*SETTINGS_OF_A_SERVICE, "api_key")
def gpu(
    *,
    effective: Effective,
    url: Url = None,
    rounds: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="questions of each client; default: 12 to 40, by the load")
    ] = None,
    starts: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help=f"starts of one's own server that are timed; default: {STARTS}"),
    ] = None,
    settle: Settle = 180.0,
    log_file: Log = None,
    json_file: Json = None,
) -> None:
    """Measure the whole table of a GPU over HTTP: first token, time per token, throughput, start. 显卡全表测速。

    Pictures that no cache has seen, one again and again, and uploaded ones; 64 greedy tokens, streamed; the marks and
    goals of one H200 stand beside the figures. Without --url a server is started with the settings given here, and its
    start is measured too, a few times: the first may read its files from a disk, where the others find them in memory.
    The loads then wait for a GPU's kernels, which are made ready when nobody asks. Each row is printed, and kept by
    --json, as soon as it is there.

    \b
    flashsight bench gpu --model-path glm-4.6v-flash --load-format dummy --json first.json
    flashsight bench gpu --url http://127.0.0.1:8000 --served-name a-model
    flashsight bench gpu --rounds 1
    """
    from flashsight.bench.suite import CASES, run_suite

    if url is not None and starts is not None:
        raise ConfigError("--starts is of servers that are started here; leave it out, or --url")

    async def measure() -> Outcome:
        start_seconds = []
        for _ in range(0 if url is not None else (starts or STARTS) - 1):
            async with _server(effective, url, log_file) as (wire, own):
                start_seconds += await _first_answer(wire, own)
        async with _server(effective, url, log_file) as (wire, own):
            start_seconds += await _first_answer(wire, own)
            if own is not None:
                await _until_quick(wire, settle)
            return await run_suite(
                wire,
                system=url or "flashsight",
                seed=_seed(),
                cases=[replace(case, rounds=rounds or case.rounds) for case in CASES],
                start_seconds=start_seconds,
                progress=_counting(),
                keep=_keeping(json_file),
            )

    _tell(run_until_interrupted(measure()))


def _keeping(json_file: Path | None) -> Callable[[Outcome], None]:
    """Show the row that came last, and keep all that is known."""

    def keep(outcome: Outcome) -> None:
        if outcome.rows:
            row = list(outcome.rows.values())[-1]
            rates = f"token {row.tpot_ms:.2f} ms, {row.answers_per_second:.1f}/s"
            _phase(f"{row.workload}: first {row.ttft_p50_ms:.1f} ms, {rates}")
        if json_file is not None:
            json_file.write_text(json.dumps(outcome.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    return keep


def _tell(outcome: Outcome) -> None:
    from flashsight.bench.verdict import about_steps, beside_marks

    print(beside_marks(outcome))
    print("\nGoals and marks: one H200, GLM-4.6V-Flash's dimensions, bfloat16, 64 tokens; ms unless said otherwise.")
    print(about_steps(outcome))
    failed = sum(row.num_failed for row in outcome.rows.values())
    if failed:
        to_stderr().print(f"{failed} requests failed; the figures leave them out", style="red")
    for name, message in outcome.failures.items():
        to_stderr().print(f"{name} could not be measured: {message}", style="red")


def agree(
    first: Annotated[Path, typer.Argument(help="what `bench gpu --json` wrote")],
    second: Annotated[Path, typer.Argument(help="the same, of another run")],
    *,
    within: Annotated[float, typer.Option(metavar="PERCENT", min=0, help="largest change that counts as equal")] = 5.0,
) -> None:
    """Compare two runs of `bench gpu` figure by figure; exit status 1 if one differs by more. 两次测速是否一致。

    \b
    flashsight bench agree first.json second.json
    flashsight bench agree before.json after.json --within 10
    """
    from flashsight.bench.suite import Outcome
    from flashsight.bench.verdict import agreements, side_by_side

    rows = agreements(*(Outcome.read(_text(path)) for path in (first, second)))
    print(side_by_side(rows, within=within / 100))
    if any(abs(row.change) > within / 100 for row in rows):
        raise typer.Exit(1)


@takes_settings(*SETTINGS_OF_A_SERVICE, "api_key")
def soak(
    *,
    effective: Effective,
    url: Url = None,
    requests: Annotated[int, typer.Option(metavar="N", min=1, help="requests, each with a picture of its own")] = 2000,
    clients: Annotated[int, typer.Option(metavar="N", min=1, help="requests at once")] = 100,
    size: Annotated[int, typer.Option(metavar="PIXELS", min=28, help="side of the square pictures")] = 1024,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="tokens of every answer")] = 64,
    settle: Settle = 180.0,
    log_file: Log = None,
    json_file: Json = None,
) -> None:
    """Ask more than there is room for; show that nothing fails and nothing stays. 满载与泄漏检查。

    Every request must be answered or refused with 429 and a time to come back. Prints the books before and after: KV
    blocks, picture cache, memory as the device counts it. Exit status 1 if a request failed or blocks stayed taken.

    \b
    flashsight bench soak --model-path glm-4.6v-flash --load-format dummy
    flashsight bench soak --url http://127.0.0.1:8080 --requests 200 --clients 20
    """
    from flashsight.bench.soak import soak as put_soak

    counting = _counting()

    async def measure() -> bool:
        async with _server(effective, url, log_file) as (wire, own):
            soaked = await put_soak(
                wire,
                num_requests=requests,
                num_clients=clients,
                size=size,
                num_tokens=tokens,
                seed=_seed(),
                progress=lambda done, total: counting("soak", done, total),
                quick_seconds=settle if own is not None else 0.0,
            )
        print(f"{soaked.num_answered} answered, {soaked.num_refused} refused with 429, {soaked.num_failed} failed")
        for message in sorted(set(soaked.failures))[:5]:
            print(f"  {message}")
        for name in sorted(soaked.before.keys() | soaked.after.keys()):
            before, after = soaked.before.get(name, 0), soaked.after.get(name, 0)
            print(f"{name:<24} {before:>16,.0f} {after:>16,.0f}")
        if json_file is not None:
            json_file.write_text(json.dumps(asdict(soaked), indent=2) + "\n", encoding="utf-8")
        return soaked.is_sound

    if not run_until_interrupted(measure()):
        raise typer.Exit(1)


@takes_settings(*SETTINGS_OF_A_SERVICE)
def timeline(
    out: Annotated[Path, typer.Argument(help="the SVG file to write")],
    *,
    effective: Effective,
    size: Annotated[int, typer.Option(metavar="PIXELS", min=28, help="side of the square picture")] = 512,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="tokens of the answer")] = 16,
    settle: Settle = 180.0,
) -> None:
    """Draw one request from the engine's own events: decode, encode, prefill, steps. 单个请求的时间线。

    The model is loaded here and warmed up with other pictures first. On a GPU every piece is waited for before it
    counts as ended, so the pieces are right and their sum is a little longer than an untraced request.

    \b
    flashsight bench timeline request.svg
    flashsight bench timeline request.svg --size 1024 --model-path glm-4.6v-flash --load-format dummy
    """
    from flashsight.bench.profile import trace_request
    from flashsight.bench.timeline import timeline as draw

    parts = load_parts(effective.config, _phase)
    try:
        events = run_until_interrupted(
            trace_request(
                parts.engine,
                parts.backend,
                size=size,
                num_tokens=tokens,
                seed=_seed(),
                is_cuda=parts.plan.device.kind == "cuda",
                settle_seconds=settle,
            )
        )
    finally:
        parts.engine.stop()
    title = f"{effective.config.model.path} on {parts.plan.device.name}: one picture of {size} px, {tokens} tokens"
    out.write_text(draw(events, title=title), encoding="utf-8")
    for event in events:
        if event.lane != "step":
            print(f"{event.lane:<8} {(event.ended_at - event.started_at) * 1e3:9.2f} ms  {event.note}")
    steps = [event for event in events if event.lane == "step"]
    gaps = [after.started_at - before.ended_at for before, after in pairwise(steps)]
    if gaps:
        mean = sum(event.ended_at - event.started_at for event in steps) / len(steps)
        print(f"steps    {mean * 1e3:9.2f} ms each, {sum(gaps) / len(gaps) * 1e3:.2f} ms between two")


@asynccontextmanager
async def _server(
    effective: Effective, url: str | None, log_file: Path | None
) -> AsyncIterator[tuple[Wire, StartedService | None]]:
    from flashsight.bench.process import started_service
    from flashsight.bench.wire import Wire

    refuse_pointless(effective, url)
    model, keys = effective.config.model.served_name, effective.settings.api_key
    if url is not None:
        async with Wire(url, model=model, api_key=keys[0] if keys else None) as wire:
            yield wire, None
        return
    _phase("starting a server")
    async with started_service(_flags(effective), log_file=log_file) as service, Wire(service.url, model=model) as wire:
        yield wire, service


async def _first_answer(wire: Wire, own: StartedService | None) -> list[float]:
    """Seconds from the start of one's own server's process to the end of its first answer; none of another's."""
    from flashsight.bench.pictures import smooth_jpeg
    from flashsight.bench.suite import NUM_TOKENS, PROMPT
    from flashsight.bench.wire import chat_body, data_url

    if own is None:
        return []
    body = chat_body(wire.model, data_url(smooth_jpeg(512, _seed())), PROMPT, NUM_TOKENS)
    return [own.ready_seconds + (await wire.chat(body)).total_seconds]


async def _until_quick(wire: Wire, settle: float) -> None:
    from flashsight.bench.books import until_quick

    _phase("waiting for what a server prepares beside its first answers")
    found = await until_quick(wire, settle)
    kernels = "kernels of its own" if found.get("kernels_in_use") else "torch's kernels"
    ready = "not ready yet" if found.get("is_speeding_up") else "ready"
    _phase(f"{ready}: {kernels}, {found.get('forms_recorded', 0):.0f} forms recorded")


def _flags(effective: Effective) -> list[str]:
    """The settings that differ from their defaults, as a child's command line takes them."""
    flags = []
    for name in SETTINGS_OF_A_SERVICE:
        value = getattr(effective.settings, name)
        if effective.origins[name] == "default":
            continue
        if isinstance(value, bool):
            flags.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
        else:
            flags.append(f"{flag_of(name)}={effective.shown(name)}")
    return flags


def _seed() -> int:
    return random.randrange(1 << 30)  # noqa: S311 - pictures, no secrets


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read; name a file that `flashsight bench gpu --json` wrote") from None


def _phase(phase: str) -> None:
    to_stderr().print(phase, style="dim")


def _counting() -> Callable[[str, int, int], None]:
    """Tell of every tenth of a load."""
    shown: dict[str, int] = {}

    def report(name: str, done: int, total: int) -> None:
        tenth = done * 10 // total
        if tenth > shown.get(name, 0):
            shown[name] = tenth
            to_stderr().print(f"{name}: {done}/{total}", style="dim")

    return report
