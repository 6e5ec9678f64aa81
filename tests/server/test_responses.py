"""POST /v1/responses as OpenAI's client sees it, over a scripted backend and over the whole road."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import openai
import pytest
from openai.types.responses import Response
from openai.types.responses import response_create_params as openai_params

from flashsight.core.errors import EngineFault, OptionRefused
from flashsight.core.types import Finish, PicturePart, ReasoningDelta, TextDelta, TextPart
from flashsight.server.fields import RESPONSE_FIELDS
from flashsight.server.responsebody import ResponseBody, parse_response
from tests.server.scripted import USAGE, saying
from tests.server.support import MODEL, LiveHouse, encoded
from tests.server.test_real_engine import client, live, parts, picture

__all__ = ["client", "live", "parts"]

OPENAI_FIELDS = [*sorted(get_type_hints(openai_params.ResponseCreateParamsBase)), "stream"]
PNG = "data:image/png;base64,AAAA"
ANY: dict[str, Any] = {
    "previous_response_id": "resp_1", "store": True, "background": True, "tools": [{"type": "web_search"}],
    "conversation": "c", "truncation": "auto", "include": ["x"], "top_logprobs": 2,
    "tool_choice": "required", "parallel_tool_calls": False, "service_tier": "flex", "prompt": {"id": "p"},
    "max_tool_calls": 1, "context_management": [{}], "access_programs": {}, "background_options": {}, "image": {},
    "moderation": {}, "prompt_cache_options": {}, "prompt_cache_key": 3, "prompt_cache_retention": "24h",
}  # fmt: skip
THOUGHT = (
    ReasoningDelta(index=0, text="a "),
    ReasoningDelta(index=0, text="cup"),
    TextDelta(index=0, text="白"),
    TextDelta(index=0, text="杯"),
    Finish(index=0, reason="stop"),
    USAGE,
)


@pytest.fixture
def scripted(house: LiveHouse) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.live.base}/v1", api_key="unused", max_retries=0, timeout=20) as client:
        yield client


def respond(client: openai.OpenAI, asked: Any = "这是什么?", **fields: Any) -> Any:
    return client.responses.create(model=MODEL, input=asked, **fields)


@pytest.mark.parametrize("name", OPENAI_FIELDS)
def test_every_field_of_openais_reference_has_a_verdict(name: str):
    assert name in RESPONSE_FIELDS


def test_the_table_and_the_body_name_the_same_fields():
    assert set(RESPONSE_FIELDS) == set(ResponseBody.model_fields)
    refusable = {name for name, field in RESPONSE_FIELDS.items() if field.verdict in ("met", "refused")}
    assert refusable == set(ANY)


@pytest.mark.parametrize("name", sorted(ANY))
def test_what_is_not_honoured_is_refused_by_name_with_the_way_out(name: str):
    with pytest.raises(OptionRefused) as caught:
        parse_response(encoded({"model": MODEL, "input": "x", name: ANY[name]}))
    assert caught.value.param == name
    assert RESPONSE_FIELDS[name].note in caught.value.message


def test_a_whole_response_is_what_openais_client_expects(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = THOUGHT
    response = respond(scripted, instructions="Be brief", max_output_tokens=50, user="ann")
    assert isinstance(response, Response)
    Response.model_validate(response.model_dump())
    assert (response.output_text, response.status, response.instructions) == ("白杯", "completed", "Be brief")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].content[0].text == "a cup"
    assert response.usage.input_tokens == USAGE.prompt_tokens
    assert response.usage.output_tokens_details.reasoning_tokens == USAGE.reasoning_tokens
    conversation, sampling = house.backend.asked[-1]
    assert [message.role for message in conversation.messages] == ["system", "user"]
    assert sampling.max_tokens == 50


def test_a_stream_has_openais_events_in_order_and_ends_with_the_whole(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = THOUGHT
    events = list(respond(scripted, stream=True))
    item = ["response.output_item.added", "response.content_part.added"]
    end = ["response.content_part.done", "response.output_item.done"]
    assert [event.type for event in events] == [
        "response.created", "response.in_progress",
        *item, *["response.reasoning_text.delta"] * 2, "response.reasoning_text.done", *end,
        *item, *["response.output_text.delta"] * 2, "response.output_text.done", *end,
        "response.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    whole = respond(scripted)
    assert "".join(texts) == events[-1].response.output_text == whole.output_text
    assert [item.content for item in events[-1].response.output] == [item.content for item in whole.output]


def test_openais_stream_helper_puts_it_together(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = saying("白", "杯")
    with scripted.responses.stream(model=MODEL, input="这是什么?") as stream:
        assert stream.get_final_response().output_text == "白杯"


def test_an_answer_that_was_cut_is_incomplete(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = (TextDelta(index=0, text="白"), Finish(index=0, reason="length"), USAGE)
    response = respond(scripted)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert [event.type for event in respond(scripted, stream=True)][-1] == "response.incomplete"


def test_an_answer_without_a_word_is_an_empty_message(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = saying()
    assert respond(scripted).output_text == ""


def test_an_error_in_a_stream_is_an_error_event(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = (TextDelta(index=0, text="白"), EngineFault("the engine failed"))
    events = list(respond(scripted, stream=True))
    assert (events[-1].type, events[-1].message, events[-1].code) == ("error", "the engine failed", "internal_error")


def test_earlier_output_can_be_sent_back_as_it_came(house: LiveHouse, scripted: openai.OpenAI):
    house.backend.script = THOUGHT
    asked: list[Any] = [{"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "low"},
                                                     {"type": "input_text", "text": "What?"}]}]  # fmt: skip
    first = respond(scripted, asked)
    asked += [item.model_dump(exclude_none=True) for item in first.output]
    respond(scripted, [*asked, {"role": "user", "content": "And now?"}])
    messages = house.backend.asked[-1][0].messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    assert isinstance(messages[0].parts[0], PicturePart)
    assert messages[0].parts[0].detail == "low"
    assert (messages[1].parts, messages[1].reasoning) == ((TextPart(text="白杯"),), "a cup")


def test_the_name_of_an_event_stands_before_it(house: LiveHouse):
    answer = house.http.post("/v1/responses", json={"model": MODEL, "input": "x", "stream": True})
    blocks = answer.text.strip().split("\n\n")
    assert blocks[-1] == "data: [DONE]"
    for block in blocks[:-1]:
        name, payload = block.split("\n", 1)
        assert name == f"event: {json.loads(payload.removeprefix('data: '))['type']}"


def test_an_empty_list_is_told_from_what_is_no_list(scripted: openai.OpenAI):
    for sent, words in (([], "at least this many entries: 1"), (5, "a string or a list of parts")):
        with pytest.raises(openai.BadRequestError, match=words):
            scripted.responses.create(model=MODEL, input=sent)  # type: ignore[arg-type]


def test_a_detail_of_null_is_the_default(scripted: openai.OpenAI):
    part: Any = {"type": "input_image", "image_url": PNG, "detail": None}
    assert scripted.responses.create(model=MODEL, input=[{"role": "user", "content": [part]}]).status == "completed"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": PNG}]}]},
         "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "bad"}]}]},
         "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].type"),
        ({"temperature": 3}, "temperature"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
        ({"text": {"format": {"type": "text", "name": "x"}}}, "text.format"),
        ({"reasoning": {"effort": "high"}, "extra_body": {"thinking": {"type": "disabled"}}}, "thinking"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "b" * 513}}, "metadata.a"),
        ({"metadata": {"a" * 65: "b"}}, "metadata." + "a" * 64),
        ({"metadata": dict.fromkeys(map(str, range(17)), "b")}, "metadata"),
        ({"metadata": {"preset": "ticket", "language": "fr"}}, "metadata.language"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field(scripted: openai.OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as caught:
        scripted.responses.create(**{"model": MODEL, "input": "x", **fields})
    assert caught.value.param == param


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"max_output_tokens": 1 << 20}, "max_output_tokens", "context_length_exceeded"),
        ({"input": "one two three " * 2000}, "input", "context_length_exceeded"),
        (
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"not": {}}}}},
            "text.format",
            "invalid_schema",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PNG}] * 17}]},
         "input", "too_many_images"),
    ],
)  # fmt: skip
def test_what_the_road_refuses_is_named_as_a_response_names_it(
    client: openai.OpenAI, fields: dict[str, Any], param: str, code: str, stream: bool
):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": MODEL, "input": "x", "stream": stream, **fields})
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize("stream", [False, True])
def test_metadata_comes_back_as_it_was_sent(scripted: openai.OpenAI, stream: bool):
    sent = {"case": "42", "language": "fr"}
    answer = respond(scripted, metadata=sent, stream=stream)
    response = list(answer)[-1].response if stream else answer
    assert response.metadata == sent


SCHEMA = {"type": "object", "properties": {"a": {"enum": ["b", "c"]}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("effort", ["none", "high"])
def test_the_whole_road_answers_about_a_picture_by_a_schema(client: openai.OpenAI, effort: str):
    image = {"type": "input_image", "image_url": picture(41)["image_url"]["url"]}
    asked = [{"role": "user", "content": [image, {"type": "input_text", "text": "请描述"}]}]
    form = {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}
    extra = {"thinking": {"type": "enabled", "budget_tokens": 8}} if effort == "high" else {}
    fields = {"text": form, "reasoning": {"effort": effort}, "extra_body": extra, "max_output_tokens": 200}
    response = respond(client, asked, **fields)
    assert json.loads(response.output_text)["a"] in ("b", "c")
    assert response.usage.input_tokens_details.image_tokens == 12
    assert response.output[0].type == ("reasoning" if effort == "high" else "message")
    assert list(respond(client, asked, stream=True, **fields))[-1].response.output_text == response.output_text
