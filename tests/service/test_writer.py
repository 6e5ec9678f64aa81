"""One choice's tokens to deltas. The oracle is the plain decoding of all ids at once, cut with str.partition."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.types import (
    Box,
    Delta,
    Finish,
    ReasoningDelta,
    TextDelta,
    TextLogprob,
    TokenEvent,
    TokenLogprob,
)
from flashsight.processing.tokenizer import Tokenizer
from flashsight.service.writer import AnswerWriter


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> Tokenizer:
    return Tokenizer(tiny_checkpoint)


def events(ids: list[int], finish: str | None = "stop", *, with_logprobs: bool = False) -> list[TokenEvent]:
    made = [
        TokenEvent(
            token=token,
            logprob=TokenLogprob(token=token, logprob=-float(place)) if with_logprobs else None,
            top=(TokenLogprob(token=5, logprob=-9.0),) if with_logprobs else (),
        )
        for place, token in enumerate(ids)
    ]
    return [*made, TokenEvent(token=None, finish=finish)]  # type: ignore[arg-type]


def written(writer: AnswerWriter, ids: list[int], **options: object) -> list[Delta]:
    deltas: list[Delta] = []
    for event in events(ids, **options):  # type: ignore[arg-type]
        deltas.extend(writer.write(event))
        if writer.is_finished:
            break
    return deltas


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def logprobs(deltas: list[Delta]) -> list[TextLogprob]:
    return [one for delta in deltas if isinstance(delta, TextDelta) for one in delta.logprobs]


@given(answer=st.text(max_size=40))
def test_the_pieces_joined_are_the_answer(tokenizer: Tokenizer, answer: str):
    deltas = written(AnswerWriter(0, tokenizer), tokenizer.encode(answer))
    assert text(deltas) == answer
    assert [delta for delta in deltas if isinstance(delta, Finish)] == [Finish(index=0, reason="stop")]
    assert deltas[-1] == Finish(index=0, reason="stop")


@given(
    answer=st.text(alphabet="ab。白😀", max_size=30),
    stops=st.lists(st.text(alphabet="ab。白😀", min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_a_stop_string_ends_the_answer_before_it_and_is_never_shown(
    tokenizer: Tokenizer, answer: str, stops: list[str]
):
    writer = AnswerWriter(0, tokenizer, stops=stops)
    shown = text(written(writer, tokenizer.encode(answer), with_logprobs=True))
    complete = [end for end in range(len(answer) + 1) if any(answer[:end].endswith(stop) for stop in stops)]
    if not complete:
        assert shown == answer
        return
    longest = max(len(stop) for stop in stops if answer[: complete[0]].endswith(stop))
    assert shown == answer[: complete[0] - longest]


def test_an_answer_stopped_by_a_string_wants_no_further_token(tokenizer: Tokenizer):
    writer = AnswerWriter(0, tokenizer, stops=["b"])
    for token in tokenizer.encode("a b"):
        last = list(writer.write(TokenEvent(token=token)))
    assert writer.is_finished
    assert last[-1] == Finish(index=0, reason="stop")


def test_thinking_stands_apart_and_is_counted(tokenizer: Tokenizer):
    think, end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
    thought, answer = tokenizer.encode("hmm, 杯子"), tokenizer.encode("a red cup")
    writer = AnswerWriter(3, tokenizer, stops=["杯"])
    deltas = written(writer, [think, *thought, end, *answer])
    assert "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)) == "hmm, 杯子"
    assert text(deltas) == "a red cup"
    assert writer.num_tokens == len(thought) + len(answer) + 2
    assert writer.num_reasoning == len(thought) + 2
    assert {delta.index for delta in deltas if not isinstance(delta, tuple)} == {3}


@given(answer=st.text(alphabet="ab 。白😀é", min_size=1, max_size=20))
def test_every_token_of_the_answer_has_its_logprob_once_and_in_order(tokenizer: Tokenizer, answer: str):
    ids = tokenizer.encode(answer)
    deltas = written(AnswerWriter(0, tokenizer), ids, with_logprobs=True)
    told = logprobs(deltas)
    assert b"".join(one.token_bytes for one in told) == answer.encode()
    assert [one.logprob for one in told] == [-float(place) for place in range(len(ids))]
    assert all(one.top[0].logprob == -9.0 for one in told)


def test_tokens_behind_a_stop_string_have_no_logprobs(tokenizer: Tokenizer):
    ids = [*tokenizer.encode("白"), *tokenizer.encode("b"), *tokenizer.encode("c")]
    deltas = written(AnswerWriter(0, tokenizer, stops=["bc"]), ids, with_logprobs=True)
    assert b"".join(one.token_bytes for one in logprobs(deltas)) == "白".encode()


def test_half_a_character_at_the_end_becomes_one_replacement(tokenizer: Tokenizer):
    ids = tokenizer.encode("\U0001f9ff")
    assert len(ids) > 1, "the oracle needs a character of several tokens"
    deltas = written(AnswerWriter(0, tokenizer), ids[:-1], with_logprobs=True, finish="length")
    assert text(deltas) == "�"
    assert len(logprobs(deltas)) == len(ids) - 1
    assert deltas[-1] == Finish(index=0, reason="length")


def test_boxes_are_read_in_pixels_and_their_tags_are_not_shown(tokenizer: Tokenizer):
    begin, end = tokenizer.id_of("<|begin_of_box|>"), tokenizer.id_of("<|end_of_box|>")
    ids = [*tokenizer.encode("here "), begin, *tokenizer.encode("[[0,0,500,1000]]"), end]
    deltas = written(AnswerWriter(0, tokenizer, turned_sizes=[(200, 100)]), ids)
    assert text(deltas) == "here [[0,0,500,1000]]"
    assert deltas[-1] == Finish(index=0, reason="stop", boxes=(Box(picture=0, left=0, top=0, right=100, bottom=100),))
