"""Guesses the next tokens of a sequence from its own text, so that one step can check several. Knows no model.

Prompt lookup: where the last few tokens stood before, what followed them there is guessed to follow again. Whoever
verifies keeps the guesses that greedy decoding would have drawn, so a wrong guess costs work and never a token. A
guesser that keeps being wrong rests, each time twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from flashsight.core.types import ModelInput, TokenSampling
from flashsight.engine.greedy import is_greedy

LONGEST_MATCH, SHORTEST_MATCH = 4, 2
"""Tokens that must have stood together before; the longest match is believed first."""
FIRST_GUESS = 4
MOST_PROMPT_TOKENS = 2048
"""The end of a prompt that is looked at; entering more would hold up everyone's next step."""
SHORTEST_REST, LONGEST_REST = 16, 1024
"""Tokens of the answer during which a guesser that was wrong twice in a row stays silent; it doubles every time."""


def may_draft(sampling: TokenSampling) -> bool:
    """True if the next token is the highest score and nothing that was drawn before changes the scores."""
    return (
        is_greedy(sampling)
        and sampling.constraint is None
        and sampling.num_logprobs is None
        and sampling.repetition_penalty == 1
        and sampling.presence_penalty == 0
        and sampling.frequency_penalty == 0
    )


class Drafter:
    """The guesser of one sequence: `follow` its tokens, `guess`, and `learn` what became of the guess.

    Its length grows by doubling while whole guesses hold and falls to what held. Two wrong ones in a row, and it rests.
    """

    def __init__(self, prompt: ModelInput, *, longest: int) -> None:
        """longest: most tokens of one guess."""
        self._longest = longest
        self._length = min(FIRST_GUESS, longest)
        self._ids: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._num_wrong = 0
        self._rest = SHORTEST_REST
        self._silent_until = 0
        self._follow_prompt(prompt)

    def follow(self, tokens: Iterable[int]) -> None:
        """Take tokens that now belong to the sequence. Each match is entered when its next token is known."""
        for token in tokens:
            for size in range(SHORTEST_MATCH, LONGEST_MATCH + 1):
                if len(self._ids) >= size:
                    self._ends[tuple(self._ids[-size:])] = len(self._ids)
            self._ids.append(token)

    def guess(self, most: int) -> tuple[int, ...]:
        """Return up to `most` tokens that may come next; none if nothing matches or it rests."""
        length = min(most, self._length)
        if length < 1 or len(self._ids) < self._silent_until:
            return ()
        for size in range(LONGEST_MATCH, SHORTEST_MATCH - 1, -1):
            end = self._ends.get(tuple(self._ids[-size:])) if len(self._ids) >= size else None
            if end is not None:
                return self._from(end, length)
        return ()

    def learn(self, num_guessed: int, num_held: int) -> None:
        """Note that the first num_held of num_guessed tokens were right."""
        if num_held == num_guessed:
            self._length = min(2 * self._length, self._longest)
        else:
            self._length = max(1, min(num_held, self._longest))
        if num_held:
            self._num_wrong, self._rest = 0, SHORTEST_REST
            return
        self._num_wrong += 1
        if self._num_wrong >= 2:
            self._num_wrong = 0
            self._silent_until = len(self._ids) + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)

    def _from(self, end: int, length: int) -> tuple[int, ...]:
        """What followed there. A text that repeats itself is read on into the guess."""
        guess: list[int] = []
        for place in range(end, end + length):
            guess.append(self._ids[place] if place < len(self._ids) else guess[place - len(self._ids)])
        return tuple(guess)

    def _follow_prompt(self, prompt: ModelInput) -> None:
        """Pictures are left out: their ids say nothing and can never be drawn."""
        words, start = [], 0
        for picture in prompt.pictures:
            words.append(prompt.ids[start : picture.start])
            start = picture.start + picture.num_tokens
        words.append(prompt.ids[start:])
        self.follow(np.concatenate(words)[-MOST_PROMPT_TOKENS:].tolist())
