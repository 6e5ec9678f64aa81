"""The tokens of one choice -> its deltas: thinking and calls apart, characters whole, stop strings cut, boxes last.

Knows no engine and no other choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from flashsight.core.tools import Tool
from flashsight.core.types import (
    Delta,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextLogprob,
    TokenEvent,
    TokenLogprob,
    ToolCallDelta,
)
from flashsight.processing.boxes import parse_boxes
from flashsight.processing.stops import StopStrings
from flashsight.processing.thinking import Spoken, ThinkingSplitter
from flashsight.processing.tokenizer import Tokenizer
from flashsight.processing.toolcalls import ToolCallReader


class AnswerWriter:
    """Writes choice `index`.

    Stop strings are looked for in the content, never in the reasoning. Where one is found the answer ends before it,
    and `is_finished` says that no further token is wanted.

    A token's logprob goes out with the first of its characters; a token that shows no character goes with the next.
    """

    def __init__(
        self,
        index: int,
        tokenizer: Tokenizer,
        *,
        stops: Sequence[str] = (),
        turned_sizes: Sequence[tuple[int, int]] = (),
        tools: Sequence[Tool] = (),
    ) -> None:
        """turned_sizes: (width, height) in pixels of each picture of the conversation, for its boxes.

        tools: those that the answer may call.
        """
        self.index = index
        self.num_tokens = 0
        self.num_reasoning = 0
        self.is_finished = False
        self._tokenizer = tokenizer
        self._splitter = ThinkingSplitter(tokenizer)
        self._stops = StopStrings(stops)
        self._turned_sizes = tuple(turned_sizes)
        self._calls = ToolCallReader(tokenizer, tools) if tools else None
        self._ids: list[int] = []
        self._num_spoken = self._num_shown = 0
        self._unsent: deque[tuple[int, TextLogprob]] = deque()

    def write(self, event: TokenEvent) -> Iterator[Delta]:
        """Yield what this event adds, with a Finish when it is the last."""
        if event.token is not None:
            if self._calls is not None and not self._splitter.is_thinking and self._calls.takes(event.token):
                yield from self._call(self._calls, event.token)
            else:
                for spoken in self._take(event.token, event):
                    yield from self._say(spoken)
        if self._stops.is_stopped:
            yield from self._finish("stop")
        elif event.finish is not None:
            for spoken in self._splitter.finish():
                yield from self._say(spoken)
            yield from self._finish("stop" if self._stops.is_stopped else self._reason(event.finish))

    def _call(self, calls: ToolCallReader, token: int) -> Iterator[Delta]:
        self.num_tokens += 1
        for piece in calls.push(token):
            yield ToolCallDelta(
                index=self.index, call=piece.call, id=piece.id, name=piece.name, arguments=piece.arguments
            )

    def _reason(self, finish: FinishReason) -> FinishReason:
        has_called = self._calls is not None and self._calls.num_calls > 0
        return "tool_calls" if finish == "stop" and has_called else finish

    def _take(self, token: int, event: TokenEvent) -> list[Spoken]:
        was_thinking = self._splitter.is_thinking
        spoken = self._splitter.push(token)
        self.num_tokens += 1
        if was_thinking or self._splitter.is_thinking:
            self.num_reasoning += 1
            return spoken
        self._ids.append(token)
        if event.logprob is not None and not self._tokenizer.is_special(token):
            self._unsent.append((self._num_spoken, self._in_text(event.logprob, event.top)))
        return spoken

    def _say(self, spoken: Spoken) -> Iterator[Delta]:
        if spoken.side == "reasoning":
            yield ReasoningDelta(index=self.index, text=spoken.text)
            return
        if self._calls is not None and self._calls.num_calls and spoken.text.isspace():
            return  # line breaks between calls
        self._num_spoken += len(spoken.text)
        yield from self._show(self._stops.push(spoken.text))

    def _show(self, text: str) -> Iterator[Delta]:
        if text:
            self._num_shown += len(text)
            yield TextDelta(index=self.index, text=text, logprobs=tuple(self._sendable()))

    def _sendable(self) -> Iterator[TextLogprob]:
        while self._unsent and self._unsent[0][0] < self._num_shown:
            yield self._unsent.popleft()[1]

    def _finish(self, reason: FinishReason) -> Iterator[Delta]:
        yield from self._show(self._stops.finish())
        if self._unsent and not self._stops.is_stopped:
            rest = tuple(logprob for _, logprob in self._unsent)
            yield TextDelta(index=self.index, text="", logprobs=rest)
        self.is_finished = True
        tagged = self._tokenizer.decode(self._ids, keep_special=True)
        yield Finish(index=self.index, reason=reason, boxes=parse_boxes(tagged, self._turned_sizes))

    def _in_text(self, chosen: TokenLogprob, top: Sequence[TokenLogprob] = ()) -> TextLogprob:
        token_bytes = self._tokenizer.token_bytes(chosen.token)
        return TextLogprob(
            token=token_bytes.decode("utf-8", "replace"),
            token_bytes=token_bytes,
            logprob=chosen.logprob,
            top=tuple(self._in_text(other) for other in top),
        )
