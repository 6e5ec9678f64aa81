"""Systems that can be measured, each behind one method. What they have in common: a JPEG and a prompt in, times out."""

from __future__ import annotations

import hashlib
import io
import time
from contextlib import aclosing
from typing import Protocol

from PIL import Image

from flashsight.bench.measure import Measured
from flashsight.core.types import (
    Caller,
    Conversation,
    Media,
    Message,
    PicturePart,
    ReasoningDelta,
    Salt,
    Sampling,
    TextDelta,
    TextPart,
    Usage,
)
from flashsight.service.backend import ChatBackend


class Target(Protocol):
    """A system under measurement."""

    name: str

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        """Ask about a JPEG, take exactly num_tokens greedy tokens, and say how long it took."""


class ServiceTarget:
    """Whatever stands behind a chat backend: the engine of this process, or a server by UpstreamBackend."""

    def __init__(self, backend: ChatBackend, *, name: str = "flashsight") -> None:
        self.backend = backend
        self.name = name

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        """Measure one streamed answer; its clock starts with the JPEG's bytes."""
        start = time.perf_counter()
        first, usage = None, None
        sampling = Sampling(temperature=0.0, max_tokens=num_tokens, ignore_eos=True)
        async with aclosing(self.backend.stream(conversation_about(picture, prompt), sampling)) as deltas:
            async for delta in deltas:
                if first is None and isinstance(delta, TextDelta | ReasoningDelta) and delta.text:
                    first = time.perf_counter() - start
                if isinstance(delta, Usage):
                    usage = delta
        total = time.perf_counter() - start
        assert usage is not None
        return Measured(
            first_seconds=total if first is None else first,
            total_seconds=total,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )


def conversation_about(picture: bytes, prompt: str) -> Conversation:
    """Return one question about one JPEG."""
    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as header:
        width, height = header.size
    digest = hashlib.sha256(picture).hexdigest()
    media = Media(content=picture, sha256=digest, format="jpeg", width=width, height=height)
    return _asked(PicturePart(media=media), TextPart(text=prompt), request_id=f"bench-{digest[:12]}")


def conversation_without_picture(prompt: str) -> Conversation:
    """Return the question alone."""
    return _asked(TextPart(text=prompt), request_id="bench-words")


def _asked(*parts: PicturePart | TextPart, request_id: str) -> Conversation:
    caller = Caller(name="bench", salt=Salt(b"bench"))
    return Conversation(messages=(Message(role="user", parts=parts),), caller=caller, request_id=request_id)
