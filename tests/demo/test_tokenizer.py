"""Nano's tokenizer: what is one token, that every text survives, and that other readers agree."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLTokenizer
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import flashsight
from flashsight.core.errors import ConfigError
from flashsight.demo.tokenizer import SPECIAL_TOKENS, build_tokenizer

NANO = Path(flashsight.__file__).parent / "assets" / "nano"

TEXTS = ["Which button is the primary button?", "错误：密码不正确", '{"category": "鹦鹉"}', "the title, the price"]


@cache
def small() -> Tokenizer:
    return build_tokenizer(TEXTS, size=4480)


@pytest.mark.parametrize("character", ["你", "鹦", "，", "￥", "℃", "7", "x", " "])
def test_a_character_of_the_demo_is_one_token(character: str) -> None:
    assert len(small().encode(character).ids) == 1


def test_digits_stay_apart_and_latin_words_become_short_pieces() -> None:
    assert small().encode("129.90").tokens == ["1", "2", "9", ".", "9", "0"]
    assert 1 < len(small().encode(" primary button").ids) < len(" primary button")


@given(st.text())
def test_any_text_comes_back_unchanged(text: str) -> None:
    tokenizer = small()
    tokenizer.encode_special_tokens = True
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_special_tokens_follow_glms_order_at_the_end() -> None:
    size = small().get_vocab_size()
    ids = [small().token_to_id(text) for text in SPECIAL_TOKENS]
    assert ids == list(range(size - len(SPECIAL_TOKENS), size))


def test_the_same_texts_give_the_same_tokenizer() -> None:
    assert build_tokenizer(TEXTS, size=4480).to_str() == build_tokenizer(list(TEXTS), size=4480).to_str()


def test_transformers_reads_the_built_in_tokenizer_and_agrees() -> None:
    ours, theirs = Tokenizer.from_file(str(NANO / "tokenizer.json")), AutoTokenizer.from_pretrained(NANO)
    assert isinstance(theirs, PreTrainedTokenizerFast)
    text = "这张图里有什么？Price: ￥199.00 <|user|>"
    assert theirs.encode(text) == ours.encode(text).ids
    assert theirs.decode(ours.encode(text).ids) == text
    assert len(theirs) == ours.get_vocab_size()


def test_llguidance_reads_the_built_in_tokenizer_and_agrees() -> None:
    ours = Tokenizer.from_file(str(NANO / "tokenizer.json"))
    theirs = LLTokenizer(ours.to_str())
    text = '{"颜色": "红色", "price": 12.5}'
    assert theirs.vocab_size == ours.get_vocab_size()
    assert theirs.tokenize_str(text) == ours.encode(text).ids


def test_a_size_without_room_for_the_characters_is_refused_by_number() -> None:
    with pytest.raises(ConfigError, match="at least 44"):
        build_tokenizer(TEXTS, size=4000)
