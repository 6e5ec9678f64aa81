"""POST /v1/responses: parse, call the service, encode as OpenAI's response objects and events. Keeps no response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flashsight.core.errors import FlashSightError
from flashsight.core.types import Delta, Finish, ReasoningDelta, TextDelta, Usage
from flashsight.presets import Preset
from flashsight.server.parse import is_quick
from flashsight.server.replies import JsonObject, beside_usage, boxes_of, server_timing
from flashsight.server.responsebody import ParsedResponse, ResponseBody, parse_response
from flashsight.server.sse import CLIENT_CLOSED_REQUEST, ClientGone, EventStream, WhileConnected, read_body
from flashsight.service import ChatService, Readiness

_NAMES_OF_CHATS = {"messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format"}


def responses_endpoint(
    readiness: Readiness, presets: Mapping[str, Preset]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint; it asks `readiness` for the parts with each request."""

    async def create_response(request: Request) -> Response:
        """Answer a question about pictures, whole or as OpenAI's response events."""
        chat = readiness.require().chat
        try:
            body = await read_body(request)
            if is_quick(body):
                parsed = parse_response(body, presets)
            else:
                parsed = await asyncio.to_thread(parse_response, body, presets)
            request.state.end_user = parsed.end_user
            async with WhileConnected(request.receive):
                return await _respond(chat, parsed, request)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except FlashSightError as error:
            error.param = _own_name(error.param)
            raise

    return create_response


def _own_name(param: str | None) -> str | None:
    """Return the name that a response has for a field that a chat calls `param`; the road behind both knows chats."""
    return None if param is None else _NAMES_OF_CHATS.get(param, param)


async def _respond(chat: ChatService, parsed: ParsedResponse, request: Request) -> Response:
    state = request.state
    reply = Reply(parsed.body, request_id=state.request_id)
    deltas = chat.stream(parsed.request, caller=state.caller, request_id=state.request_id)
    if parsed.is_stream:
        stream = EventStream[Delta](deltas, reply.events, encode_error=reply.failure)
        await stream.open()
        return stream
    usage: Usage | None = None
    async with aclosing(deltas):
        async for delta in deltas:
            for _ in reply.events(delta):
                pass  # what the events tell is kept for the whole
            usage = delta if isinstance(delta, Usage) else usage
    assert usage is not None, "a backend's stream ends with Usage"
    return JSONResponse(reply.whole(), headers={"Server-Timing": server_timing(usage.timings)})


class Reply:
    """One response as it grows: a reasoning item if the model thinks, then a message. Whole is the stream, joined."""

    def __init__(self, body: ResponseBody, *, request_id: str) -> None:
        self._request_id = request_id
        self._created_at = int(time.time())
        self._settings = _settings(body)
        self._output: list[JsonObject] = []
        self._open: JsonObject | None = None
        self._text = ""
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._num_events = 0

    def events(self, delta: Delta) -> Iterator[JsonObject]:
        """Yield the events of one delta."""
        if self._num_events == 0:
            yield self._event("response.created", response=self.whole())
            yield self._event("response.in_progress", response=self.whole())
        if isinstance(delta, ReasoningDelta):
            yield from self._say("reasoning", delta.text)
        elif isinstance(delta, TextDelta):
            yield from self._say("message", delta.text)
        elif isinstance(delta, Finish):
            yield from self._end(delta)
        elif isinstance(delta, Usage):
            self._usage = delta
            yield self._event(f"response.{self._status()}", response=self.whole())

    def failure(self, told: JsonObject) -> JsonObject:
        """Return the event of an error inside the stream."""
        return self._event("error", message=told["message"], code=told["code"], param=_own_name(told["param"]))

    def whole(self) -> JsonObject:
        """Return the response object as it stands."""
        reason = {"reason": "max_output_tokens"} if self._status() == "incomplete" else None
        response: JsonObject = {
            "id": f"resp_{self._request_id}",
            "object": "response",
            "created_at": self._created_at,
            "status": self._status(),
            "error": None,
            "incomplete_details": reason,
            "output": list(self._output),
            "usage": None if self._usage is None else _usage(self._usage),
            **self._settings,
        }
        return response if self._usage is None else {**response, **beside_usage(self._usage)}

    def _status(self) -> str:
        if self._usage is None or self._finish is None:
            return "in_progress"
        return "incomplete" if self._finish.reason == "length" else "completed"

    def _say(self, kind: str, text: str) -> Iterator[JsonObject]:
        if self._open is None or self._open["type"] != kind:
            yield from self._close("completed")
            yield from self._begin(kind)
        self._text += text
        spoken = "response.output_text.delta" if kind == "message" else "response.reasoning_text.delta"
        extra: JsonObject = {"logprobs": []} if kind == "message" else {}
        yield self._event(spoken, **self._place(), content_index=0, delta=text, **extra)

    def _begin(self, kind: str) -> Iterator[JsonObject]:
        prefix = "msg" if kind == "message" else "rs"
        item: JsonObject = {"id": f"{prefix}_{self._request_id}_{len(self._output)}", "type": kind}
        item |= {"status": "in_progress", "content": []}
        own: JsonObject = {"role": "assistant"} if kind == "message" else {"summary": []}
        item |= own
        self._open, self._text = item, ""
        yield self._event("response.output_item.added", output_index=len(self._output), item=dict(item))
        yield self._event("response.content_part.added", **self._place(), content_index=0, part=_part(kind, ""))

    def _close(self, status: str, finish: Finish | None = None) -> Iterator[JsonObject]:
        if self._open is None:
            return
        kind, place = self._open["type"], self._place()
        spoken = "response.output_text.done" if kind == "message" else "response.reasoning_text.done"
        extra: JsonObject = {"logprobs": []} if kind == "message" else {}
        yield self._event(spoken, **place, content_index=0, text=self._text, **extra)
        part = _part(kind, self._text)
        yield self._event("response.content_part.done", **place, content_index=0, part=part)
        item = {**self._open, "status": status, "content": [part]}
        if finish is not None and finish.boxes:
            item["boxes"] = boxes_of(finish.boxes)
        yield self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open = None

    def _end(self, finish: Finish) -> Iterator[JsonObject]:
        """An answer that stayed silent is an empty message, unless the thinking took all it could have."""
        is_cut = finish.reason == "length"
        if not is_cut and (self._open is None or self._open["type"] != "message"):
            yield from self._close("completed")
            yield from self._begin("message")
        yield from self._close("incomplete" if is_cut else "completed", finish)
        self._finish = finish

    def _place(self) -> JsonObject:
        assert self._open is not None, "an item is open while it is spoken"
        return {"item_id": self._open["id"], "output_index": len(self._output)}

    def _event(self, kind: str, **fields: Any) -> JsonObject:
        self._num_events += 1
        return {"type": kind, "sequence_number": self._num_events - 1, **fields}


def _part(kind: str, text: str) -> JsonObject:
    if kind == "reasoning":
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _settings(body: ResponseBody) -> JsonObject:
    """Return what the reply repeats of the request, with the defaults filled in."""
    text: JsonObject = {"format": {"type": "text"}}
    if body.text is not None and body.text.format is not None:
        text["format"] = body.text.format.model_dump(by_alias=True, exclude_none=True)
    return {
        "model": body.model,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "temperature": body.temperature or 0.0,
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "text": text,
        "reasoning": {"effort": body.reasoning.effort if body.reasoning else None, "summary": None},
        "metadata": dict(body.metadata or {}),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "service_tier": "default",
        "store": False,
        "tool_choice": "auto",
        "tools": [],
        "truncation": "disabled",
        "user": body.user,
    }


def _usage(counts: Usage) -> JsonObject:
    return {
        "input_tokens": counts.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": counts.cached_tokens,
            "cache_write_tokens": 0,
            "image_tokens": counts.picture_tokens,
            "image_cache": counts.picture_level,
        },
        "output_tokens": counts.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
    }
