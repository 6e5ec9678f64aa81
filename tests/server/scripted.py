"""A ChatBackend that says what it is told to, and a gate that admits everything: doubles at the service's doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from flashsight.core.errors import FlashSightError, PictureError
from flashsight.core.types import (
    Conversation,
    Delta,
    Finish,
    Media,
    PictureRef,
    Sampling,
    TextDelta,
    Timings,
    Usage,
)

TIMINGS = Timings(
    queued_seconds=0.001, decode_seconds=0.002, encode_seconds=0.003, prefill_seconds=0.004, first_token_seconds=0.01
)
USAGE = Usage(
    prompt_tokens=20,
    completion_tokens=3,
    reasoning_tokens=1,
    picture_tokens=9,
    cached_tokens=16,
    picture_level="device",
    timings=TIMINGS,
)


def saying(*pieces: str) -> tuple[Delta, ...]:
    return (*(TextDelta(index=0, text=piece) for piece in pieces), Finish(index=0, reason="stop"), USAGE)


@dataclass
class ScriptedBackend:
    """Yields `script`; an error in it is raised, a number is slept. Keeps what it was asked and how it was left."""

    script: Sequence[Delta | FlashSightError | Exception | float] = field(default_factory=lambda: saying("白", "杯"))
    asked: list[tuple[Conversation, Sampling]] = field(default_factory=list)
    num_open: int = 0
    num_abandoned: int = 0

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        self.asked.append((conversation, sampling))
        self.num_open += 1
        is_done = False
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
            is_done = True
        finally:
            self.num_open -= 1
            self.num_abandoned += not is_done


@dataclass
class OpenGate:
    """Admits every reference but those that say `bad`."""

    async def admit(self, ref: PictureRef) -> Media:
        await asyncio.sleep(0)
        if "bad" in ref.url:
            raise PictureError("this is no picture; send JPEG, PNG or WebP", param=ref.param)
        return Media(content=ref.url.encode(), sha256="0" * 64, format="png", width=2, height=2)
