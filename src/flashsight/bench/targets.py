"""Systems that can be measured, each behind one method. What they have in common: a JPEG and a prompt in, times out."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Protocol

import httpx2
from PIL import Image

from flashsight.bench.measure import Measured
from flashsight.core.errors import ConfigError
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
    """This project without HTTP: the chat backend of this process."""

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


class HttpTarget:
    """Any OpenAI-compatible server, this one included, over HTTP with streaming."""

    def __init__(self, url: str, *, model: str, key: str | None = None, name: str = "http") -> None:
        self.name = name
        self.model = model
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=600)

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        """Measure one streamed answer; its clock starts when the request is sent."""
        body = _body(self.model, picture, prompt, num_tokens)
        start = time.perf_counter()
        first: float | None = None
        usage: dict[str, Any] = {}
        async with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                raise ConfigError(f"{self.name} answered {response.status_code}: {(await response.aread())[:300]!r}")
            async for event in _events(response.aiter_lines()):
                usage = event.get("usage") or usage
                delta = event["choices"][0]["delta"] if event.get("choices") else {}
                if first is None and (delta.get("content") or delta.get("reasoning_content")):
                    first = time.perf_counter() - start
        total = time.perf_counter() - start
        return Measured(
            first_seconds=total if first is None else first,
            total_seconds=total,
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


def conversation_about(picture: bytes, prompt: str) -> Conversation:
    """Return one question about one JPEG."""
    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as header:
        width, height = header.size
    digest = hashlib.sha256(picture).hexdigest()
    media = Media(content=picture, sha256=digest, format="jpeg", width=width, height=height)
    message = Message(role="user", parts=(PicturePart(media=media), TextPart(text=prompt)))
    caller = Caller(name="bench", salt=Salt(b"bench"))
    return Conversation(messages=(message,), caller=caller, request_id=f"bench-{digest[:12]}")


def _body(model: str, picture: bytes, prompt: str, num_tokens: int) -> dict[str, Any]:
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    return {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": num_tokens,
        "temperature": 0.0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    async for line in lines:
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            yield json.loads(line[5:])
