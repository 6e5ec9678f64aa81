"""Ends a thinking that has used up its budget or goes round in circles. Knows no text and no sampling.

It stands before a sequence's grammar, if there is one, and lets everything through until the thinking must be closed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from flashsight.core.types import TokenConstraint

LONGEST_CIRCLE: Final = 128
ROUNDS: Final = 4
LEAST_TOKENS: Final = 32


class Circles:
    """Notices that a stream of tokens repeats itself.

    A circle is the same run of 1 to LONGEST_CIRCLE tokens, ROUNDS times in a row and LEAST_TOKENS long in all.
    """

    def __init__(self) -> None:
        self._periods = np.arange(1, LONGEST_CIRCLE + 1)
        self._enough = np.maximum(ROUNDS * self._periods, LEAST_TOKENS) - self._periods
        self._last = np.full(LONGEST_CIRCLE, -1, np.int64)  # the latest first
        self._matches = np.zeros(LONGEST_CIRCLE, np.int64)

    def push(self, token: int) -> bool:
        """Take the next token; True when it closes a circle."""
        self._matches = np.where(self._last == token, self._matches + 1, 0)
        self._last[1:] = self._last[:-1].copy()
        self._last[0] = token
        return bool((self._matches >= self._enough).any())


class BoundedThinking:
    """A TokenConstraint that forces `</think>` when a thinking is over; everything else is up to `inner`."""

    def __init__(
        self, inner: TokenConstraint | None, *, think: int, think_end: int, max_tokens: int | None = None
    ) -> None:
        """think, think_end: the ids of the tags. max_tokens: of the whole thinking, both tags counted; at least 2."""
        assert max_tokens is None or max_tokens >= 2, "the tags are two tokens"
        self._inner = inner
        self._think, self._think_end = think, think_end
        self._max_tokens = max_tokens
        self._circles = Circles()
        self._num_tokens = 0
        self._is_thinking = self._is_over = False

    def write_mask(self, words: NDArray[np.int32]) -> None:
        """Allow what `inner` allows, or nothing but the end of the thinking."""
        if self._is_over:
            words[:] = 0
            words.view(np.uint32)[self._think_end // 32] = 1 << (self._think_end % 32)
        elif self._inner is not None:
            self._inner.write_mask(words)
        else:
            words[:] = -1

    def advance(self, token: int) -> None:
        """Take the token that was chosen."""
        if self._inner is not None:
            self._inner.advance(token)
        if token == self._think_end:
            self._is_thinking = self._is_over = False
            return
        self._is_thinking = self._is_thinking or token == self._think
        if self._is_thinking:
            self._num_tokens += 1
            is_spent = self._max_tokens is not None and self._num_tokens >= self._max_tokens - 1
            self._is_over = self._circles.push(token) or is_spent

    @property
    def is_finished(self) -> bool:
        """True when only the end of the answer may follow."""
        return self._inner is not None and self._inner.is_finished
