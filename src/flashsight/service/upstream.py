"""UpstreamBackend: answers by asking another server that speaks OpenAI's protocol. Computes nothing itself.

Conversation -> request body -> server-sent events -> Delta. What the protocol's default says is left out of the body,
so that servers which refuse fields they don't know are asked nothing strange.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2

from flashsight.core.errors import (
    BodyTooLarge,
    EngineFault,
    FlashSightError,
    Forbidden,
    KeyRequired,
    ModelNotFound,
    NotReady,
    OptionRefused,
    Overloaded,
    RequestError,
)
from flashsight.core.types import (
    ChoiceConstraint,
    Constraint,
    Conversation,
    Delta,
    JsonConstraint,
    Message,
    PicturePart,
    PictureRef,
    Sampling,
    TextPart,
)
from flashsight.service.events import EventReader

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 600.0
"""Longest wait for the next piece of an answer; a queue at the other side counts too."""

RETRY_SECONDS = 2.0
"""After how long to come back where a full server does not say."""

_OPTIONS = (
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "n",
    "max_tokens",
    "ignore_eos",
    "logprobs",
    "top_logprobs",
)


class Unreachable(FlashSightError):
    """No server answers at the address, or it went away in the middle of an answer."""

    code = "server_unreachable"


class UpstreamBackend:
    """A ChatBackend over HTTP. Close it (`aclose`, or `async with`) to give its connections back."""

    def __init__(self, url: str, *, model: str, api_key: str | None = None) -> None:
        """url: the server's address, with or without /v1. model: the name that it serves."""
        self.base = url.rstrip("/").removesuffix("/v1")
        self.model = model
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx2.Timeout(CONNECT_SECONDS, read=SILENT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32),
        )

    async def __aenter__(self) -> UpstreamBackend:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """Yield the other server's deltas, Usage last, with zeros where it does not count.

        Its refusals come as the errors that this server would raise; Unreachable where there is none.
        """
        if conversation.tools or sampling.calls is not None:
            raise OptionRefused("tools are not passed on to another server; ask without them", param="tools")
        reader = EventReader(num_choices=sampling.n)
        body = await asyncio.to_thread(self._body, conversation, sampling)
        headers = {"Content-Type": "application/json", "X-Request-ID": conversation.request_id}
        address = f"{self.base}/v1/chat/completions"
        try:
            async with self._client.stream("POST", address, content=body, headers=headers) as response:
                if response.status_code != 200:
                    raise refusal(response.status_code, response.headers, await response.aread())
                async for line in response.aiter_lines():
                    for delta in reader.read(line):
                        yield delta
        except httpx2.InvalidURL:
            raise RequestError(f"{self.base} is no address of a server; write http://host:port", param="url") from None
        except httpx2.TransportError as error:
            raise self._gone(error) from None
        yield reader.finish()

    def _body(self, conversation: Conversation, sampling: Sampling) -> bytes:
        return json.dumps(body_of(conversation, sampling, model=self.model), ensure_ascii=False).encode()

    def _gone(self, error: httpx2.TransportError) -> Unreachable:
        if isinstance(error, httpx2.ReadTimeout):
            return Unreachable(f"{self.base} was silent for {SILENT_SECONDS:.0f} s; see what holds it up")
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return Unreachable(f"no server answers at {self.base}; start one with `flashsight serve`, or correct --url")
        return Unreachable(f"{self.base} went away in the middle of an answer; start it again, then ask again")


def body_of(conversation: Conversation, sampling: Sampling, *, model: str) -> dict[str, Any]:
    """The request as OpenAI's protocol writes it; only what differs from the protocol's defaults."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": each.role, "content": _content(each)} for each in conversation.messages],
        "temperature": sampling.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    usual = Sampling()
    for name in _OPTIONS:
        if getattr(sampling, name) != getattr(usual, name):
            body[name] = getattr(sampling, name)
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    if conversation.thinking:
        budget = {} if sampling.thinking_tokens is None else {"budget_tokens": sampling.thinking_tokens}
        body["thinking"] = {"type": "enabled"} | budget
    return body | _format(sampling.constraint)


def _format(constraint: Constraint | None) -> dict[str, Any]:
    if constraint is None:
        return {}
    if isinstance(constraint, JsonConstraint):
        if constraint.schema is None:
            return {"response_format": {"type": "json_object"}}
        schema = {"name": "answer", "strict": True, "schema": constraint.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if isinstance(constraint, ChoiceConstraint):
        return {"structured_outputs": {"choice": list(constraint.options)}}
    return {"structured_outputs": {"regex": constraint.pattern}}


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Plain text stays a string: some servers take parts from users only."""
    if all(isinstance(part, TextPart) for part in message.parts):
        return "".join(part.text for part in message.parts if isinstance(part, TextPart))
    return [_part(part) for part in message.parts]


def _part(part: TextPart | PictureRef | PicturePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, PictureRef):
        url = part.url
    else:
        url = f"data:image/{part.media.format};base64,{base64.b64encode(part.media.content).decode('ascii')}"
    detail = {} if part.detail == "auto" else {"detail": part.detail}
    return {"type": "image_url", "image_url": {"url": url} | detail}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> FlashSightError:
    """The error that an answer other than 200 stands for, in the other server's own words."""
    said = _error_in(body)
    message = str(said.get("message") or f"the server answered {status}")[:1000]
    code = said["code"] if isinstance(said.get("code"), str) else None
    param = said["param"] if isinstance(said.get("param"), str) else None
    if status == 401:
        return KeyRequired(f"{message} (--api-key)", code=code)
    if status == 403 or code == "insufficient_quota":
        return Forbidden(message, code=code)
    if status == 404:
        return ModelNotFound(message, code=code, param=param)
    if status == 413:
        return BodyTooLarge(message, code=code)
    if status == 429:
        return Overloaded(message, retry_after_seconds=_retry_after(headers), code=code)
    if status == 503:
        return NotReady(message, code=code)
    if 400 <= status < 500:
        return RequestError(message, code=code, param=param)
    return EngineFault(message)


def _error_in(body: bytes) -> Mapping[str, Any]:
    """OpenAI's {"error": {...}}, or the bare {"message": ...} of some servers."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    inner = said.get("error", said) if isinstance(said, dict) else None
    return inner if isinstance(inner, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return RETRY_SECONDS
