"""Two places that answer: the engine of this process, or a running server over HTTP. Both are a stream of Delta."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from flashsight.core.config import Config
from flashsight.core.errors import EngineFault, FlashSightError, KeyRequired, NotReady, RequestError
from flashsight.core.types import (
    Caller,
    ChatRequest,
    Delta,
    Finish,
    JsonConstraint,
    Message,
    PictureRef,
    ReasoningDelta,
    Salt,
    TextDelta,
    TextPart,
    Timings,
    Usage,
)

_STAGES = ("queued", "decode", "encode", "prefill", "first_token")

Ask = Callable[[ChatRequest], AsyncGenerator[Delta, None]]


class Unreachable(FlashSightError):
    """No server answers at the address."""

    code = "server_unreachable"


@contextmanager
def local_answers(config: Config, enter: Callable[[str], None]) -> Iterator[Ask]:
    """Load the model into this process; it is put away at the end."""
    enter("loading libraries")
    from flashsight.launcher.build import build_chat, build_local

    parts = build_local(config, enter=enter)
    chat = build_chat(config, parts)
    caller = Caller(name="terminal", salt=Salt(b"terminal"))
    try:
        yield lambda request: chat.stream(request, caller=caller, request_id="ask")
    finally:
        parts.engine.stop()


def remote_answers(url: str, key: str | None) -> Ask:
    """Ask a server that speaks OpenAI's protocol. `url` with or without /v1."""
    base = url.rstrip("/").removesuffix("/v1")
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def ask(request: ChatRequest) -> AsyncGenerator[Delta, None]:
        timeout = httpx2.Timeout(10.0, read=600.0)
        async with httpx2.AsyncClient(base_url=base, headers=headers, timeout=timeout) as client:
            try:
                async with client.stream("POST", "/v1/chat/completions", json=as_body(request)) as response:
                    if response.status_code != 200:
                        raise _refusal(response.status_code, await response.aread())
                    async for line in response.aiter_lines():
                        for delta in _deltas(line):
                            yield delta
            except httpx2.TransportError:
                raise Unreachable(
                    f"no server answers at {base}; start one with `flashsight serve`, or correct --url"
                ) from None

    return ask


def as_body(request: ChatRequest) -> dict[str, Any]:
    """The request as OpenAI's protocol writes it; only what differs from the protocol's defaults."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": _content(message)} for message in request.messages],
        "temperature": sampling.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.max_tokens is not None:
        body["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if request.thinking:
        body["thinking"] = {"type": "enabled"}
    if isinstance(sampling.constraint, JsonConstraint):
        schema = {"name": "answer", "strict": True, "schema": sampling.constraint.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _content(message: Message) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, PictureRef):
            parts.append({"type": "image_url", "image_url": {"url": part.url}})
        elif isinstance(part, TextPart):
            parts.append({"type": "text", "text": part.text})
    return parts


def _refusal(status: int, body: bytes) -> FlashSightError:
    try:
        message = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the server answered {status}"
    if status in (401, 403):
        return KeyRequired(f"{message} (--api-key)")
    if status == 503:
        return NotReady(message)
    return RequestError(message) if 400 <= status < 500 else EngineFault(message)


def _deltas(line: str) -> Iterator[Delta]:
    if not line.startswith("data:") or line[5:].strip() == "[DONE]":
        return
    event = json.loads(line[5:])
    if "error" in event:
        raise EngineFault(str(event["error"].get("message", "the server failed")))
    for choice in event.get("choices", ()):
        piece = choice.get("delta", {})
        if piece.get("reasoning_content"):
            yield ReasoningDelta(index=choice["index"], text=piece["reasoning_content"])
        if piece.get("content"):
            yield TextDelta(index=choice["index"], text=piece["content"])
        if choice.get("finish_reason"):
            yield Finish(index=choice["index"], reason=choice["finish_reason"])
    if event.get("usage"):
        yield _usage(event["usage"], event.get("timings") or {})


def _usage(usage: dict[str, Any], timings: dict[str, float]) -> Usage:
    prompt = usage.get("prompt_tokens_details") or {}
    spent = {f"{stage}_seconds": timings.get(f"{stage}_ms", 0.0) / 1e3 for stage in _STAGES}
    return Usage(
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        reasoning_tokens=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0),
        picture_tokens=prompt.get("image_tokens", 0),
        cached_tokens=prompt.get("cached_tokens", 0),
        picture_level=prompt.get("image_cache", "none"),
        timings=Timings(**spent),
    )
