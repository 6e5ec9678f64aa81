"""A thinking's budget through the whole road, with a random model that would never stop thinking by itself."""

from __future__ import annotations

import json

import openai
import pytest

from tests.server.test_real_engine import ask, client, live, parts

__all__ = ["client", "live", "parts"]

COLOUR = {
    "type": "json_schema",
    "json_schema": {
        "name": "colour",
        "schema": {
            "type": "object",
            "properties": {"colour": {"enum": ["red", "blue"]}},
            "required": ["colour"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_ends_the_thinking_and_the_answer_follows_its_schema(client: openai.OpenAI, stream: bool):
    extra = {"thinking": {"type": "enabled", "budget_tokens": 20}}
    fields = {"response_format": COLOUR, "max_tokens": 200, "extra_body": extra}
    if stream:
        chunks = list(ask(client, stream=True, stream_options={"include_usage": True}, **fields))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
        usage = chunks[-1].usage
    else:
        answer = ask(client, **fields)
        text, usage = answer.choices[0].message.content, answer.usage
    assert json.loads(text)["colour"] in ("red", "blue")
    assert 2 <= usage.completion_tokens_details.reasoning_tokens <= 20


def test_a_budget_that_is_none_is_refused_with_its_field(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="budget_tokens") as caught:
        ask(client, extra_body={"thinking": {"type": "enabled", "budget_tokens": 0}})
    assert caught.value.param == "thinking.budget_tokens"
