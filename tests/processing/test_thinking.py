from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flashsight.processing.thinking import ThinkingSplitter
from flashsight.processing.tokenizer import Tokenizer


def split(tokenizer: Tokenizer, ids: list[int]) -> tuple[str, str]:
    splitter = ThinkingSplitter(tokenizer)
    spoken = [piece for number in ids for piece in splitter.push(number)] + splitter.finish()
    sides = {"reasoning": "", "content": ""}
    for piece in spoken:
        sides[piece.side] += piece.text
    return sides["reasoning"], sides["content"]


def tagged(tokenizer: Tokenizer, thought: str, said: str) -> list[int]:
    think, end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
    return [think, *tokenizer.encode(thought), end, *tokenizer.encode(said)]


@given(thought=st.text(), said=st.text())
def test_each_side_gets_its_text_without_the_line_breaks_at_the_seam(
    tokenizer: Tokenizer, thought: str, said: str
) -> None:
    expected = (thought.lstrip("\r\n"), said.lstrip("\r\n"))
    assert split(tokenizer, tagged(tokenizer, thought, said)) == expected


@given(said=st.text())
def test_an_answer_without_tags_is_content_untouched(tokenizer: Tokenizer, said: str) -> None:
    assert split(tokenizer, tokenizer.encode(said)) == ("", said)


def test_tags_spelled_in_characters_are_text(tokenizer: Tokenizer) -> None:
    assert split(tokenizer, tokenizer.encode("a <think> b </think>")) == ("", "a <think> b </think>")


def test_thinking_that_never_ends_is_all_reasoning(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.id_of("<think>"), *tokenizer.encode("\nround and round")]
    assert split(tokenizer, ids) == ("round and round", "")


def test_half_a_character_does_not_cross_the_seam(tokenizer: Tokenizer) -> None:
    half = tokenizer.encode("龘")[0]
    ids = [tokenizer.id_of("<think>"), half, tokenizer.id_of("</think>"), *tokenizer.encode("ok")]
    assert split(tokenizer, ids) == ("�", "ok")


def test_reasoning_tokens_can_be_counted(tokenizer: Tokenizer) -> None:
    splitter = ThinkingSplitter(tokenizer)
    ids = tagged(tokenizer, "so", "yes")
    flags = []
    for number in ids:
        splitter.push(number)
        flags.append(splitter.is_thinking)
    end = ids.index(tokenizer.id_of("</think>"))
    assert flags == [True] * end + [False] * (len(ids) - end)
