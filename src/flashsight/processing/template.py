"""GLM's chat template in our own code: a conversation becomes special ids, plain text and pictures, in order.

Nothing is rendered to one string and parsed again, so no text can pose as a role or a picture; a checkpoint's own
template is never run. Knows no encoding of text and no size of a picture.

    [gMASK]<sop><|system|>\\n…<|user|>\\n…<|assistant|>\\n<think></think>\\n…<|user|>\\n…/nothink<|assistant|>\\n<think></think>\\n
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flashsight.core.errors import OptionRefused
from flashsight.core.types import Message, PicturePart, TextPart
from flashsight.processing.tokenizer import Tokenizer

Piece = int | str | PicturePart
"""A special token's id, a run of plain text, or a picture (its begin and end tokens stand around it)."""


class ChatTemplate:
    """Lays out conversations for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Look up the special tokens; CheckpointError if one is missing."""
        self._mask, self._sop = tokenizer.id_of("[gMASK]"), tokenizer.id_of("<sop>")
        self._roles = {role: tokenizer.id_of(f"<|{role}|>") for role in ("system", "user", "assistant")}
        self._think, self._think_end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
        self._nothink = tokenizer.id_of("/nothink")
        self._picture, self._picture_end = tokenizer.id_of("<|begin_of_image|>"), tokenizer.id_of("<|end_of_image|>")

    def lay_out(self, messages: Sequence[Message], *, thinking: bool) -> list[Piece]:
        """Return the pieces of a prompt that asks for the next answer; no two runs of text are neighbours.

        Raises OptionRefused for a message of the role `tool`.
        """
        return list(_joined(self._pieces(messages, thinking)))

    def opening(self, picture: PicturePart) -> list[Piece]:
        """Return the pieces that every chat begins with whose first message is a question that opens with a picture."""
        return [self._mask, self._sop, self._roles["user"], "\n", self._picture, picture, self._picture_end]

    def _pieces(self, messages: Sequence[Message], thinking: bool) -> Iterator[Piece]:
        yield from (self._mask, self._sop)
        last_question = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
        for number, message in enumerate(messages):
            if message.role == "tool":
                raise OptionRefused(
                    "messages of the role 'tool' are not supported; put the result into a user message",
                    param=f"messages[{number}].role",
                )
            yield self._roles[message.role]
            yield "\n"
            if message.role == "assistant":
                yield from self._answer(message, keep_thinking=number > last_question)
                continue
            yield from self._parts(message)
            if message.role == "user" and not thinking:
                yield self._nothink
        yield from (self._roles["assistant"], "\n")
        if not thinking:
            yield from (self._think, self._think_end, "\n")

    def _parts(self, message: Message) -> Iterator[Piece]:
        for part in message.parts:
            if isinstance(part, TextPart):
                yield part.text
            else:
                assert isinstance(part, PicturePart), "pictures pass the media gate before they are laid out"
                yield from (self._picture, part, self._picture_end)

    def _answer(self, message: Message, *, keep_thinking: bool) -> Iterator[Piece]:
        """An answer to an earlier question loses its thinking, as the model was trained."""
        text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
        thought = text.partition("</think>")[0].rpartition("<think>")[2].strip() if "</think>" in text else ""
        yield self._think
        if keep_thinking:
            yield thought
        yield self._think_end
        spoken = text.rpartition("</think>")[2].strip()
        if spoken:
            yield "\n" + spoken


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join neighbouring runs of text, because a tokenizer may merge across their seam."""
    run = ""
    for piece in pieces:
        if isinstance(piece, str):
            run += piece
            continue
        if run:
            yield run
            run = ""
        yield piece
    if run:
        yield run
