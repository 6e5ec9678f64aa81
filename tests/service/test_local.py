"""LocalBackend over a real processor and a scripted engine."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PromptTooLong, RequestError, SchemaError
from flashsight.core.types import (
    Caller,
    Conversation,
    Delta,
    Finish,
    JsonConstraint,
    Media,
    Message,
    PicturePart,
    RegexConstraint,
    Salt,
    Sampling,
    TextDelta,
    TextPart,
    Usage,
)
from flashsight.processing.processor import Processor
from flashsight.service.local import LocalBackend
from tests.service.scripted_engine import ScriptedEngine

CALLER = Caller(name="tester", salt=Salt(b"pepper"))


@pytest.fixture(scope="module")
def processor(tiny_checkpoint: Path) -> Processor:
    return Processor(tiny_checkpoint, MediaConfig())


@pytest.fixture
def engine(processor: Processor) -> ScriptedEngine:
    return ScriptedEngine(lambda number: processor.tokenizer.encode(f"answer {number}"))


@pytest.fixture
def backend(processor: Processor, engine: ScriptedEngine) -> LocalBackend:
    return LocalBackend(processor, engine, context_tokens=200, vocabulary_size=processor.tokenizer.size + 4)


def picture(width: int = 56, height: int = 28) -> PicturePart:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return PicturePart(media=Media(content=file.getvalue(), sha256="0" * 64, format="png", width=width, height=height))


def conversation(*parts: TextPart | PicturePart, thinking: bool = False) -> Conversation:
    message = Message(role="user", parts=parts or (TextPart(text="hi"),))
    return Conversation(messages=(message,), caller=CALLER, request_id="r1", thinking=thinking)


def answered(backend: LocalBackend, asked: Conversation | None = None, **sampling: Any) -> list[Delta]:
    async def run() -> list[Delta]:
        async with aclosing(backend.stream(asked or conversation(), Sampling(**sampling))) as deltas:
            return [delta async for delta in deltas]

    return asyncio.run(run())


def text(deltas: list[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta) and delta.index == index)


def test_an_answer_is_text_a_finish_and_usage_last(backend: LocalBackend, engine: ScriptedEngine):
    deltas = answered(backend)
    assert text(deltas) == "answer 0"
    assert deltas[-2] == Finish(index=0, reason="stop")
    usage = deltas[-1]
    assert isinstance(usage, Usage)
    assert usage.prompt_tokens == len(engine.asked[0].prompt.ids)
    assert usage.completion_tokens == len(engine.ids(0))
    assert usage.timings.first_token_seconds == 0.5


@pytest.mark.parametrize(
    ("asked", "num_hops"),
    [
        (conversation(picture(), TextPart(text="what is it?")), 0),
        (conversation(TextPart(text="what is it? " * 50)), 1),
        (conversation(replace(picture(), detail="high")), 1),
    ],
    ids=["short", "long", "in detail"],
)
def test_only_what_takes_long_to_lay_out_goes_to_a_thread(
    processor: Processor, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, asked: Conversation, num_hops: int
):
    hops = []

    async def counted(call: Callable[..., Any], *given: object) -> Any:
        hops.append(call)
        return call(*given)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    roomy = LocalBackend(processor, engine, context_tokens=4096, vocabulary_size=processor.tokenizer.size)
    assert text(answered(roomy, asked, max_tokens=99)) == "answer 0"
    assert len(hops) == num_hops


def test_the_engine_gets_the_callers_salt_and_the_requests_id(backend: LocalBackend, engine: ScriptedEngine):
    answered(backend, n=2)
    assert [(asked.salt, asked.request_id) for asked in engine.asked] == [(b"pepper", "r1"), (b"pepper", "r1.1")]


def test_the_other_choices_begin_when_the_first_has_read_the_prompt(backend: LocalBackend, engine: ScriptedEngine):
    deltas = answered(backend, n=3, seed=7)
    assert engine.seen[:2] == ["asked 0", "said 0"]
    assert [asked.sampling.seed for asked in engine.asked] == [7, 8, 9]
    assert [text(deltas, index) for index in range(3)] == ["answer 0", "answer 1", "answer 2"]
    assert {delta.index for delta in deltas if isinstance(delta, Finish)} == {0, 1, 2}
    usage = deltas[-1]
    assert isinstance(usage, Usage)
    assert usage.completion_tokens == sum(len(engine.ids(index)) for index in range(3))
    assert usage.prompt_tokens == len(engine.asked[0].prompt.ids)
    assert usage.cached_tokens == 0


def test_a_stop_string_ends_the_sequence_in_the_engine(backend: LocalBackend, engine: ScriptedEngine):
    deltas = answered(backend, stop=("wer",))
    assert text(deltas) == "ans"
    assert engine.num_aborted == 1
    assert isinstance(deltas[-1], Usage)


def test_leaving_early_reaches_the_engine_for_every_choice(backend: LocalBackend, engine: ScriptedEngine):
    async def run() -> None:
        async with aclosing(backend.stream(conversation(), Sampling(n=3))) as deltas:
            for _ in range(4):
                await anext(deltas)

    asyncio.run(run())
    assert engine.num_aborted == len(engine.asked) >= 1


def test_without_a_limit_an_answer_may_fill_what_the_context_leaves(backend: LocalBackend, engine: ScriptedEngine):
    answered(backend)
    assert engine.asked[0].sampling.max_tokens == 200 - len(engine.asked[0].prompt.ids)


def test_asking_for_more_than_the_context_leaves_names_all_three_numbers(backend: LocalBackend, engine: ScriptedEngine):
    with pytest.raises(PromptTooLong) as caught:
        answered(backend, max_tokens=500)
    used, wanted, limit, room = map(int, re.findall(r"\d+", caught.value.message))
    assert (wanted, limit, room) == (500, 200, 200 - used)
    assert caught.value.param == "max_tokens"
    assert not engine.asked


def test_a_prompt_that_leaves_no_room_is_refused(backend: LocalBackend):
    with pytest.raises(PromptTooLong, match="maximum context length is 200") as caught:
        answered(backend, conversation(TextPart(text="1 2 3 " * 200)))
    assert caught.value.param == "messages"


def test_pictures_are_counted_and_their_boxes_are_in_their_pixels(processor: Processor):
    tokenizer = processor.tokenizer
    begin, end = tokenizer.id_of("<|begin_of_box|>"), tokenizer.id_of("<|end_of_box|>")
    engine = ScriptedEngine(lambda number: [begin, *tokenizer.encode("[500,0,1000,1000]"), end])
    backend = LocalBackend(processor, engine, context_tokens=200, vocabulary_size=tokenizer.size)
    deltas = answered(backend, conversation(picture(112, 56), TextPart(text="where?")))
    finish, usage = deltas[-2:]
    assert isinstance(finish, Finish)
    assert isinstance(usage, Usage)
    (box,) = finish.boxes
    assert (box.left, box.top, box.right, box.bottom) == (56, 0, 112, 56)
    assert usage.picture_tokens == engine.asked[0].prompt.pictures[0].num_tokens > 0


def test_ids_that_end_or_break_an_answer_are_the_tokenizers(
    backend: LocalBackend, engine: ScriptedEngine, processor: Processor
):
    answered(backend)
    sampling = engine.asked[0].sampling
    tokenizer = processor.tokenizer
    assert sampling.stop_ids == tokenizer.stop_ids
    assert tokenizer.id_of("<|image|>") in sampling.banned_ids
    assert set(range(tokenizer.size, tokenizer.size + 4)) <= set(sampling.banned_ids)
    assert not set(sampling.banned_ids) & sampling.stop_ids


def test_random_weights_draw_whole_characters_only(engine: ScriptedEngine, processor: Processor):
    size = processor.tokenizer.size
    answered(LocalBackend(processor, engine, context_tokens=200, vocabulary_size=size, is_random=True))
    drawn = set(range(size)) - set(engine.asked[0].sampling.banned_ids)
    texts = [processor.tokenizer.token_bytes(number) for number in drawn]
    assert len(texts) > 100
    assert all(text.decode().encode() == text for text in texts)
    assert any(not text.isascii() for text in texts)


def test_ignoring_the_end_bans_it_so_that_every_token_is_text(
    backend: LocalBackend, engine: ScriptedEngine, processor: Processor
):
    answered(backend, ignore_eos=True)
    sampling = engine.asked[0].sampling
    assert sampling.stop_ids == frozenset()
    assert processor.tokenizer.stop_ids <= set(sampling.banned_ids)


def test_logprobs_are_asked_of_the_engine_only_when_wanted(backend: LocalBackend, engine: ScriptedEngine):
    assert all(not delta.logprobs for delta in answered(backend) if isinstance(delta, TextDelta))
    told = answered(backend, logprobs=True, top_logprobs=2)
    assert [asked.sampling.num_logprobs for asked in engine.asked] == [None, 2]
    pieces = [one.token_bytes for delta in told if isinstance(delta, TextDelta) for one in delta.logprobs]
    assert b"".join(pieces) == b"answer 1"


def test_each_choice_has_a_grammar_of_its_own(backend: LocalBackend, engine: ScriptedEngine):
    answered(backend, n=2, constraint=RegexConstraint(pattern="a+"))
    first, second = (asked.sampling.constraint for asked in engine.asked)
    assert first is not None
    assert second is not None
    assert first is not second


@pytest.mark.parametrize(
    ("constraint", "param"),
    [
        (JsonConstraint(schema={"type": "no such type"}), "response_format"),
        (RegexConstraint(pattern="("), "structured_outputs"),
    ],
)
def test_a_constraint_that_cannot_be_compiled_names_its_field(backend: LocalBackend, constraint: Any, param: str):
    with pytest.raises(SchemaError) as caught:
        answered(backend, constraint=constraint)
    assert caught.value.param == param


def test_a_bias_on_a_token_that_does_not_exist_is_refused(backend: LocalBackend):
    with pytest.raises(RequestError, match="logit_bias names token 999999") as caught:
        answered(backend, logit_bias=((999999, 1.0),))
    assert caught.value.param == "logit_bias"
