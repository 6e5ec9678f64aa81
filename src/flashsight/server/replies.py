"""Deltas -> OpenAI's JSON, as a whole or in chunks. Pure functions of what the service said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from flashsight import __version__
from flashsight.core.types import (
    Box,
    Delta,
    Finish,
    ReasoningDelta,
    TextDelta,
    TextLogprob,
    Timings,
    ToolCallDelta,
    Usage,
)
from flashsight.service import Answer, Choice

JsonObject = dict[str, Any]

_FINGERPRINT = f"flashsight-{__version__}"


def whole(answer: Answer, *, request_id: str, model: str, want_logprobs: bool) -> JsonObject:
    """Return a `chat.completion`."""
    return _head("chat.completion", request_id, int(time.time()), model) | {
        "choices": [_choice(index, choice, want_logprobs) for index, choice in enumerate(answer.choices)],
        "usage": usage(answer.usage),
        **beside_usage(answer.usage),
    }


class Chunks:
    """Turns the deltas of one request into `chat.completion.chunk` objects: one id, one `created`, role once a choice.

    The finish of a choice is a chunk of its own without content; usage, if asked for, is the last chunk and has no
    choices.
    """

    def __init__(self, *, request_id: str, model: str, include_usage: bool, want_logprobs: bool) -> None:
        self._head = _head("chat.completion.chunk", request_id, int(time.time()), model)
        self._include_usage = include_usage
        self._want_logprobs = want_logprobs
        self._opened: set[int] = set()

    def of(self, delta: Delta) -> Iterator[JsonObject]:
        """Yield the chunks of one delta: one, or none for usage nobody asked for."""
        if isinstance(delta, Usage):
            if self._include_usage:
                yield self._head | {"choices": [], "usage": usage(delta), **beside_usage(delta)}
            return
        piece: JsonObject = {}
        if delta.index not in self._opened:
            self._opened.add(delta.index)
            piece["role"] = "assistant"
        choice: JsonObject = {"index": delta.index, "delta": piece, "logprobs": None, "finish_reason": None}
        if isinstance(delta, TextDelta):
            piece["content"] = delta.text
            if self._want_logprobs and delta.logprobs:
                choice["logprobs"] = _logprobs(delta.logprobs)
        elif isinstance(delta, ReasoningDelta):
            piece["reasoning_content"] = delta.text
        elif isinstance(delta, ToolCallDelta):
            piece["tool_calls"] = [_call_piece(delta)]
        elif isinstance(delta, Finish):
            choice["finish_reason"] = delta.reason
            if delta.boxes:
                piece["boxes"] = boxes_of(delta.boxes)
        chunk = self._head | {"choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        yield chunk


def usage(counts: Usage) -> JsonObject:
    """Return OpenAI's usage object; `image_cache` is ours: the worst cache level that a picture came from."""
    return {
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": counts.cached_tokens,
            "image_tokens": counts.picture_tokens,
            "image_cache": counts.picture_level,
        },
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
    }


def beside_usage(counts: Usage) -> JsonObject:
    """Return our fields beside `usage`: `timings`, and `image_tiles` where a picture was asked for in detail."""
    tiles: JsonObject = {"image_tiles": list(counts.picture_tiles)} if counts.picture_tiles else {}
    return {"timings": _timings(counts.timings), **tiles}


def _timings(spent: Timings) -> JsonObject:
    """Return our `timings` object: milliseconds of the server's clock until the first token; stages may overlap."""
    return {f"{name}_ms": round(seconds * 1e3, 3) for name, seconds in _stages(spent)}


def server_timing(spent: Timings) -> str:
    """Return the stages as a Server-Timing header (W3C): `queued;dur=0.1, decode;dur=3.2, …`, in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1e3:.3f}" for name, seconds in _stages(spent))


def _stages(spent: Timings) -> list[tuple[str, float]]:
    return [
        ("queued", spent.queued_seconds),
        ("decode", spent.decode_seconds),
        ("encode", spent.encode_seconds),
        ("prefill", spent.prefill_seconds),
        ("first_token", spent.first_token_seconds),
    ]


def _head(kind: str, request_id: str, created: int, model: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{request_id}",
        "object": kind,
        "created": created,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": _FINGERPRINT,
    }


def _choice(index: int, choice: Choice, want_logprobs: bool) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in choice.tool_calls
        ]
    if choice.boxes:
        message["boxes"] = boxes_of(choice.boxes)
    return {
        "index": index,
        "message": message,
        "logprobs": _logprobs(choice.logprobs) if want_logprobs else None,
        "finish_reason": choice.finish,
    }


def _call_piece(delta: ToolCallDelta) -> JsonObject:
    if delta.id is None:
        return {"index": delta.call, "function": {"arguments": delta.arguments}}
    function = {"name": delta.name, "arguments": delta.arguments}
    return {"index": delta.call, "id": delta.id, "type": "function", "function": function}


def _logprobs(tokens: Sequence[TextLogprob]) -> JsonObject:
    return {
        "content": [_logprob(token) | {"top_logprobs": [_logprob(other) for other in token.top]} for token in tokens]
    }


def _logprob(token: TextLogprob) -> JsonObject:
    return {"token": token.token, "bytes": list(token.token_bytes), "logprob": max(token.logprob, -9999.0)}


def boxes_of(boxes: Sequence[Box]) -> list[JsonObject]:
    """Return our `boxes`: each with its picture's number, its corners in pixels and its label."""
    return [_box(box) for box in boxes]


def _box(box: Box) -> JsonObject:
    """Pixels of the turned original."""
    return {
        "picture": box.picture,
        "box": [box.left, box.top, box.right, box.bottom],
        "label": box.label,
    }
