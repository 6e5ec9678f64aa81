"""Puts a workload on a target: so many clients, each asking again when its answer is complete (a closed loop)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flashsight.bench.measure import Measured, Row, summarise
from flashsight.bench.pictures import PictureSource
from flashsight.bench.targets import Target
from flashsight.core.errors import FlashSightError

PROMPT = "请用一句话描述这张图片的内容,只陈述事实,并列出主要物体、颜色和文字。"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """num_requests answers of num_tokens tokens about pictures of size x size pixels, num_clients at a time."""

    size: int = 448
    num_clients: int = 1
    num_requests: int = 16
    num_tokens: int = 64
    same_picture: bool = False
    prompt: str = PROMPT

    @property
    def name(self) -> str:
        """How a table calls it."""
        same = ", same picture" if self.same_picture else ""
        clients = f"{self.num_clients} client{'s' if self.num_clients > 1 else ''}"
        return f"{self.size} px, {clients}, {self.num_tokens} tokens{same}"


@dataclass(slots=True)
class Collected:
    """What came back from a load: the answers, how many were refused, and the wall seconds it took."""

    answers: list[Measured] = field(default_factory=list)
    failures: list[FlashSightError] = field(default_factory=list)
    wall_seconds: float = 0.0

    def row(self, target: Target, workload: Workload) -> Row:
        """Sum up; raise the first failure if nothing was answered."""
        if not self.answers and self.failures:
            raise self.failures[0]
        return summarise(target.name, workload.name, self.answers, self.wall_seconds, len(self.failures))


async def run_load(target: Target, workload: Workload, *, seed: int, progress: Progress | None = None) -> Row:
    """Warm the target up with one answer, put the workload on it, and return its row."""
    source = PictureSource(workload.size, seed=seed, same=workload.same_picture)
    await target.answer(source.next(), workload.prompt, 2)
    collected = Collected()
    await put_load(target, workload, source, collected, progress=progress)
    return collected.row(target, workload)


async def put_load(
    target: Target,
    workload: Workload,
    source: PictureSource,
    into: Collected,
    *,
    progress: Progress | None = None,
) -> None:
    """Ask workload.num_requests times and add what comes back to `into`."""
    pictures = [source.next() for _ in range(workload.num_requests)]

    async def client() -> None:
        while pictures:
            picture = pictures.pop()
            try:
                into.answers.append(await target.answer(picture, workload.prompt, workload.num_tokens))
            except FlashSightError as error:
                into.failures.append(error)
            if progress is not None:
                progress(workload.num_requests - len(pictures), workload.num_requests)

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(workload.num_clients)))
    into.wall_seconds += time.perf_counter() - start
