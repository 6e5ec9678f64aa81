"""Server-sent events of OpenAI's chat protocol, read back into deltas. Knows no connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from flashsight.core.errors import EngineFault
from flashsight.core.types import (
    Box,
    CacheLevel,
    Delta,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextLogprob,
    Timings,
    Usage,
)

_STAGES = ("queued", "decode", "encode", "prefill", "first_token")


class EventReader:
    """Reads one answer's events. Usage is held back until `finish`, since other servers may send it early or never."""

    def __init__(self, *, num_choices: int = 1) -> None:
        self._unfinished = set(range(num_choices))
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}
        self._tiles: Sequence[Any] = ()

    def read(self, line: str) -> Iterator[Delta]:
        """Yield what a line says; raise EngineFault for an error event and for what is not of the protocol."""
        if not line.startswith("data:") or line[5:].strip() == "[DONE]":
            return
        try:
            event = json.loads(line[5:])
            if event.get("error"):
                raise EngineFault(str(event["error"].get("message") or "the server failed")[:1000])
            self._usage = event.get("usage") or self._usage
            self._timings = event.get("timings") or self._timings
            self._tiles = event.get("image_tiles") or self._tiles
            deltas = [delta for choice in event.get("choices") or () for delta in self._choice(choice)]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EngineFault("the server sent an event that is not of OpenAI's protocol; check its address") from None
        yield from deltas

    def finish(self) -> Usage:
        """The counts; EngineFault if a choice has not ended."""
        if self._unfinished:
            raise EngineFault("the server's answer broke off; its log says why")
        try:
            return _usage(self._usage, self._timings, self._tiles)
        except (KeyError, TypeError, AttributeError, ValueError):
            raise EngineFault("the server's usage is not of OpenAI's protocol") from None

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Delta]:
        index, piece = int(choice.get("index", 0)), choice.get("delta") or {}
        reasoning = piece.get("reasoning_content") or piece.get("reasoning")
        if reasoning:
            yield ReasoningDelta(index=index, text=reasoning)
        logprobs = tuple(_logprob(each) for each in (choice.get("logprobs") or {}).get("content") or ())
        if piece.get("content") or logprobs:
            yield TextDelta(index=index, text=piece.get("content") or "", logprobs=logprobs)
        reason = choice.get("finish_reason")
        if reason:
            self._unfinished.discard(index)
            boxes = tuple(_box(each) for each in choice.get("boxes") or piece.get("boxes") or ())
            yield Finish(index=index, reason=reason if reason in get_args(FinishReason) else "stop", boxes=boxes)


def _logprob(said: Mapping[str, Any]) -> TextLogprob:
    return TextLogprob(
        token=said["token"],
        token_bytes=bytes(said["bytes"]) if said.get("bytes") is not None else said["token"].encode(),
        logprob=said["logprob"],
        top=tuple(_logprob(each) for each in said.get("top_logprobs") or ()),
    )


def _box(said: Mapping[str, Any]) -> Box:
    left, top, right, bottom = said["box"]
    return Box(picture=said["picture"], left=left, top=top, right=right, bottom=bottom, label=said.get("label"))


def _usage(usage: Mapping[str, Any], timings: Mapping[str, Any], tiles: Sequence[Any]) -> Usage:
    prompt = usage.get("prompt_tokens_details") or {}
    level: CacheLevel | Any = prompt.get("image_cache")
    return Usage(
        prompt_tokens=usage.get("prompt_tokens", 0),
        completion_tokens=usage.get("completion_tokens", 0),
        reasoning_tokens=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0,
        picture_tokens=prompt.get("image_tokens") or 0,
        cached_tokens=prompt.get("cached_tokens") or 0,
        picture_level=level if level in get_args(CacheLevel) else "none",
        timings=Timings(**{f"{stage}_seconds": float(timings.get(f"{stage}_ms", 0.0)) / 1e3 for stage in _STAGES}),
        picture_tiles=tuple(map(int, tiles)),
    )
