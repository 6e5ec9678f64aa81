from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flashsight.processing.detokenizer import Detokenizer
from flashsight.processing.tokenizer import Tokenizer

TOKENS = st.lists(st.integers(0, 600), max_size=40)


def streamed(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    stream = Detokenizer(tokenizer, keep_special=True)
    return [*(stream.push(number) for number in ids), stream.finish()]


@given(ids=TOKENS)
def test_any_ids_streamed_equal_the_whole_decoded_at_once(tokenizer: Tokenizer, ids: list[int]) -> None:
    whole = b"".join(tokenizer.token_bytes(number) for number in ids).decode("utf-8", "replace")
    assert "".join(streamed(tokenizer, ids)) == whole


@given(text=st.text())
def test_text_never_shows_half_a_character(tokenizer: Tokenizer, text: str) -> None:
    pieces = streamed(tokenizer, tokenizer.encode(text))
    assert "".join(pieces) == text
    for number in range(len(pieces)):
        assert text.startswith("".join(pieces[:number]))


def test_an_unfinished_character_waits_and_is_marked_only_at_the_end(tokenizer: Tokenizer) -> None:
    first, second, *_ = [tokenizer.encode(character)[0] for character in ("龘", "a")]
    stream = Detokenizer(tokenizer)
    assert len(tokenizer.token_bytes(first)) < 3
    assert stream.push(first) == ""
    assert stream.finish() == "�"
    again = Detokenizer(tokenizer)
    assert again.push(first) + again.push(second) == "�a"


def test_special_tokens_are_silent_unless_kept(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.id_of("<|begin_of_box|>"), *tokenizer.encode("42"), tokenizer.id_of("<|end_of_box|>")]
    silent = Detokenizer(tokenizer)
    assert "".join(silent.push(number) for number in ids) == "42"
    assert "".join(streamed(tokenizer, ids)) == "<|begin_of_box|>42<|end_of_box|>"
