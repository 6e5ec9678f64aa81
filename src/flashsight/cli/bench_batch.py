"""`flashsight bench batch`: a folder run beside the engine asked directly, and the memory that it takes."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flashsight.cli.bench import SETTINGS_OF_A_RUN, Json, Size, Tokens
from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import takes_settings
from flashsight.cli.parts import load_parts
from flashsight.cli.terminal import to_stderr
from flashsight.core.config import Config
from flashsight.core.settings import Effective

if TYPE_CHECKING:
    from flashsight.launcher.build import LocalParts
    from flashsight.workbench.progress import Progress

PROMPT = "描述图中的商品"
MOST_DIRECT = 256
"""Pictures that the engine is asked about directly in a round: enough for a pace, however many the run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Pictures per second, directly and as a run; bytes of the process after a quarter of the run and at its end."""

    direct_per_second: float
    run_per_second: float
    quarter_bytes: int
    end_bytes: int


@takes_settings(*SETTINGS_OF_A_RUN)
def bench_batch(
    *,
    effective: Effective,
    pictures: Annotated[int, typer.Option(metavar="N", min=8, help="pictures of a run; 5000 for its memory")] = 64,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="turns of engine and run")] = 3,
    size: Size = 448,
    tokens: Tokens = 32,
    json_file: Json = None,
) -> None:
    """Compare a folder run with the engine asked directly, and watch its memory. 批量与引擎自身的吞吐、内存。

    \b
    flashsight bench batch
    flashsight bench batch --pictures 5000 --rounds 1 --tokens 4
    """
    parts = load_parts(effective.config, lambda phase: to_stderr().print(phase, style="dim"))
    try:
        told = run_until_interrupted(_measure(effective.config, parts, pictures, rounds, size, tokens))
    finally:
        parts.engine.stop()
    for one in told:
        print(
            f"engine {one.direct_per_second:8.2f} pictures/s · run {one.run_per_second:8.2f} pictures/s · "
            f"memory {one.quarter_bytes >> 20} MiB after a quarter, {one.end_bytes >> 20} MiB at the end"
        )
    direct, run = (sum(getattr(one, name) for one in told) for name in ("direct_per_second", "run_per_second"))
    print(f"run / engine {run / direct:.3f}")
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(one) for one in told], indent=2) + "\n")


async def _measure(
    config: Config, parts: LocalParts, pictures: int, rounds: int, size: int, tokens: int
) -> list[Round]:
    from flashsight.bench.pictures import PictureSource

    source = PictureSource(size, seed=random.randrange(1 << 30))  # noqa: S311 - pictures, no secrets
    await _direct(parts, [source.next() for _ in range(8)], tokens)
    told = []
    for number in range(rounds):
        to_stderr().print(f"round {number + 1} of {rounds}", style="dim")
        direct = await _direct(parts, [source.next() for _ in range(min(pictures, MOST_DIRECT))], tokens)
        with tempfile.TemporaryDirectory() as folder:
            for at in range(pictures):
                (Path(folder) / f"p_{at}.jpg").write_bytes(source.next())
            run, quarter, end = await _as_run(config, parts, Path(folder), tokens)
        told.append(Round(direct_per_second=direct, run_per_second=run, quarter_bytes=quarter, end_bytes=end))
    return told


async def _direct(parts: LocalParts, pictures: list[bytes], tokens: int) -> float:
    """Pictures per second of the backend itself, as many at once as the engine takes, nothing kept."""
    from flashsight.bench.targets import ServiceTarget

    target, queue = ServiceTarget(parts.backend), iter(pictures)

    async def worker(left: Iterator[bytes]) -> None:
        for picture in left:
            await target.answer(picture, PROMPT, tokens)

    began_at = time.perf_counter()
    await asyncio.gather(*(worker(queue) for _ in range(parts.plan.limits.max_sequences)))
    return len(pictures) / (time.perf_counter() - began_at)


async def _as_run(config: Config, parts: LocalParts, folder: Path, tokens: int) -> tuple[float, int, int]:
    """Pictures per second of a whole run in a folder, and its memory in bytes after a quarter and at the end."""
    from flashsight.core.types import Sampling
    from flashsight.processing.media import MediaGate
    from flashsight.workbench.ask import Asker, Question
    from flashsight.workbench.device import resident_bytes
    from flashsight.workbench.plan import manifest_of
    from flashsight.workbench.records import ModelRecord
    from flashsight.workbench.run import BatchRun, begin
    from flashsight.workbench.source import read_source, with_hashes

    media, held = config.media, [0, 0]
    question = Question(
        prompt=PROMPT, schema=None, sampling=Sampling(temperature=0.0, max_tokens=tokens, ignore_eos=True)
    )
    asker = Asker(
        MediaGate(media),
        parts.backend,
        question,
        root=folder,
        max_bytes=media.max_bytes,
        max_pictures=media.max_pictures,
    )

    def watch(progress: Progress) -> None:
        held[int(4 * progress.num_done > progress.num_cases)] = resident_bytes() or 0

    began_at = time.perf_counter()
    found = read_source(folder)
    manifest = manifest_of(
        question,
        ModelRecord(name="bench"),
        media,
        path=found.path,
        root=found.root,
        num_cases=len(found.cases),
    )
    run = begin(folder / "run", manifest, with_hashes(found.cases, found.root))
    await BatchRun(run).go(asker, in_flight=parts.plan.limits.max_sequences, watch=watch)
    return len(found.cases) / (time.perf_counter() - began_at), held[0], held[1]
