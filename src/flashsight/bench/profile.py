"""Runs one request through the engine of this process and keeps what the engine did when. Draws nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from flashsight.bench.pictures import PictureSource
from flashsight.bench.suite import cut_to_fit
from flashsight.bench.targets import ServiceTarget, conversation_without_picture
from flashsight.engine.trace import Event, Trace

if TYPE_CHECKING:
    from flashsight.engine.engine import Engine
    from flashsight.service.local import LocalBackend

WARM_UPS = 3
POLL_SECONDS = 0.1


async def trace_request(
    engine: Engine,
    backend: LocalBackend,
    *,
    size: int,
    num_tokens: int,
    seed: int,
    is_cuda: bool = False,
    settle_seconds: float = 0.0,
) -> list[Event]:
    """Ask about one new picture of size x size pixels and return the engine's events in the order of their start.

    A wait of settle_seconds at most for what the engine prepares, and a few other pictures go first, so that nothing is
    made for the first time.
    """

    async def count(prompt: str) -> int:
        return len(await backend.read(conversation_without_picture(prompt)))

    prompt = await cut_to_fit(count)
    source, target = PictureSource(size, seed=seed), ServiceTarget(backend)
    for _ in range(int(settle_seconds / POLL_SECONDS)):
        if not engine.snapshot().is_speeding_up:
            break
        await asyncio.sleep(POLL_SECONDS)
    for _ in range(WARM_UPS):
        await target.answer(source.next(), prompt, min(num_tokens, 8))
    picture = source.next()
    trace = Trace(clock=time.monotonic, wait=_finish if is_cuda else lambda: None)
    engine.record(trace)
    started_at = time.monotonic()
    measured = await target.answer(picture, prompt, num_tokens)
    engine.record(None)
    trace.add("request", "request to first token", started_at, started_at + measured.first_seconds)
    ended_at = started_at + measured.total_seconds
    trace.add("request", "the other tokens", started_at + measured.first_seconds, ended_at)
    return sorted(trace.events, key=lambda event: event.started_at)


def _finish() -> None:
    import torch

    torch.cuda.synchronize()
