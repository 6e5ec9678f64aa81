"""Splits an answer's stream of ids into reasoning and content at the think tags. Knows no stop string.

The tags count as ids only: an answer that spells `<think>` in ordinary characters speaks about the tag. Line breaks
right after a tag belong to neither side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flashsight.processing.detokenizer import Detokenizer
from flashsight.processing.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of text and the side it belongs to; `text` may be empty while a character is not whole yet."""

    side: Literal["reasoning", "content"]
    text: str


class ThinkingSplitter:
    """One answer's stream. It starts on the side of content, until the model opens its thinking."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._think, self._think_end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
        self._side: Literal["reasoning", "content"] = "content"
        self._text = Detokenizer(tokenizer)
        self._at_seam = False

    @property
    def is_thinking(self) -> bool:
        """True between the tags: tokens now count as reasoning."""
        return self._side == "reasoning"

    def push(self, number: int) -> list[Spoken]:
        """Return what this token adds; a tag ends one side and adds nothing of its own."""
        if number == self._think:
            return self._turn_to("reasoning")
        if number == self._think_end:
            return self._turn_to("content")
        return self._spoken(self._text.push(number))

    def finish(self) -> list[Spoken]:
        """Return what was held back of a character that never became whole."""
        return self._spoken(self._text.finish())

    def _turn_to(self, side: Literal["reasoning", "content"]) -> list[Spoken]:
        rest = self.finish()
        self._side, self._at_seam = side, True
        self._text = Detokenizer(self._tokenizer)
        return rest

    def _spoken(self, text: str) -> list[Spoken]:
        if self._at_seam:
            text = text.lstrip("\r\n")
            self._at_seam = not text
        return [Spoken(self._side, text)] if text else []
