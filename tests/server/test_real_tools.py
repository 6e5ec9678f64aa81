"""OpenAI's client calls tools through the whole road; a random model is held to them by the grammar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest
from tokenizers import Tokenizer as FastTokenizer

from tests.server.test_real_engine import HELLO, about, ask, client, live, parts, picture
from tests.server.test_real_tokens import counted

__all__ = ["client", "live", "parts"]

PARAMETERS = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}, "count": {"type": "integer", "maximum": 9}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
PAINT = {"type": "function", "function": {"name": "paint", "description": "Paint it", "parameters": PARAMETERS}}
LOOK = {"type": "function", "function": {"name": "look"}}
TOOLS = [PAINT, LOOK]
PAINT_IT = {"type": "function", "function": {"name": "paint"}}


def calls_of_stream(chunks: list[Any]) -> list[tuple[str, str]]:
    """The calls as a client puts them together: by index, id and name first."""
    calls: list[tuple[str, str]] = []
    for chunk in chunks:
        for piece in chunk.choices[0].delta.tool_calls or []:
            if piece.index == len(calls):
                assert piece.id.startswith("call_")
                assert piece.type == "function"
                calls.append((piece.function.name, piece.function.arguments))
            else:
                assert piece.id is None
                name, arguments = calls[piece.index]
                calls[piece.index] = (name, arguments + piece.function.arguments)
    return calls


@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("messages", [HELLO, about(picture(31))])
def test_a_named_function_is_called_once_whole_and_streamed(client: openai.OpenAI, messages: list[Any], thinks: bool):
    thinking = {"type": "enabled", "budget_tokens": 9} if thinks else {"type": "disabled"}
    fields = {"tools": TOOLS, "tool_choice": PAINT_IT, "max_tokens": 150, "extra_body": {"thinking": thinking}}
    whole = ask(client, messages, **fields).choices[0]
    assert (whole.finish_reason, whole.message.content) == ("tool_calls", None)
    [call] = whole.message.tool_calls
    assert call.function.name == "paint"
    jsonschema.validate(json.loads(call.function.arguments), PARAMETERS)
    chunks = list(ask(client, messages, stream=True, **fields))
    assert calls_of_stream(chunks) == [("paint", call.function.arguments)]
    assert not any(chunk.choices[0].delta.content for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["tool_calls"]


def test_required_calls_some_tool_and_with_parallel_calls_off_only_one(client: openai.OpenAI):
    for seed in range(4):
        fields = {"tools": TOOLS, "tool_choice": "required", "temperature": 1, "seed": seed, "max_tokens": 300}
        answer = ask(client, parallel_tool_calls=False, **fields).choices[0]
        [call] = answer.message.tool_calls
        assert call.function.name in ("paint", "look")


@pytest.mark.parametrize("choice", ["none", None])
def test_an_answer_without_calls_is_plain_text(client: openai.OpenAI, choice: str | None):
    fields = {"tools": TOOLS, **({"tool_choice": choice} if choice else {})}
    answer = ask(client, **fields).choices[0]
    assert answer.finish_reason in ("stop", "length")
    assert answer.message.tool_calls is None
    assert isinstance(answer.message.content, str)


def test_auto_calls_when_the_model_begins_a_call_and_none_keeps_it_from_beginning(
    client: openai.OpenAI, tiny_checkpoint: Path
):
    begin = FastTokenizer.from_file(str(tiny_checkpoint / "tokenizer.json")).token_to_id("<tool_call>")
    fields = {"tools": [LOOK], "logit_bias": {str(begin): 100}, "max_tokens": 40}
    called = ask(client, **fields).choices[0].message.tool_calls
    assert {call.function.name for call in called} == {"look"}
    kept = ask(client, tool_choice="none", **fields).choices[0]
    assert kept.message.tool_calls is None


def test_results_in_any_order_read_alike_and_the_next_answer_follows(client: openai.OpenAI, live: Any):
    calls = [{**CALL, "id": name} for name in ("first", "second")]
    results = [
        {"role": "tool", "tool_call_id": "first", "content": "a cup"},
        {"role": "tool", "tool_call_id": "second", "content": [picture(33), {"type": "text", "text": "seen"}]},
    ]
    asked = [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls}]
    told = counted(live, messages=[*asked, *results], tools=TOOLS).json()
    assert counted(live, messages=[*asked, *reversed(results)], tools=TOOLS).json() == told
    answer = ask(client, [*asked, *results], tools=TOOLS)
    assert answer.usage.prompt_tokens == told["count"]
    assert answer.usage.prompt_tokens_details.image_tokens == 12


CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def turns(*after: dict[str, Any], call: dict[str, Any] = CALL) -> dict[str, Any]:
    return {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}, *after]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice.function.name"),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        ({"tools": [LOOK, LOOK]}, "tools[1].function.name"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]}, "tools"),
        ({"tools": TOOLS, "tool_choice": "required", "response_format": {"type": "json_object"}}, "tool_choice"),
        ({"tools": TOOLS, "extra_body": {"ignore_eos": True}}, "ignore_eos"),
        (turns(), "messages[1].tool_calls[0]"),
        (turns(*HELLO), "messages[1].tool_calls[0]"),
        (turns({"role": "tool", "tool_call_id": "b", "content": "x"}), "messages[2].tool_call_id"),
        (turns(*[{"role": "tool", "tool_call_id": "a", "content": "x"}] * 2), "messages[3].tool_call_id"),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}, "messages[0].tool_call_id"),
        (turns(call={**CALL, "function": {"name": "look", "arguments": "[]"}}),
         "messages[1].tool_calls[0].function.arguments"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_tools_is_refused_with_its_field(client: openai.OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **{"messages": HELLO, **fields})
    assert caught.value.param == param
