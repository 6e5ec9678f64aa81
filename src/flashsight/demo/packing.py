"""Lays a picture's questions and answers out as one training sequence. Knows no pixel and no tensor.

    [gMASK]<sop><|user|>\\n<picture>… | question/nothink<|assistant|>\\n<think></think>\\n answer<|user|> | question…
    group 0: seen by all           group 1: blind to every later group            group 2

An answer copies the picture's words letter by letter: a piece of several letters asks for all of them in one look, and
what is asked too much is guessed. Every group restarts at the position after the picture, so each reads exactly what a
server would send. Some groups hold two turns, some ask with thinking on (the model then writes the empty tags itself),
some rows open with a system message, and some hold one question that stands before the picture.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.tokenizer import Tokenizer

PADDING_GROUP = -1
CHAINED = 0.12
THINKING = 0.03
QUESTION_FIRST = 0.05
INSTRUCTED = 0.06
SYSTEM = (
    "You are a helpful assistant.",
    "You are a helpful assistant that looks at pictures.",
    "Answer questions about pictures. State facts only.",
    "你是一个有用的助手。",
    "你是看图助手，只陈述图中的事实。",
    "你是一个视觉语言模型，请准确回答用户的问题。",
)
"""What a client says before the user does, in a few of the rows."""
SHORTEST = 5  # tokens of the shortest question with its answer


class Exchange(Protocol):
    """A question about a picture with its true answer; skill groups what is measured together."""

    @property
    def question(self) -> str:
        """What is asked."""

    @property
    def answer(self) -> str:
        """What is true."""

    @property
    def skill(self) -> str:
        """What it measures."""

    @property
    def spelled(self) -> Sequence[tuple[int, int]]:
        """[start, end) of the answer's characters that become a token each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence of fixed length L.

    ids int32 [L], positions int32 [3, L], groups int16 [L]. Position places[i] is to predict targets[i], an answer's
    token of weight weights[i] = 1 / sqrt(its answer's length) and of skill skills[i].
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    groups: NDArray[np.int16]
    places: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    skills: NDArray[np.int16]


@dataclass(slots=True)
class _Sheet:
    """A row in the making."""

    ids: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    skills: list[int] = field(default_factory=list)

    def tell(self, ids: Sequence[int], group: int) -> None:
        self.ids += ids
        self.groups += [group] * len(ids)

    def answer(self, ids: Sequence[int], group: int, skill: int) -> None:
        """Add tokens that the model shall predict, each from the place before it."""
        first = len(self.ids) - 1
        self.places += range(first, first + len(ids))
        self.targets += ids
        self.weights += [1 / sqrt(len(ids))] * len(ids)
        self.skills += [skill] * len(ids)
        self.tell(ids, group)


class Packer:
    """Packs exchanges about pictures into rows."""

    def __init__(self, tokenizer: Tokenizer, skills: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._skills = {skill: number for number, skill in enumerate(skills)}
        one = tokenizer.id_of
        self._chars: dict[str, list[int]] = {}
        self._line = tokenizer.encode("\n")
        self._start, self._system, self._user = [one("[gMASK]"), one("<sop>")], one("<|system|>"), one("<|user|>")
        self._picture = one("<|begin_of_image|>"), one("<|image|>"), one("<|end_of_image|>")
        self._ask = [one("/nothink"), one("<|assistant|>"), *self._line, one("<think>"), one("</think>"), *self._line]
        self._ask_thinking = [one("<|assistant|>"), *self._line]
        self._unthought = [one("<think>"), one("</think>"), *self._line]
        self._end, self._pad = one("<|user|>"), one("<|endoftext|>")

    @property
    def picture_token(self) -> int:
        """The id that stands for one merged square of a picture."""
        return self._picture[1]

    def shared(self, pictures: Sequence[tuple[int, int]]) -> list[int]:
        """The ids that every question about pictures of (rows, columns) tokens begins with."""
        sheet = _Sheet()
        sheet.tell(self._start, 0)
        self._show(sheet, pictures)
        return sheet.ids

    def prompt(self, pictures: Sequence[tuple[int, int]], question: str) -> list[int]:
        """The ids of one question after its pictures, thinking off, as a server would send them."""
        return [*self.shared(pictures), *self._tokenizer.encode(question), *self._ask]

    def pack(
        self, pictures: Sequence[tuple[int, int]], exchanges: Sequence[Exchange], length: int, chance: random.Random
    ) -> Row:
        """Return a row of `length` tokens with as many exchanges as fit; pictures are (rows, columns) in tokens."""
        sheet = self._begun(chance)
        if chance.random() < QUESTION_FIRST:
            self._show(sheet, pictures, self._tokenizer.encode("\n" + exchanges[0].question))
            answer = self._answer(exchanges[0])
            if len(answer) <= length - len(sheet.ids) - len(self._ask):
                sheet.tell(self._ask, 0)
                sheet.answer(answer, 0, self._skills[exchanges[0].skill])
                return self._finished(sheet, pictures, length, 0)
            sheet = self._begun(chance)
        self._show(sheet, pictures)
        num_shared, group = len(sheet.ids), 0
        for exchange in exchanges:
            chained = group > 0 and chance.random() < CHAINED
            asked, answered = self._turns(exchange, is_chained=chained, is_thinking=chance.random() < THINKING)
            if len(sheet.ids) + len(asked) + len(answered) > length:
                continue
            group += not chained
            sheet.tell(asked, group)
            sheet.answer(answered, group, self._skills[exchange.skill])
            if len(sheet.ids) + len(self._ask) + SHORTEST > length:
                break
        return self._finished(sheet, pictures, length, num_shared)

    def _begun(self, chance: random.Random) -> _Sheet:
        """A row's first tokens, now and then with a system message."""
        sheet = _Sheet()
        sheet.tell(self._start, 0)
        if chance.random() < INSTRUCTED:
            sheet.tell([self._system, *self._tokenizer.encode("\n" + chance.choice(SYSTEM))], 0)
        return sheet

    def _show(self, sheet: _Sheet, pictures: Sequence[tuple[int, int]], before: Sequence[int] | None = None) -> None:
        begin, token, end = self._picture
        sheet.tell([self._user, *(before or self._line)], 0)
        for rows, columns in pictures:
            sheet.tell([begin, *[token] * (rows * columns), end], 0)

    def _turns(self, exchange: Exchange, *, is_chained: bool, is_thinking: bool) -> tuple[list[int], list[int]]:
        encode = self._tokenizer.encode
        asked = encode("\n" + exchange.question if is_chained else exchange.question)
        answered = self._answer(exchange)
        if is_thinking:
            return [*asked, *self._ask_thinking], [*self._unthought, *answered]
        return [*asked, *self._ask], answered

    def _answer(self, exchange: Exchange) -> list[int]:
        """The ids of an answer: what it copies from the picture character by character, all else in pieces."""
        text, ids, after = exchange.answer, [], 0
        for start, end in exchange.spelled:
            ids += self._tokenizer.encode(text[after:start])
            for char in text[start:end]:
                ids += self._char(char)
            after = end
        return [*ids, *self._tokenizer.encode(text[after:]), self._end]

    def _char(self, char: str) -> list[int]:
        if char not in self._chars:
            self._chars[char] = self._tokenizer.encode(char)
        return self._chars[char]

    def _finished(self, sheet: _Sheet, pictures: Sequence[tuple[int, int]], length: int, num_shared: int) -> Row:
        num = len(sheet.ids)
        ids = np.full(length, self._pad, np.int32)
        ids[:num] = sheet.ids
        groups = np.full(length, PADDING_GROUP, np.int16)
        groups[:num] = sheet.groups
        return Row(
            ids=ids,
            positions=self._positions(ids[:num], groups, pictures, length, num_shared),
            groups=groups,
            places=np.array(sheet.places, np.int32),
            targets=np.array(sheet.targets, np.int32),
            weights=np.array(sheet.weights, np.float32),
            skills=np.array(sheet.skills, np.int16),
        )

    def _positions(
        self,
        ids: NDArray[np.int32],
        groups: NDArray[np.int16],
        pictures: Sequence[tuple[int, int]],
        length: int,
        num_shared: int,
    ) -> NDArray[np.int32]:
        begins = np.flatnonzero(ids == self._picture[0])
        spans = [
            PictureSpan(start=int(begin) + 1, rows=rows, columns=columns)
            for begin, (rows, columns) in zip(begins, pictures, strict=True)
        ]
        positions, _ = mrope_positions(length, spans)
        if num_shared:
            after = positions[0, num_shared] if num_shared < length else 0
            starts = np.flatnonzero(np.diff(groups, prepend=groups[0]))
            for start in starts:
                positions[:, start:] = after + np.arange(length - start)
        return positions.astype(np.int32)
