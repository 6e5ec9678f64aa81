from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from flashsight.core.types import Media, Message, PicturePart, Role, TextPart
from flashsight.processing.template import ChatTemplate
from flashsight.processing.tokenizer import Tokenizer
from tests.support.tiny import ADDED_TOKENS

# GLM's layout, written down once more as the template language has it, for transformers to render and parse.
JINJA = """[gMASK]<sop>
{%- set users = messages | map(attribute='role') | list %}
{%- for m in messages %}
{%- if m.role == 'assistant' -%}
{%- set thought = (m.content.split('</think>') | first).split('<think>') | last if '</think>' in m.content else '' %}
{%- set thought = '' if 'user' in users[loop.index0:] else thought.strip() %}
<|assistant|>{{ '\\n<think>' + thought + '</think>' }}
{%- set said = (m.content.split('</think>') | last).strip() %}
{%- if said %}{{ '\\n' + said }}{% endif %}
{%- else -%}
<|{{ m.role }}|>{{ '\\n' }}
{%- for item in m.content %}
{%- if item.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>{% else %}{{ item.text }}{% endif %}
{%- endfor %}
{%- if m.role == 'user' and not enable_thinking %}/nothink{% endif %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{{ '\\n' if enable_thinking else '\\n<think></think>\\n' }}{% endif %}"""

PICTURE = Media(content=b"", sha256="0" * 64, format="png", width=56, height=56)


def ordinary(text: str) -> bool:
    return not any(name in text for name, _ in ADDED_TOKENS)


TEXTS = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\n \t图片")))
PARTS = st.lists(st.one_of(TEXTS, st.none()), max_size=4).filter(lambda parts: ordinary("".join(map(str, parts))))


@pytest.fixture(scope="session")
def reference(glm_files: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(glm_files / "tokenizer.json"), clean_up_tokenization_spaces=False)


def message(role: Role, *parts: str | None) -> Message:
    kept = tuple(PicturePart(media=PICTURE) if part is None else TextPart(text=part) for part in parts)
    return Message(role=role, parts=kept)


def ours(tokenizer: Tokenizer, messages: list[Message], *, thinking: bool) -> list[int]:
    ids: list[int] = []
    for piece in ChatTemplate(tokenizer).lay_out(messages, thinking=thinking):
        if isinstance(piece, PicturePart):
            ids.append(tokenizer.id_of("<|image|>"))
        else:
            ids.extend(tokenizer.encode(piece) if isinstance(piece, str) else [piece])
    return ids


def theirs(reference: PreTrainedTokenizerFast, messages: list[Message], *, thinking: bool) -> list[int]:
    rendered: list[dict[str, Any]] = []
    for one in messages:
        items = [{"type": "text", "text": p.text} if isinstance(p, TextPart) else {"type": "image"} for p in one.parts]
        flat = "".join(item.get("text", "") for item in items)
        rendered.append({"role": one.role, "content": flat if one.role == "assistant" else items})
    text = reference.apply_chat_template(
        rendered, chat_template=JINJA, tokenize=False, add_generation_prompt=True, enable_thinking=thinking
    )
    ids: list[int] = reference.backend_tokenizer.encode(text, add_special_tokens=False).ids
    return ids


@pytest.mark.parametrize("thinking", [True, False])
def test_a_question_about_a_picture_reads_as_the_family_was_trained(tokenizer: Tokenizer, thinking: bool) -> None:
    ids = ours(tokenizer, [message("user", None, "What is this?")], thinking=thinking)
    opening = "[gMASK]<sop><|user|>\n<|begin_of_image|><|image|><|end_of_image|>What is this?"
    ending = "<|assistant|>\n" if thinking else "/nothink<|assistant|>\n<think></think>\n"
    assert tokenizer.decode(ids, keep_special=True) == opening + ending


def test_thinking_after_the_last_question_is_kept(tokenizer: Tokenizer) -> None:
    turns = [message("user", "Q"), message("assistant", "<think>\nso </think>\nA")]
    text = tokenizer.decode(ours(tokenizer, turns, thinking=True), keep_special=True)
    assert text == "[gMASK]<sop><|user|>\nQ<|assistant|>\n<think>so</think>\nA<|assistant|>\n"


def test_past_thinking_is_dropped_and_several_pictures_keep_their_order(tokenizer: Tokenizer) -> None:
    turns = [
        message("system", "You are helpful."),
        message("user", None, None, "Compare."),
        message("assistant", "<think>left is red</think>\n B \n"),
        message("user", "And now?"),
    ]
    assert tokenizer.decode(ours(tokenizer, turns, thinking=True), keep_special=True) == (
        "[gMASK]<sop><|system|>\nYou are helpful.<|user|>\n"
        "<|begin_of_image|><|image|><|end_of_image|><|begin_of_image|><|image|><|end_of_image|>Compare."
        "<|assistant|>\n<think></think>\nB<|user|>\nAnd now?<|assistant|>\n"
    )


@given(system=PARTS, turns=st.lists(st.tuples(PARTS, TEXTS.filter(ordinary)), max_size=2), last=PARTS, on=st.booleans())
def test_ids_equal_those_of_the_rendered_template(
    tokenizer: Tokenizer,
    reference: PreTrainedTokenizerFast,
    system: list[str | None],
    turns: list[tuple[list[str | None], str]],
    last: list[str | None],
    on: bool,
) -> None:
    messages = [message("system", *system)] if system else []
    for question, answer in turns:
        messages += [message("user", *question), message("assistant", answer)]
    messages.append(message("user", *last))
    assert ours(tokenizer, messages, thinking=on) == theirs(reference, messages, thinking=on)


@given(text=st.lists(st.sampled_from([name for name, _ in ADDED_TOKENS] + ["a", "\n"]), max_size=6).map("".join))
def test_typed_special_tokens_change_neither_roles_nor_pictures(tokenizer: Tokenizer, text: str) -> None:
    plain = ours(tokenizer, [message("user", None, "x")], thinking=False)
    typed = ours(tokenizer, [message("user", None, "x" + text)], thinking=False)
    assert [i for i in typed if tokenizer.is_special(i)] == [i for i in plain if tokenizer.is_special(i)]


@pytest.mark.parametrize("thinking", [True, False])
def test_a_chat_that_opens_with_a_picture_begins_with_the_opening(tokenizer: Tokenizer, thinking: bool) -> None:
    template, part = ChatTemplate(tokenizer), PicturePart(media=PICTURE)
    opening = template.opening(part)
    for rest in (("请描述",), (" ", None), ()):
        question = Message(role="user", parts=(part, *message("user", *rest).parts))
        later = [question, message("assistant", "是猫"), message("user", "谁?")]
        for messages in ([question], later):
            assert template.lay_out(messages, thinking=thinking)[: len(opening)] == opening
