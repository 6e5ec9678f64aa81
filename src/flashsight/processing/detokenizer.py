"""A stream of ids to a stream of text that never breaks a character. Knows no stop string and no thinking."""

from __future__ import annotations

import codecs

from flashsight.processing.tokenizer import Tokenizer


class Detokenizer:
    """Text of one answer, piece by piece; the pieces joined equal `Tokenizer.decode` of all its ids.

    A token may be part of a character: its bytes wait for the rest. Bytes that can be no UTF-8 become U+FFFD.
    Special tokens show no text unless kept.
    """

    def __init__(self, tokenizer: Tokenizer, *, keep_special: bool = False) -> None:
        self._tokenizer = tokenizer
        self._keep_special = keep_special
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, number: int) -> str:
        """Return the characters that are whole with this token, perhaps none."""
        if not self._keep_special and self._tokenizer.is_special(number):
            return ""
        return self._decoder.decode(self._tokenizer.token_bytes(number))

    def finish(self) -> str:
        """Return what was held back: U+FFFD for a character that never became whole, else nothing."""
        return self._decoder.decode(b"", final=True)
