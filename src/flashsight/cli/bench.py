"""`flashsight bench`: times, as tables, on this machine and in one run with the peer."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsight.cli.ask import refuse_pointless
from flashsight.cli.bench_gpu import agree, gpu, soak, timeline
from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import settings_of, takes_settings
from flashsight.cli.parts import load_parts
from flashsight.cli.terminal import to_stderr
from flashsight.core.errors import ConfigError
from flashsight.core.settings import Effective, flag_of

if TYPE_CHECKING:
    from flashsight.bench.load import Workload
    from flashsight.bench.peer import TransformersTarget
    from flashsight.launcher.build import LocalParts

SEED_STEP = 1_000_003
SETTINGS_OF_A_RUN = settings_of("model", "engine", "media")

bench = typer.Typer(
    name="bench", help="Measure answers, alone and beside a peer. 测速,也与别家对比。", no_args_is_help=True
)

for _command in (gpu, agree, soak, timeline):
    bench.command()(_command)

Size = Annotated[int, typer.Option(metavar="PIXELS", min=28, help="side of the square pictures")]
Tokens = Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="tokens of every answer")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write the rows to this file too")]


@bench.command()
@takes_settings(*SETTINGS_OF_A_RUN, "api_key")
def latency(
    *,
    effective: Effective,
    url: Annotated[str | None, typer.Option(metavar="URL", help="ask this server instead of loading a model")] = None,
    size: Size = 448,
    tokens: Tokens = 64,
    clients: Annotated[list[int] | None, typer.Option(metavar="N", help="clients at once; give it again")] = None,
    requests: Annotated[int, typer.Option(metavar="N", min=1, help="answers per level")] = 16,
    same_picture: Annotated[bool, typer.Option("--same-picture", help="every client asks about one picture")] = False,
    json_file: Json = None,
) -> None:
    """Measure time to first token, time per token and throughput. 首词、逐词与吞吐。

    \b
    flashsight bench latency
    flashsight bench latency --clients 1 --clients 8 --size 512
    flashsight bench latency --url http://127.0.0.1:8080
    """
    from flashsight.bench.load import Workload, run_load
    from flashsight.bench.measure import table
    from flashsight.bench.targets import ServiceTarget, Target

    refuse_pointless(effective, url)
    workloads = [
        Workload(size=size, num_clients=n, num_requests=requests, num_tokens=tokens, same_picture=same_picture)
        for n in clients or [1, 8]
    ]

    async def measure(target: Target) -> None:
        seed = random.randrange(1 << 30)  # noqa: S311 - pictures, no secrets
        rows = [
            await run_load(target, workload, seed=seed + i * 100_003, progress=_counting(workload))
            for i, workload in enumerate(workloads)
        ]
        print(table(rows))
        _write(json_file, [row.as_dict() for row in rows])

    async def measure_there(url: str) -> None:
        from flashsight.service.upstream import UpstreamBackend

        keys, served_name = effective.settings.api_key, effective.config.model.served_name
        async with UpstreamBackend(url, model=served_name, api_key=keys[0] if keys else None) as backend:
            await measure(ServiceTarget(backend, name=url))

    if url is not None:
        run_until_interrupted(measure_there(url))
        return

    parts = load_parts(effective.config, _phase)
    try:
        run_until_interrupted(measure(ServiceTarget(parts.backend)))
    finally:
        parts.engine.stop()


@bench.command()
@takes_settings(*SETTINGS_OF_A_RUN)
def peer(
    *,
    effective: Effective,
    size: Size = 448,
    tokens: Tokens = 64,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="turns that each system gets per workload")] = 4,
    peer_dtype: Annotated[
        list[str] | None, typer.Option(metavar="DTYPE", help="precision of the peer; default: the one used here")
    ] = None,
    json_file: Json = None,
) -> None:
    """Compare with transformers: same weights, same pictures, same tokens, turn by turn. 与 transformers 对比。

    Needs the extra: pip install 'flashsight[compare]'.

    \b
    flashsight bench peer
    flashsight bench peer --peer-dtype float32 --peer-dtype bfloat16
    """
    from flashsight.bench.comparison import compare, ratios
    from flashsight.bench.load import Workload
    from flashsight.bench.measure import table
    from flashsight.bench.targets import ServiceTarget

    unknown = set(peer_dtype or []) - {"float32", "bfloat16", "float16"}
    if unknown:
        told = f"--peer-dtype is float32, bfloat16 or float16, not {', '.join(sorted(unknown))}"
        raise ConfigError(told, param="peer_dtype")

    parts = load_parts(effective.config, _phase)
    ours = ServiceTarget(parts.backend, name=f"flashsight {str(parts.loaded.dtype).removeprefix('torch.')}")
    workloads = [
        Workload(size=size, num_clients=1, num_requests=4, num_tokens=tokens),
        Workload(size=size, num_clients=1, num_requests=4, num_tokens=tokens, same_picture=True),
        Workload(size=size, num_clients=8, num_requests=8, num_tokens=tokens),
    ]

    async def measure() -> None:
        seed = random.randrange(1 << 30)  # noqa: S311 - pictures, no secrets
        results = []
        for dtype in peer_dtype or [str(parts.loaded.dtype).removeprefix("torch.")]:
            async with _peer_target(parts, dtype) as target:
                for workload in workloads:
                    seed += SEED_STEP  # no workload may find another's pictures in a cache
                    counting = _counting(workload)
                    results.append(await compare(ours, target, workload, rounds=rounds, seed=seed, progress=counting))
        rows = [row for result in results for row in (result.ours, result.peer)]
        print(table(rows))
        print()
        print(ratios(results))
        _write(json_file, [row.as_dict() for row in rows])

    try:
        run_until_interrupted(measure())
    finally:
        parts.engine.stop()


@bench.command()
@takes_settings(*SETTINGS_OF_A_RUN)
def service(
    *,
    effective: Effective,
    pictures: Annotated[
        int, typer.Option(metavar="N", min=1, help="pictures of 12 megapixels asked about at once")
    ] = 16,
    json_file: Json = None,
) -> None:
    """Start a service and measure it as a process: seconds to ready, memory, /health under load. 启动、内存与健康检查。

    uploaded_ratio: first token of a picture uploaded before the question over that of one sent with it; goal 0.3.

    \b
    flashsight bench service
    flashsight bench service --pictures 4 --load-format dummy
    """
    from dataclasses import asdict

    from flashsight.bench.process import measure_service

    given = [
        part
        for name in SETTINGS_OF_A_RUN
        if effective.origins[name] != "default"
        for part in (flag_of(name), effective.shown(name))
    ]
    model = effective.config.model.served_name
    figures = run_until_interrupted(measure_service(given, model=model, num_pictures=pictures))
    for name, value in asdict(figures).items():
        shown = f"{value / (1 << 20):.0f} MiB" if name.endswith("_bytes") else f"{value:.4g}"
        print(f"{name.removesuffix('_bytes'):<18} {shown}")
    _write(json_file, [asdict(figures)])


@asynccontextmanager
async def _peer_target(parts: LocalParts, dtype: str) -> AsyncIterator[TransformersTarget]:
    import tempfile

    from flashsight.bench.peer import export_for_peer, transformers_target
    from flashsight.bench.targets import conversation_about
    from flashsight.engine.process import on_passing_thread

    def lay_out(picture: bytes, prompt: str) -> list[int]:
        ids: list[int] = parts.processor.prepare(conversation_about(picture, prompt)).ids.tolist()
        return ids

    _phase(f"loading transformers, {dtype}")
    with tempfile.TemporaryDirectory() as folder:
        on_passing_thread(lambda check: export_for_peer(parts.loaded, Path(folder)))
        async with transformers_target(Path(folder), lay_out, dtype=dtype, device=str(parts.loaded.device)) as target:
            yield target


def _phase(phase: str) -> None:
    to_stderr().print(phase, style="dim")


def _counting(workload: Workload) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        to_stderr().print(f"{workload.name}: {done}/{total}", style="dim")

    return report


def _write(path: Path | None, rows: list[dict[str, Any]]) -> None:
    if path is not None:
        path.write_text(json.dumps(rows, indent=2) + "\n")
