"""Grammars that sleep: until the thinking is over, or until the model begins to call a tool. Compiles none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flashsight.core.types import TokenConstraint


class AfterThinking:
    """A grammar that sleeps while the model thinks."""

    def __init__(self, grammar: TokenConstraint, think: int, think_end: int, stop_ids: frozenset[int]) -> None:
        self._grammar = grammar
        self._think, self._think_end = think, think_end
        self._stop_ids = np.array(sorted(stop_ids))
        self._has_begun = self._is_awake = False

    def write_mask(self, words: NDArray[np.int32]) -> None:
        """Allow the thinking to begin, then anything but the end of the answer, then what the grammar allows."""
        if self._is_awake:
            self._grammar.write_mask(words)
            return
        bits = np.full(32 * len(words), self._has_begun)
        bits[self._stop_ids] = False
        bits[self._think] = not self._has_begun
        words[:] = np.packbits(bits, bitorder="little").view("<i4")

    def advance(self, token: int) -> None:
        """Take the token that was chosen."""
        if self._is_awake:
            self._grammar.advance(token)
        self._has_begun = True
        self._is_awake = self._is_awake or token == self._think_end

    @property
    def is_finished(self) -> bool:
        """True when only the end of the answer may follow."""
        return self._is_awake and self._grammar.is_finished


class OnceCalled:
    """A grammar of calls that wakes when the model begins one; `otherwise` rules over an answer that calls nothing.

    Where `otherwise` rules, a call can only be the whole answer, so it begins with the answer's first token or never.
    """

    def __init__(
        self,
        calls: TokenConstraint,
        otherwise: TokenConstraint | None,
        *,
        tool_call: int,
        think: int,
        think_end: int,
        thinking: bool,
    ) -> None:
        self._calls, self._otherwise = calls, otherwise
        self._tool_call, self._think, self._think_end = tool_call, think, think_end
        self._is_thinking = thinking and otherwise is not None
        self._has_spoken = self._is_awake = False

    def write_mask(self, words: NDArray[np.int32]) -> None:
        """Allow the rest of a call, or what comes before one."""
        if self._is_awake:
            self._calls.write_mask(words)
        elif self._otherwise is None:
            words[:] = -1
        else:
            self._otherwise.write_mask(words)
            if not self._is_thinking and not self._has_spoken:
                words.view(np.uint32)[self._tool_call // 32] |= np.uint32(1 << (self._tool_call % 32))

    def advance(self, token: int) -> None:
        """Take the token that was chosen."""
        if token == self._tool_call and not self._is_thinking:
            self._is_awake = True
        if self._is_awake:
            self._calls.advance(token)
            return
        if self._otherwise is not None:
            self._otherwise.advance(token)
        if token in (self._think, self._think_end):
            self._is_thinking = token == self._think
        elif not self._is_thinking:
            self._has_spoken = True

    @property
    def is_finished(self) -> bool:
        """True when only the end of the answer may follow."""
        ruling = self._calls if self._is_awake else self._otherwise
        return ruling is not None and ruling.is_finished
