"""A ChatBackend that says what it is told to, and a gate that admits everything: doubles at the service's doors."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from flashsight.core.errors import FlashSightError, PictureError
from flashsight.core.types import (
    Caller,
    Conversation,
    Delta,
    Detail,
    Finish,
    Grid,
    Media,
    PictureRef,
    PromptStats,
    Sampling,
    TextDelta,
    Timings,
    Usage,
)
from flashsight.processing.processor import PictureCost

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

    async def admit_bytes(self, content: bytes, *, param: str) -> Media:
        if b"bad" in content:
            raise PictureError("this is no picture; send JPEG, PNG or WebP", code="image_format", param=param)
        sha256 = hashlib.sha256(content).hexdigest()
        return Media(content=content, sha256=sha256, format="png", width=56, height=28)


@dataclass
class ScriptedReader:
    """Reads ahead as long as it is told to, or fails as it is told to. Keeps what it was asked and what was dropped."""

    error: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[tuple[Media, Caller]] = field(default_factory=list)
    num_dropped: int = 0

    async def prewarm(self, media: Media, *, caller: Caller, request_id: str) -> PromptStats:
        self.asked.append((media, caller))
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.num_dropped += 1
            raise
        if self.error is not None:
            raise self.error
        return PromptStats(prompt_tokens=9, picture_tokens=2, cached_tokens=0, picture_level="none", timings=TIMINGS)

    def cost(self, media: Media, detail: Detail) -> PictureCost:
        return PictureCost(resized=(28, 56), grid=Grid(t=1, h=2, w=4), num_tokens=2)
