"""GLM's chat template in our own code: a conversation becomes special ids, plain text and pictures, in order.

Nothing is rendered to one string and parsed again, so no text can pose as a role or a picture; a checkpoint's own
template is never run. Knows no encoding of text and no size of a picture.

    [gMASK]<sop><|system|>\\n…<|user|>\\n…<|assistant|>\\n<think></think>\\n…<|user|>\\n…/nothink<|assistant|>\\n<think></think>\\n
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from flashsight.core.errors import OptionRefused
from flashsight.core.tools import Tool, ToolCall
from flashsight.core.types import Message, PicturePart, TextPart
from flashsight.processing.tokenizer import Tokenizer

Piece = int | str | PicturePart
"""A special token's id, a run of plain text, or a picture (its begin and end tokens stand around it)."""


TOOL_TAGS: Final = tuple(
    f"<{slash}{tag}>" for tag in ("tool_call", "tool_response", "arg_key", "arg_value") for slash in ("", "/")
)
_TAG: Final = re.compile("(" + "|".join(TOOL_TAGS) + ")")

_TOOLS_BEGIN: Final = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
"""
_TOOLS_END: Final = """</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}
<arg_key>{arg-key-1}</arg_key>
<arg_value>{arg-value-1}</arg_value>
<arg_key>{arg-key-2}</arg_key>
<arg_value>{arg-value-2}</arg_value>
...
</tool_call>"""


class ChatTemplate:
    """Lays out conversations for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Look up the special tokens; CheckpointError if one is missing."""
        self._mask, self._sop = tokenizer.id_of("[gMASK]"), tokenizer.id_of("<sop>")
        self._roles = {role: tokenizer.id_of(f"<|{role}|>") for role in ("system", "user", "assistant")}
        self._think, self._think_end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
        self._nothink = tokenizer.id_of("/nothink")
        self._observation = tokenizer.id_of("<|observation|>")
        self._tags = {tag: tokenizer.special[tag] for tag in TOOL_TAGS if tag in tokenizer.special}
        self._picture, self._picture_end = tokenizer.id_of("<|begin_of_image|>"), tokenizer.id_of("<|end_of_image|>")

    def lay_out(self, messages: Sequence[Message], *, thinking: bool, tools: Sequence[Tool] = ()) -> list[Piece]:
        """Return the pieces of a prompt that asks for the next answer; no two runs of text are neighbours.

        Raises OptionRefused for tools where the checkpoint has no tokens for them.
        """
        has_tools = tools or any(message.role == "tool" or message.tool_calls for message in messages)
        if has_tools and len(self._tags) < len(TOOL_TAGS):
            raise OptionRefused("the model that is served was not trained to call tools; leave them out", param="tools")
        return list(_joined(self._pieces(messages, thinking, tools)))

    def opening(self, picture: PicturePart) -> list[Piece]:
        """Return the pieces that every chat begins with whose first message is a question that opens with a picture."""
        return [self._mask, self._sop, self._roles["user"], "\n", self._picture, picture, self._picture_end]

    def _pieces(self, messages: Sequence[Message], thinking: bool, tools: Sequence[Tool]) -> Iterator[Piece]:
        yield from (self._mask, self._sop)
        if tools:
            yield from (self._roles["system"], "\n", *self._offer(tools))
        last_question = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
        for number, message in enumerate(messages):
            if message.role == "tool":
                if number == 0 or messages[number - 1].role != "tool":
                    yield self._observation
                yield from self._result(message)
                continue
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
        thought = message.reasoning.strip() or thought
        yield self._think
        if keep_thinking:
            yield thought
        yield self._think_end
        spoken = text.rpartition("</think>")[2].strip()
        if spoken:
            yield "\n" + spoken
        for call in message.tool_calls:
            yield from self._call(call)

    def _offer(self, tools: Sequence[Tool]) -> Iterator[Piece]:
        yield _TOOLS_BEGIN
        for tool in tools:
            yield json.dumps({"type": "function", "function": _signature(tool)}, ensure_ascii=False) + "\n"
        yield from self._tagged(_TOOLS_END)

    def _call(self, call: ToolCall) -> Iterator[Piece]:
        """Strings stand as they are, everything else as JSON."""
        yield from ("\n", self._tags["<tool_call>"], call.name + "\n")
        for key, value in json.loads(call.arguments).items():
            yield from (self._tags["<arg_key>"], key, self._tags["</arg_key>"], "\n")
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield from (self._tags["<arg_value>"], said, self._tags["</arg_value>"], "\n")
        yield self._tags["</tool_call>"]

    def _result(self, message: Message) -> Iterator[Piece]:
        yield from ("\n", self._tags["<tool_response>"], "\n")
        yield from self._parts(message)
        yield from ("\n", self._tags["</tool_response>"])

    def _tagged(self, ours: str) -> Iterator[Piece]:
        """Turn the tags of a text of our own into their ids."""
        for piece in _TAG.split(ours):
            yield self._tags.get(piece, piece)


def _signature(tool: Tool) -> dict[str, object]:
    signature: dict[str, object] = {"name": tool.name}
    if tool.description is not None:
        signature["description"] = tool.description
    if tool.parameters is not None:
        signature["parameters"] = tool.parameters
    return signature


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
