"""Reads calls of tools out of an answer's stream of ids, in GLM's own format. Knows no grammar at work and no protocol.

    <tool_call>name\\n<arg_key>key</arg_key>\\n<arg_value>value</arg_value>\\n</tool_call>

The tags count as ids only: characters that spell one are part of a name or a value.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flashsight.core.tools import Tool
from flashsight.processing.detokenizer import Detokenizer
from flashsight.processing.tokenizer import Tokenizer
from flashsight.processing.toolgrammar import is_bare, properties_of


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of call number `call`: id and name first, then pieces of its arguments, joined a JSON object."""

    call: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class ToolCallReader:
    """One answer's calls. Hand it a token when `takes` says so."""

    def __init__(self, tokenizer: Tokenizer, tools: Sequence[Tool]) -> None:
        self._tokenizer = tokenizer
        self._schemas = {tool.name: properties_of(tool) for tool in tools}
        self._begin, self._end = tokenizer.id_of("<tool_call>"), tokenizer.id_of("</tool_call>")
        self._key, self._key_end = tokenizer.id_of("<arg_key>"), tokenizer.id_of("</arg_key>")
        self._value, self._value_end = tokenizer.id_of("<arg_value>"), tokenizer.id_of("</arg_value>")
        self._is_inside = False
        self._name: str | None = None
        self.num_calls = 0

    def takes(self, token: int) -> bool:
        """True from the token that begins a call to the one that ends it."""
        return self._is_inside or token == self._begin

    def push(self, token: int) -> list[CallPiece]:
        """Return what this token completes: a name, an argument, a call."""
        if token == self._begin:
            self._is_inside, self._name, self._arguments = True, None, 0
            self._restart()
            return []
        if token == self._end:
            pieces = self._named()
            closing = "}" if self._arguments else "{}"
            self._is_inside = False
            self.num_calls += 1
            return [*pieces, CallPiece(self.num_calls - 1, arguments=closing)]
        if token == self._key:
            pieces = self._named()
            self._restart()
            return pieces
        if token == self._key_end:
            self._key_text = self._text_so_far()
        elif token == self._value:
            self._restart()
        elif token == self._value_end:
            return [self._argument(self._text_so_far())]
        else:
            self._text += self._detokenizer.push(token)
        return []

    def _named(self) -> list[CallPiece]:
        """Return the opening piece, once a call."""
        if self._name is not None:
            return []
        self._name = self._text_so_far().strip()
        return [CallPiece(self.num_calls, id=f"call_{secrets.token_hex(12)}", name=self._name)]

    def _argument(self, text: str) -> CallPiece:
        assert self._name is not None, "a key follows the name"
        value = text if is_bare(self._schema()) else _as_json(text)
        before = "{" if self._arguments == 0 else ", "
        self._arguments += 1
        key = json.dumps(self._key_text, ensure_ascii=False)
        return CallPiece(self.num_calls, arguments=f"{before}{key}: {json.dumps(value, ensure_ascii=False)}")

    def _schema(self) -> Any:
        known: Mapping[str, Any] = self._schemas.get(self._name or "", {})
        return known.get(self._key_text)

    def _restart(self) -> None:
        self._detokenizer = Detokenizer(self._tokenizer)
        self._text = ""

    def _text_so_far(self) -> str:
        return self._text + self._detokenizer.finish()


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
