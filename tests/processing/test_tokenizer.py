from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer

from flashsight.core.errors import CheckpointError
from flashsight.processing.tokenizer import Tokenizer
from tests.support.tiny import ADDED_TOKENS

SPECIAL_TEXT = st.sampled_from([text for text, _ in ADDED_TOKENS])
ANY_TEXT = st.lists(st.one_of(st.text(), SPECIAL_TEXT)).map("".join)


@given(text=ANY_TEXT)
def test_no_text_becomes_a_special_token_and_every_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert not any(tokenizer.is_special(number) for number in ids)
    assert tokenizer.decode(ids) == text


def test_halves_of_surrogate_pairs_out_of_json_are_joined_or_marked(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud83d\ude00b")) == "a😀b"
    assert tokenizer.decode(tokenizer.encode("a\ud83db\ude00")) == "a�b�"


@given(text=st.text().filter(lambda text: not any(name in text for name, _ in ADDED_TOKENS)))
def test_ordinary_text_has_the_ids_that_the_library_gives(glm_files: Path, tokenizer: Tokenizer, text: str) -> None:
    reference = FastTokenizer.from_file(str(glm_files / "tokenizer.json"))
    assert tokenizer.encode(text) == reference.encode(text, add_special_tokens=False).ids


def test_text_stays_plain_even_when_special_tokens_are_also_in_the_vocabulary(glm_files: Path, tmp_path: Path) -> None:
    definition = json.loads((glm_files / "tokenizer.json").read_text())
    definition["model"]["ignore_merges"] = True
    definition["pre_tokenizer"] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    for token in definition["added_tokens"]:
        definition["model"]["vocab"][token["content"]] = token["id"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition))
    tokenizer = Tokenizer(tmp_path)
    for text, _ in ADDED_TOKENS:
        assert not any(tokenizer.is_special(number) for number in tokenizer.encode(text))


def test_a_question_that_comes_again_is_not_encoded_again_and_nobody_can_change_it(
    glm_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, encoded = Tokenizer(glm_files), []
    real = tokenizer._encoder

    class Counted:
        def encode(self, text: str, *, add_special_tokens: bool) -> object:
            encoded.append(text)
            return real.encode(text, add_special_tokens=add_special_tokens)

    monkeypatch.setattr(tokenizer, "_encoder", Counted())
    question, long_text = "what is it?", "word " * 200
    first = tokenizer.encode(question)
    first.append(0)
    assert tokenizer.encode(question) == first[:-1]
    assert tokenizer.encode(long_text) == tokenizer.encode(long_text)
    assert encoded == [question, long_text, long_text], "a long text is not kept"


def test_special_ids_are_found_by_name(glm_files: Path, tokenizer: Tokenizer) -> None:
    reference = FastTokenizer.from_file(str(glm_files / "tokenizer.json"))
    for text, _ in ADDED_TOKENS:
        assert tokenizer.id_of(text) == reference.token_to_id(text)
    assert tokenizer.size == reference.get_vocab_size()
    with pytest.raises(CheckpointError, match=r"no token '<\|im_start\|>'"):
        tokenizer.id_of("<|im_start|>")


def test_every_token_has_its_bytes(glm_files: Path, tokenizer: Tokenizer) -> None:
    reference = FastTokenizer.from_file(str(glm_files / "tokenizer.json"))
    for number in range(tokenizer.size):
        text = reference.decode([number], skip_special_tokens=False)
        assert tokenizer.token_bytes(number).decode("utf-8", "replace") == text
    assert tokenizer.token_bytes(tokenizer.size + 3) == b""


def test_an_answer_may_think_and_box_but_never_hold_a_placeholder_a_role_or_an_unused_row(tokenizer: Tokenizer) -> None:
    banned = tokenizer.banned_ids(tokenizer.size + 10)
    named = {tokenizer.special[text] for text in ("<|image|>", "<|video|>", "<|begin_of_image|>", "<|end_of_image|>")}
    roles = {tokenizer.special[text] for text in ("<|assistant|>", "<|system|>", "[gMASK]", "<sop>", "/nothink")}
    allowed = {tokenizer.special[text] for text in ("<think>", "</think>", "<|begin_of_box|>", "<|end_of_box|>")}
    assert named | roles | set(range(tokenizer.size, tokenizer.size + 10)) <= set(banned)
    assert not allowed & set(banned)
    assert not tokenizer.stop_ids & set(banned)
    assert not set(tokenizer.encode("any text 你好")) & set(banned)


def test_stops_are_the_family_s_and_the_checkpoint_s_own(glm_files: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(glm_files / name, tmp_path / name)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 7}')
    tokenizer = Tokenizer(tmp_path)
    family = {tokenizer.special[text] for text in ("<|endoftext|>", "<|user|>", "<|observation|>")}
    assert tokenizer.stop_ids == family | {7}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": {"type": "Unigram"}}', '{"model": {"type": "BPE"}}'])
def test_a_bad_tokenizer_file_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        Tokenizer(tmp_path)
