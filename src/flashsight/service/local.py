"""LocalBackend: answers with the engine of this process. Text on one side, token ids on the other; computes neither.

Conversation -> Processor -> ModelInput -> engine (one sequence a choice) -> AnswerWriter -> Delta
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from flashsight.core.errors import PictureError, PromptTooLong, RequestError, SchemaError, UnreadablePicture
from flashsight.core.types import (
    Caller,
    Constraint,
    Conversation,
    Delta,
    Detail,
    JsonConstraint,
    Media,
    ModelInput,
    PicturePart,
    PromptStats,
    Salt,
    Sampling,
    TextPart,
    TokenConstraint,
    TokenEvent,
    TokenSampling,
    Usage,
)
from flashsight.processing.bounds import BoundedThinking
from flashsight.processing.grammar import GrammarCompiler
from flashsight.processing.processor import PictureCost, Processor
from flashsight.service.merge import merged
from flashsight.service.writer import AnswerWriter

SHORT_CHARACTERS, SHORT_MESSAGES = 512, 16
"""A conversation up to this size becomes ids in a tenth of a millisecond, so on the event loop; others on a thread."""


class TokenEngine(Protocol):
    """The engine's public face, as far as an answer needs it."""

    def generate(
        self, prompt: ModelInput, sampling: TokenSampling, *, salt: Salt, request_id: str
    ) -> AsyncGenerator[TokenEvent, None]:
        """Yield one sequence's events; closing the generator early aborts the sequence."""

    async def prewarm(self, prompt: ModelInput, *, salt: Salt, request_id: str) -> PromptStats:
        """Bring a prompt into the caches, behind all answers; cancelling it drops the work."""


class LocalBackend:
    """A ChatBackend and a PictureReader over a processor and an engine."""

    def __init__(
        self,
        processor: Processor,
        engine: TokenEngine,
        *,
        context_tokens: int,
        vocabulary_size: int,
        is_random: bool = False,
    ) -> None:
        """context_tokens: prompt and answer together. vocabulary_size: logits of the model.

        is_random: the weights are. Then only whole characters are drawn, as a trained model draws them, for a first
        token that shows nothing would be timed as a late one.
        """
        self._processor = processor
        self._grammars = GrammarCompiler(processor.tokenizer)
        self._engine = engine
        self.context_tokens = context_tokens
        self._vocabulary_size = vocabulary_size
        self._stop_ids = processor.tokenizer.stop_ids
        # The same tuple for every request of one kind: the sampler keeps what it has made of it.
        never = processor.tokenizer.banned_ids(vocabulary_size)
        if is_random:
            never = (*never, *processor.tokenizer.fragments())
        tool_call = [number for text, number in processor.tokenizer.special.items() if text == "<tool_call>"]
        self._banned_ids = {
            (goes_on, calls): (*never, *(sorted(self._stop_ids) if goes_on else ()), *(() if calls else tool_call))
            for goes_on in (False, True)
            for calls in (False, True)
        }

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of all choices, Usage last.

        Asking for more tokens than the context leaves is PromptTooLong, as OpenAI has it; asking for none in
        particular gets what the context leaves.
        """
        if _is_short(conversation, sampling):
            prompt, constraints = self._prepare(conversation, sampling)
        else:
            prompt, constraints = await asyncio.to_thread(self._prepare, conversation, sampling)
        max_tokens = self._room(len(prompt.ids), sampling.max_tokens)
        sizes = [part.media.turned_size for part in _pictures(conversation)]
        tools = sampling.calls.tools if sampling.calls is not None else ()
        answer = _Answer(self._engine, conversation, prompt, picture_tiles=self._tiles(conversation))
        choices = []
        for index in range(sampling.n):
            writer = AnswerWriter(
                index, self._processor.tokenizer, stops=sampling.stop, turned_sizes=sizes, tools=tools
            )
            choices.append(answer.choice(writer, self._token_sampling(sampling, index, max_tokens, constraints[index])))
        async with aclosing(merged(choices)) as deltas:
            async for delta in deltas:
                yield delta
        yield answer.usage()

    async def read(self, prompt: Conversation | str) -> list[int]:
        """Return the ids of a conversation that asks for its next answer, or of a bare text; no picture is decoded."""
        ids: list[int] = await asyncio.to_thread(self._read, prompt)
        return ids

    def _read(self, prompt: Conversation | str) -> list[int]:
        if isinstance(prompt, str):
            return self._processor.tokenizer.encode(prompt)
        return [int(number) for number in self._processor.prepare(prompt).ids]

    async def prewarm(self, media: Media, *, caller: Caller, request_id: str) -> PromptStats:
        """Bring the beginning of a chat that opens with this picture into the caches, behind all answers."""
        picture = PicturePart(media=media, param="file")
        prompt = await asyncio.to_thread(self._processor.prepare_opening, picture)
        return await self._engine.prewarm(prompt, salt=caller.salt, request_id=request_id)

    def cost(self, media: Media, detail: Detail) -> PictureCost:
        """Tell what the picture takes in a prompt, from its header alone."""
        return self._processor.describe(media, detail)

    def _prepare(
        self, conversation: Conversation, sampling: Sampling
    ) -> tuple[ModelInput, list[TokenConstraint | None]]:
        """Return the prompt and each choice's constraint; takes a while unless it `_is_short`."""
        for token, _ in sampling.logit_bias:
            if not 0 <= token < self._vocabulary_size:
                raise RequestError(
                    f"logit_bias names token {token}; the model's tokens are 0 to {self._vocabulary_size - 1}",
                    param="logit_bias",
                )
        constraints = [self._constraint(conversation, sampling) for _ in range(sampling.n)]
        return self._processor.prepare(conversation), constraints

    def _tiles(self, conversation: Conversation) -> tuple[int, ...]:
        """Return how many tiles each picture is read in; nothing where none was asked for in detail."""
        pictures = _pictures(conversation)
        if all(part.detail != "high" for part in pictures):
            return ()
        tiles = (self._processor.describe(part.media, part.detail).tiles for part in pictures)
        return tuple(0 if each is None else each.num_tiles for each in tiles)

    def _constraint(self, conversation: Conversation, sampling: Sampling) -> TokenConstraint | None:
        """Return a fresh constraint for one choice; whoever may think is kept from thinking for ever."""
        grammar = self._grammar(sampling, thinking=conversation.thinking)
        if not conversation.thinking:
            return grammar
        tokenizer = self._processor.tokenizer
        think, think_end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
        return BoundedThinking(grammar, think=think, think_end=think_end, max_tokens=sampling.thinking_tokens)

    def _grammar(self, sampling: Sampling, *, thinking: bool) -> TokenConstraint | None:
        wanted, calls = sampling.constraint, sampling.calls
        try:
            if calls is not None:
                return self._grammars.compile_calls(calls, wanted, thinking=thinking)
            return None if wanted is None else self._grammars.compile(wanted, thinking=thinking)
        except SchemaError as error:
            error.param = error.param or ("tools" if wanted is None else _field_of(wanted))
            raise

    def _room(self, num_prompt: int, max_tokens: int | None) -> int:
        """Return how long the answer may be. The words are OpenAI's: clients tell this error by them."""
        room = self.context_tokens - num_prompt
        if room < 1:
            raise PromptTooLong(
                f"the prompt has {num_prompt} tokens, this model's maximum context length is {self.context_tokens}; "
                "send fewer or smaller pictures, ask for less detail of them, or write a shorter text",
                param="messages",
            )
        if max_tokens is not None and max_tokens > room:
            raise PromptTooLong(
                f"the prompt has {num_prompt} tokens and max_tokens asks for {max_tokens} more, this model's maximum "
                f"context length is {self.context_tokens}; ask for at most {room}",
                param="max_tokens",
            )
        return room if max_tokens is None else max_tokens

    def _token_sampling(
        self, sampling: Sampling, index: int, max_tokens: int, constraint: TokenConstraint | None
    ) -> TokenSampling:
        stop_ids = frozenset[int]() if sampling.ignore_eos else self._stop_ids
        return TokenSampling(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            seed=None if sampling.seed is None else (sampling.seed + index) % 2**63,
            logit_bias=sampling.logit_bias,
            num_logprobs=sampling.top_logprobs if sampling.logprobs else None,
            max_tokens=max_tokens,
            stop_ids=stop_ids,
            banned_ids=self._banned_ids[sampling.ignore_eos, sampling.calls is not None],
            constraint=constraint,
        )


def _pictures(conversation: Conversation) -> list[PicturePart]:
    return [part for message in conversation.messages for part in message.parts if isinstance(part, PicturePart)]


def _is_short(conversation: Conversation, sampling: Sampling) -> bool:
    """Tell whether laying it out takes less than handing it to a thread and taking it back."""
    if conversation.tools or sampling.calls is not None or sampling.constraint is not None:
        return False
    if len(conversation.messages) > SHORT_MESSAGES or any(part.detail == "high" for part in _pictures(conversation)):
        return False
    parts = (part for message in conversation.messages for part in message.parts if isinstance(part, TextPart))
    said = sum(len(part.text) for part in parts) + sum(len(message.reasoning) for message in conversation.messages)
    return said <= SHORT_CHARACTERS and not any(message.tool_calls for message in conversation.messages)


def _in_own_name(error: UnreadablePicture, prompt: ModelInput) -> PictureError:
    """Return the error with the name that this request has for the picture; it may be shared with other requests."""
    param = next((picture.param for picture in prompt.pictures if picture.key == error.key), None)
    return PictureError(error.message, code=error.code, param=param)


def _field_of(constraint: Constraint) -> str:
    return "response_format" if isinstance(constraint, JsonConstraint) else "structured_outputs"


class _Answer:
    """All choices of one conversation. Choice 0 reads the prompt; the others begin once they can share what it read."""

    def __init__(
        self,
        engine: TokenEngine,
        conversation: Conversation,
        prompt: ModelInput,
        *,
        picture_tiles: tuple[int, ...] = (),
    ) -> None:
        self._engine = engine
        self._conversation = conversation
        self._prompt = prompt
        self._picture_tiles = picture_tiles
        self._writers: list[AnswerWriter] = []
        self._is_read = asyncio.Event()
        self._stats: PromptStats | None = None

    def choice(self, writer: AnswerWriter, sampling: TokenSampling) -> AsyncGenerator[Delta, None]:
        """Return the deltas of one choice; the first one made is choice 0."""
        self._writers.append(writer)
        return self._write(writer, sampling)

    def usage(self) -> Usage:
        """Return the counts of all choices; the prompt counts once."""
        stats = self._stats
        assert stats is not None, "the first event of a sequence carries its stats"
        return Usage(
            prompt_tokens=stats.prompt_tokens,
            completion_tokens=sum(writer.num_tokens for writer in self._writers),
            reasoning_tokens=sum(writer.num_reasoning for writer in self._writers),
            picture_tokens=stats.picture_tokens,
            cached_tokens=stats.cached_tokens,
            picture_level=stats.picture_level,
            timings=stats.timings,
            picture_tiles=self._picture_tiles,
        )

    async def _write(self, writer: AnswerWriter, sampling: TokenSampling) -> AsyncGenerator[Delta, None]:
        if writer.index > 0:
            await self._is_read.wait()
        request_id = self._conversation.request_id
        events = self._engine.generate(
            self._prompt,
            sampling,
            salt=self._conversation.caller.salt,
            request_id=request_id if writer.index == 0 else f"{request_id}.{writer.index}",
        )
        try:
            async with aclosing(events):
                async for event in events:
                    if writer.index == 0 and event.stats is not None:
                        self._stats = event.stats
                        self._is_read.set()
                    for delta in writer.write(event):
                        yield delta
                    if writer.is_finished:
                        return
        except UnreadablePicture as error:
            raise _in_own_name(error, self._prompt) from None
