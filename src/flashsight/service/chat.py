"""The one road of a chat: references -> gate -> Conversation -> backend. Knows neither HTTP nor tokens.

The whole answer is the stream, joined; every entry (API, page, batch) goes through here, so none misses a limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from flashsight.core.errors import FlashSightError, ModelNotFound, OptionRefused, PictureError
from flashsight.core.tools import ToolCall
from flashsight.core.types import (
    Box,
    Caller,
    ChatRequest,
    Conversation,
    Delta,
    Finish,
    FinishReason,
    Media,
    Message,
    PicturePart,
    PictureRef,
    ReasoningDelta,
    TextDelta,
    TextLogprob,
    TextPart,
    ToolCallDelta,
    Usage,
)
from flashsight.service.backend import ChatBackend, PictureGate, PromptReader
from flashsight.service.library import Library


@dataclass(slots=True, kw_only=True)
class Choice:
    """One whole answer, as its deltas have built it so far."""

    text: str = ""
    reasoning: str = ""
    logprobs: list[TextLogprob] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    boxes: tuple[Box, ...] = ()
    finish: FinishReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All choices of a request and what they cost."""

    choices: tuple[Choice, ...]
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended: for counters and records, never with a word of the conversation.

    error: the stable code of the error that ended it; "abandoned" when the caller left. first_seconds: from the call to
    the first piece of text, None if there was none.
    """

    request_id: str
    caller: str
    num_pictures: int
    first_seconds: float | None
    total_seconds: float
    usage: Usage | None
    error: str | None


class ChatObserver(Protocol):
    """Is told of every request once, when it has ended."""

    def ended(self, outcome: Outcome) -> None:
        """Take note; must neither block nor raise."""


class ChatService:
    """Answers requests for one served model."""

    def __init__(
        self,
        gate: PictureGate,
        backend: ChatBackend,
        *,
        model: str,
        max_pictures: int,
        observers: Sequence[ChatObserver] = (),
        reader: PromptReader | None = None,
        library: Library | None = None,
    ) -> None:
        """`model` is the name that requests must use; `max_pictures` counts those of a whole request.

        reader: who tells the tokens of a prompt, where the backend lets anybody know them.
        library: where pictures that were uploaded before are found; without it only the gate knows references.
        """
        self._reader = reader
        self._gate = gate
        self._backend = backend
        self.model = model
        self._max_pictures = max_pictures
        self._observers = tuple(observers)
        self._library = library

    async def stream(self, request: ChatRequest, *, caller: Caller, request_id: str) -> AsyncGenerator[Delta, None]:
        """Yield the answer's deltas, Usage last. Close it early (`aclosing`) to abandon the work.

        Raises ModelNotFound, RequestError, Overloaded … before the first delta wherever they can be known then.
        """
        watch = _Watch(request, caller, request_id)
        try:
            self._check(request)
            conversation = Conversation(
                messages=await self._admit(request.messages, caller),
                caller=caller,
                request_id=request_id,
                thinking=request.thinking,
                tools=request.tools,
            )
            self._note_pictures(conversation)
            async with aclosing(self._backend.stream(conversation, request.sampling)) as deltas:
                async for delta in deltas:
                    watch.see(delta)
                    yield delta
            watch.error = None
        except FlashSightError as error:
            watch.error = error.code
            raise
        except Exception:
            watch.error = "internal_error"
            raise
        finally:
            outcome = watch.outcome()
            for observer in self._observers:
                observer.ended(outcome)

    async def answer(self, request: ChatRequest, *, caller: Caller, request_id: str) -> Answer:
        """Return the whole answer: the stream, joined."""
        choices = [Choice() for _ in range(request.sampling.n)]
        usage: Usage | None = None
        async with aclosing(self.stream(request, caller=caller, request_id=request_id)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Usage):
                    usage = delta
                else:
                    _join(choices[delta.index], delta)
        assert usage is not None, "a backend's stream ends with Usage"
        return Answer(choices=tuple(choices), usage=usage)

    async def tokenize(self, prompt: ChatRequest | str, *, caller: Caller, request_id: str) -> tuple[list[int], int]:
        """Return the ids of a text or of a whole conversation, and the most that prompt and answer may have together.

        Raises what a chat of the same messages would; OptionRefused where the backend does not tell its tokens.
        """
        if self._reader is None:
            raise OptionRefused("the backend behind this server does not tell its tokens")
        if isinstance(prompt, str):
            return await self._reader.read(prompt), self._reader.context_tokens
        self._check(prompt)
        conversation = Conversation(
            messages=await self._admit(prompt.messages, caller),
            caller=caller,
            request_id=request_id,
            thinking=prompt.thinking,
            tools=prompt.tools,
        )
        return await self._reader.read(conversation), self._reader.context_tokens

    def _check(self, request: ChatRequest) -> None:
        if request.model != self.model:
            raise ModelNotFound(
                f"the model {request.model[:80]!r} is not served here; this server serves {self.model!r}", param="model"
            )
        count = _count_pictures(request)
        if count > self._max_pictures:
            raise PictureError(
                f"the request has {count} pictures, the limit is {self._max_pictures}; send fewer",
                code="too_many_images",
                param="messages",
            )

    async def _admit(self, messages: Sequence[Message], caller: Caller) -> tuple[Message, ...]:
        """Pass all pictures through the gate at once; the first bad one, in the request's order, is reported."""
        refs = [part for message in messages for part in message.parts if isinstance(part, PictureRef)]
        if len(refs) < 2:  # nothing to do side by side, so no task is worth its turns of the event loop
            alone = iter([await self.picture(ref, caller=caller) for ref in refs])
            return tuple(_past_the_gate(message, alone) for message in messages)
        tasks = [asyncio.create_task(self.picture(ref, caller=caller)) for ref in refs]
        try:
            admitted = iter([await task for task in tasks])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return tuple(_past_the_gate(message, admitted) for message in messages)

    async def picture(self, ref: PictureRef, *, caller: Caller) -> Media:
        """Return the picture that a reference names, past the gate; raise PictureError or FileNotFound."""
        uploaded = self._library.find(ref, caller) if self._library is not None else None
        return uploaded or await self._gate.admit(ref)

    def _note_pictures(self, conversation: Conversation) -> None:
        for message in conversation.messages:
            for part in message.parts:
                if self._library is not None and isinstance(part, PicturePart):
                    self._library.asked_about(part.media, conversation.caller)


def _past_the_gate(message: Message, admitted: Iterator[Media]) -> Message:
    """Put the next admitted pictures in the places of the message's references."""
    parts: list[TextPart | PictureRef | PicturePart] = []
    for part in message.parts:
        if isinstance(part, PictureRef):
            parts.append(PicturePart(media=next(admitted), detail=part.detail, param=part.param))
        else:
            parts.append(part)
    return replace(message, parts=tuple(parts))


def _count_pictures(request: ChatRequest) -> int:
    return sum(isinstance(part, PictureRef) for message in request.messages for part in message.parts)


def _join(choice: Choice, delta: TextDelta | ReasoningDelta | ToolCallDelta | Finish) -> None:
    if isinstance(delta, TextDelta):
        choice.text += delta.text
        choice.logprobs.extend(delta.logprobs)
    elif isinstance(delta, ReasoningDelta):
        choice.reasoning += delta.text
    elif isinstance(delta, ToolCallDelta):
        _join_call(choice, delta)
    else:
        choice.finish = delta.reason
        choice.boxes = delta.boxes


def _join_call(choice: Choice, delta: ToolCallDelta) -> None:
    if delta.call == len(choice.tool_calls):
        choice.tool_calls.append(ToolCall(id=delta.id or "", name=delta.name or "", arguments=delta.arguments))
    else:
        begun = choice.tool_calls[delta.call]
        choice.tool_calls[delta.call] = replace(begun, arguments=begun.arguments + delta.arguments)


class _Watch:
    """Times of one request."""

    def __init__(self, request: ChatRequest, caller: Caller, request_id: str) -> None:
        self._request_id = request_id
        self._caller = caller.name
        self._num_pictures = _count_pictures(request)
        self._began_at = time.monotonic()
        self._first_at: float | None = None
        self._usage: Usage | None = None
        self.error: str | None = "abandoned"

    def see(self, delta: Delta) -> None:
        if isinstance(delta, Usage):
            self._usage = delta
        elif self._first_at is None and isinstance(delta, TextDelta | ReasoningDelta | ToolCallDelta):
            self._first_at = time.monotonic()

    def outcome(self) -> Outcome:
        return Outcome(
            request_id=self._request_id,
            caller=self._caller,
            num_pictures=self._num_pictures,
            first_seconds=None if self._first_at is None else self._first_at - self._began_at,
            total_seconds=time.monotonic() - self._began_at,
            usage=self._usage,
            error=self.error,
        )
