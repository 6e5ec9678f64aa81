"""POST /v1/chat/completions: parse, call the service, encode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flashsight.core.types import Delta
from flashsight.presets import Preset
from flashsight.server.parse import Parsed, is_quick, parse_chat
from flashsight.server.replies import Chunks, server_timing, whole
from flashsight.server.sse import CLIENT_CLOSED_REQUEST, ClientGone, EventStream, WhileConnected, read_body
from flashsight.service import ChatService, Readiness


def chat_endpoint(
    readiness: Readiness, presets: Mapping[str, Preset]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint; it asks `readiness` for the parts with each request."""

    async def create_chat_completion(request: Request) -> Response:
        """Answer a conversation about pictures, whole or as server-sent events."""
        chat = readiness.require().chat
        try:
            parsed = await _parse(request, presets)
            request.state.end_user = parsed.end_user
            async with WhileConnected(request.receive):
                return await _respond(chat, parsed, request)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)

    return create_chat_completion


async def _parse(request: Request, presets: Mapping[str, Preset]) -> Parsed:
    body = await read_body(request)
    if is_quick(body):
        return parse_chat(body, presets)
    return await asyncio.to_thread(parse_chat, body, presets)


async def _respond(chat: ChatService, parsed: Parsed, request: Request) -> Response:
    request_id = request.state.request_id
    want_logprobs = parsed.request.sampling.logprobs
    if parsed.is_stream:
        chunks = Chunks(
            request_id=request_id,
            model=chat.model,
            include_usage=parsed.include_usage,
            want_logprobs=want_logprobs,
        )
        deltas = chat.stream(parsed.request, caller=request.state.caller, request_id=request_id)
        stream = EventStream[Delta](deltas, chunks.of)
        await stream.open()
        return stream
    answer = await chat.answer(parsed.request, caller=request.state.caller, request_id=request_id)
    return JSONResponse(
        whole(answer, request_id=request_id, model=chat.model, want_logprobs=want_logprobs),
        headers={"Server-Timing": server_timing(answer.usage.timings)},
    )
