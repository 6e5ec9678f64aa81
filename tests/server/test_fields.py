"""Every field of the protocol is honoured or refused by name; the list of fields comes from OpenAI's own package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from openai.types.chat import completion_create_params as openai_params

from flashsight.core.errors import OptionRefused, RequestError
from flashsight.server.fields import FIELDS
from flashsight.server.parse import parse_chat
from flashsight.server.protocol import ChatBody
from tests.server.support import MODEL, encoded

OPENAI_FIELDS = sorted(
    get_type_hints(openai_params.CompletionCreateParamsNonStreaming)
    | get_type_hints(openai_params.CompletionCreateParamsStreaming)
)

REFUSED: dict[str, list[Any]] = {
    "audio": [{"voice": "alloy", "format": "wav"}],
    "function_call": ["required", {"name": "f"}],
    "functions": [[{"name": "f"}]],
    "modalities": [["text", "audio"], ["audio"], []],
    "moderation": [{"model": "m"}],
    "prediction": [{"type": "content", "content": "x"}],
    "prompt_cache_key": [3],
    "prompt_cache_options": [{"mode": "explicit"}],
    "prompt_cache_retention": ["24h"],
    "service_tier": ["flex", "priority"],
    "store": [True],
    "verbosity": ["low", "high"],
    "web_search_options": [{}],
}
MET: dict[str, list[Any]] = {
    "function_call": ["none", "auto"],
    "functions": [[]],
    "modalities": [["text"]],
    "prompt_cache_key": ["any"],
    "prompt_cache_retention": ["in_memory"],
    "service_tier": ["auto", "default"],
    "store": [False],
    "verbosity": ["medium"],
}


def chat(**fields: Any) -> bytes:
    return encoded({"model": MODEL, "messages": [{"role": "user", "content": "x"}], **fields})


@pytest.mark.parametrize("name", OPENAI_FIELDS)
def test_every_field_of_openais_reference_has_a_verdict(name: str):
    assert name in FIELDS
    assert name in ChatBody.model_fields


def test_the_table_and_the_body_name_the_same_fields():
    assert set(FIELDS) == set(ChatBody.model_fields)
    assert {name for name, field in FIELDS.items() if field.verdict == "extension"}.isdisjoint(OPENAI_FIELDS)
    assert {name for name, field in FIELDS.items() if field.verdict in ("refused", "met")} == set(REFUSED)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_is_not_honoured_is_refused_by_name_with_the_way_out(name: str, value: Any):
    with pytest.raises(OptionRefused) as caught:
        parse_chat(chat(**{name: value}))
    assert caught.value.param == name
    assert caught.value.message.startswith(name)
    assert FIELDS[name].note in caught.value.message


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MET.items() for value in values])
def test_values_that_describe_this_server_are_accepted(name: str, value: Any):
    parse_chat(chat(**{name: value}))


@pytest.mark.parametrize("name", sorted(set(ChatBody.model_fields) - {"model", "messages"}))
def test_null_is_accepted_wherever_a_field_may_be_absent(name: str):
    assert parse_chat(chat(**{name: None})) == parse_chat(chat())


def test_an_unknown_field_is_refused_by_name():
    with pytest.raises(OptionRefused, match="best_of") as caught:
        parse_chat(chat(best_of=3))
    assert caught.value.param == "best_of"


OUT_OF_RANGE: list[tuple[dict[str, Any], str, str]] = [
    ({"temperature": 2.5}, "temperature", "must be at most 2, got 2.5"),
    ({"temperature": -1}, "temperature", "must be at least 0, got -1"),
    ({"temperature": "hot"}, "temperature", "must be a number"),
    ({"temperature": True}, "temperature", "must be a number"),
    ({"repetition_penalty": 1e-300}, "repetition_penalty", "must be at least 0.01"),
    ({"top_p": 1.01}, "top_p", "must be at most 1"),
    ({"max_tokens": 0}, "max_tokens", "must be at least 1"),
    ({"max_tokens": 1.5}, "max_tokens", "must be an integer"),
    ({"max_tokens": 10**40}, "max_tokens", "must be at most 2147483647"),
    ({"max_completion_tokens": -3}, "max_completion_tokens", "must be at least 1"),
    ({"n": 17}, "n", "must be at most 16, got 17"),
    ({"stop": [""]}, "stop[0]", "at least this many characters: 1"),
    ({"stop": 5}, "stop", "a string or a list of strings"),
    ({"stop": ["a"] * 17}, "stop", "at most this many entries: 16"),
    ({"seed": 2**63}, "seed", "must be below"),
    ({"presence_penalty": 3}, "presence_penalty", "must be at most 2"),
    ({"frequency_penalty": -3}, "frequency_penalty", "must be at least -2"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", "must be at most 100"),
    ({"logit_bias": {"x": 1}}, "logit_bias.x", "must be an integer"),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "must be at most 20"),
    ({"top_logprobs": 1}, "top_logprobs", "needs logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "needs stream"),
    ({"stream": "yes"}, "stream", "must be true or false"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "json_object"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "is required"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
     "response_format.json_schema.name", "must match"),
    ({"structured_outputs": {}}, "structured_outputs", "needs regex or choice"),
    ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs", "one constraint"),
    ({"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}},
     "structured_outputs", "one constraint"),
    ({"structured_outputs": {"grammar": "a"}}, "structured_outputs.grammar", "not a field"),
    ({"response_format": {"type": "json_object"}, "ignore_eos": True}, "ignore_eos", "contradicts"),
    ({"thinking": {"type": "on"}}, "thinking.type", "'enabled' or 'disabled'"),
    ({"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, "thinking", "contradict each other"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1}}, "thinking.budget_tokens", "must be at least 2, got 1"),
    ({"thinking": {"type": "disabled", "budget_tokens": 9}}, "thinking.budget_tokens", "needs thinking.type 'enabled'"),
    ({"chat_template_kwargs": {"chat_template": "x"}}, "chat_template_kwargs.chat_template", "not a field"),
    ({"metadata": {"a": "b"}}, "metadata.a", "no chat is stored"),
    ({"metadata": {"preset": 3}}, "metadata.preset", "must be a string"),
    ({"metadata": {"language": "en"}}, "metadata.language", "needs metadata.preset"),
    ({"metadata": {"preset": "x"}}, "metadata.preset", "known are: none"),
    ({"messages": []}, "messages", "at least this many entries: 1"),
    ({"messages": "hello"}, "messages", "must be a list"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "'user'"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "is required"),
    ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role", "of the role 'tool'"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "is required"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "a string or a list of parts"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "is empty"),
    ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages[0].name", "not supported"),
    ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "messages[0].content[0].type", "video"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": ""}}]}]},
     "messages[0].content[0].image_url.url", "at least this many characters: 1"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 3}]}]},
     "messages[0].content[0].image_url", "must be a string or an object, got 3"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "max"}}]}]},
     "messages[0].content[0].image_url.detail", "'auto', 'low' or 'high'"),
    ({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
     "messages[0].content[0].type", "must be 'text'"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "words"), OUT_OF_RANGE)
def test_a_fault_names_its_field_and_the_limit(fields: dict[str, Any], param: str, words: str):
    with pytest.raises(RequestError) as caught:
        parse_chat(chat(**fields))
    assert caught.value.param == param
    assert words in caught.value.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_said_to_be_none_and_no_large_one(number: str):
    with pytest.raises(RequestError) as caught:
        parse_chat(chat(temperature=0.5).replace(b"0.5", number.encode()))
    assert caught.value.message == "temperature must be a finite number"


@pytest.mark.parametrize("detail", [None, "auto"])
def test_a_detail_of_null_is_the_default(detail: str | None):
    named = {"type": "image_url", "image_url": {"url": "x", "detail": detail}}
    plain = {"type": "image_url", "image_url": {"url": "x"}}
    asked = [chat(messages=[{"role": "user", "content": [part]}]) for part in (named, plain)]
    assert parse_chat(asked[0]).request.messages == parse_chat(asked[1]).request.messages


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b'"x"', b"null", b"[" * 9999, b'{"model":"\\ud800"}'])
def test_what_is_no_json_object_is_said_to_be_none(body: bytes):
    with pytest.raises(RequestError, match="JSON object") as caught:
        parse_chat(body)
    assert caught.value.code == "invalid_json"


def test_texts_of_the_user_are_never_echoed():
    secret = "13800138000"
    for fields in ({"temperature": secret}, {"messages": [{"role": secret}]}, {"stop": [secret * 99]}):
        with pytest.raises(RequestError) as caught:
            parse_chat(chat(**fields))
        assert secret not in caught.value.message.replace(str(caught.value.param), "")


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, False),
        ({"thinking": {"type": "enabled"}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"chat_template_kwargs": {}}, False),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "low", "thinking": {"type": "enabled"}}, True),
    ],
)
def test_thinking_can_be_asked_for_in_three_ways(fields: dict[str, Any], thinks: bool):
    assert parse_chat(chat(**fields)).request.thinking is thinks


def test_max_completion_tokens_goes_before_max_tokens():
    assert parse_chat(chat(max_tokens=5)).request.sampling.max_tokens == 5
    assert parse_chat(chat(max_tokens=5, max_completion_tokens=7)).request.sampling.max_tokens == 7


def test_top_p_zero_is_greedy():
    assert parse_chat(chat(top_p=0, temperature=1)).request.sampling.temperature == 0


def test_what_an_openai_client_echoes_back_is_accepted():
    answer = {"role": "assistant", "content": "a", "refusal": None, "annotations": [], "audio": None,
              "tool_calls": None, "reasoning_content": "hm", "boxes": [{"picture": 0}]}  # fmt: skip
    parsed = parse_chat(chat(messages=[{"role": "user", "content": "q"}, answer, {"role": "user", "content": "r"}]))
    assert [message.role for message in parsed.request.messages] == ["user", "assistant", "user"]


def test_openapi_documents_every_field(open_schema: Callable[[], dict[str, Any]]):
    properties = open_schema()["components"]["schemas"]["ChatBody"]["properties"]
    assert set(properties) == set(FIELDS)
    assert all(properties[name]["description"].startswith(field.verdict) for name, field in FIELDS.items())
