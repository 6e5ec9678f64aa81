"""POST /tokenize: the ids of a text, or of a whole conversation as the model would read it. Decodes no picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flashsight.core.errors import ModelNotFound, RequestError
from flashsight.core.types import ChatRequest, Sampling
from flashsight.server.faults import sentence
from flashsight.server.parse import messages_of, thinking_of
from flashsight.server.protocol import (
    MAX_MESSAGES,
    MAX_TOOLS,
    AnyMessage,
    Body,
    TemplateArguments,
    ThinkingSwitch,
    ToolBody,
)
from flashsight.server.sse import CLIENT_CLOSED_REQUEST, ClientGone, read_body
from flashsight.server.tools import tools_of
from flashsight.service import Readiness


class TokenizeBody(Body):
    """Exactly one of `text` and `messages`; the switches are those of a chat. `model` None is the served one."""

    model: str | None = None
    text: str | None = None
    messages: Annotated[list[AnyMessage], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None
    thinking: ThinkingSwitch | None = None
    chat_template_kwargs: TemplateArguments | None = None
    tools: Annotated[list[ToolBody], Field(max_length=MAX_TOOLS)] | None = None


def tokenize_endpoint(readiness: Readiness) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint; it asks `readiness` for the parts with each request."""

    async def tokenize(request: Request) -> Response:
        """Return the tokens of a text or of a conversation, pictures' placeholders included, and the model's limit."""
        chat = readiness.require().chat
        try:
            body = await read_body(request)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        prompt = await asyncio.to_thread(parse_tokenize, body, served=chat.model)
        state = request.state
        ids, limit = await chat.tokenize(prompt, caller=state.caller, request_id=state.request_id)
        return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": limit})

    return tokenize


def parse_tokenize(body: bytes, *, served: str) -> str | ChatRequest:
    """Return a text, or a chat to be laid out; raise RequestError naming the first field at fault."""
    try:
        parsed = TokenizeBody.model_validate_json(body)
    except ValidationError as error:
        raise sentence(error) from None
    if (parsed.text is None) == (parsed.messages is None):
        raise RequestError("exactly one of messages and text must be sent", param="messages")
    if parsed.text is not None:
        if parsed.thinking or parsed.chat_template_kwargs or parsed.tools:
            raise RequestError("a text is tokenised as it is; send no other field but the served model", param="text")
        if parsed.model not in (None, served):
            raise ModelNotFound(f"this server serves {served!r} only", param="model")
        return parsed.text
    assert parsed.messages is not None, "one of the two is there"
    return ChatRequest(
        model=parsed.model or served,
        messages=messages_of(parsed.messages),
        sampling=Sampling(),
        thinking=thinking_of(parsed),
        tools=tools_of(parsed.tools),
    )
