"""The chat route as OpenAI's own client sees it."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import httpx
import openai
import pytest

from flashsight.core.errors import EngineFault, NotReady, Overloaded, PromptTooLong
from flashsight.core.types import (
    Box,
    Finish,
    JsonConstraint,
    PicturePart,
    ReasoningDelta,
    RegexConstraint,
    Sampling,
    TextDelta,
    TextLogprob,
    TextPart,
)
from tests.server.scripted import USAGE, saying
from tests.server.support import MODEL, LiveHouse

HELLO: list[Any] = [{"role": "user", "content": "你好"}]


@pytest.fixture
def client(house: LiveHouse) -> openai.OpenAI:
    transport = httpx.HTTPTransport()
    with openai.OpenAI(
        base_url=f"{house.live.base}/v1", api_key="unused", max_retries=0, http_client=httpx.Client(transport=transport)
    ) as client:
        yield client


def test_a_whole_answer_is_the_stream_joined(house: LiveHouse, client: openai.OpenAI):
    house.backend.script = saying("一只", "白色的", "杯子")
    whole = client.chat.completions.create(model=MODEL, messages=HELLO)
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert whole.choices[0].message.content == "一只白色的杯子"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "一只白色的杯子"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.object == "chat.completion"
    assert whole.model == MODEL


def test_a_stream_has_one_id_one_creation_time_the_role_once_and_the_finish_alone_at_the_end(
    house: LiveHouse, client: openai.OpenAI
):
    house.backend.script = saying("a", "b", "c")
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", None, None, None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert chunks[-1].choices[0].delta.content is None
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_comes_last_without_choices_when_asked_for(client: openai.OpenAI):
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices == []
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 3, 23)
    assert usage.prompt_tokens_details.cached_tokens == 16
    assert usage.prompt_tokens_details.image_tokens == 9
    assert usage.prompt_tokens_details.image_cache == "device"
    assert usage.completion_tokens_details.reasoning_tokens == 1
    assert chunks[-1].timings == {
        "queued_ms": 1.0, "decode_ms": 2.0, "encode_ms": 3.0, "prefill_ms": 4.0, "first_token_ms": 10.0,
    }  # fmt: skip


def test_a_whole_answer_tells_its_times_in_a_header_too(house: LiveHouse, client: openai.OpenAI):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert "encode;dur=3.000" in raw.headers["server-timing"]
    assert raw.parse().usage.prompt_tokens == 20


def test_reasoning_and_boxes_stand_beside_the_content(house: LiveHouse, client: openai.OpenAI):
    box = Box(picture=0, left=1, top=2, right=3, bottom=4, label="按钮")
    house.backend.script = (
        ReasoningDelta(index=0, text="想"),
        TextDelta(index=0, text="答"),
        Finish(index=0, reason="stop", boxes=(box,)),
        USAGE,
    )
    message = client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message
    assert (message.content, message.reasoning_content) == ("答", "想")
    assert message.boxes == [{"picture": 0, "box": [1, 2, 3, 4], "label": "按钮"}]
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert chunks[0].choices[0].delta.reasoning_content == "想"
    assert chunks[-1].choices[0].delta.boxes[0]["box"] == [1, 2, 3, 4]


def test_several_choices_keep_their_pieces_apart(house: LiveHouse, client: openai.OpenAI):
    house.backend.script = (
        TextDelta(index=1, text="b"),
        TextDelta(index=0, text="a"),
        Finish(index=1, reason="length"),
        TextDelta(index=0, text="A"),
        Finish(index=0, reason="stop"),
        USAGE,
    )
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=2)
    assert [(c.index, c.message.content, c.finish_reason) for c in answer.choices] == [
        (0, "aA", "stop"),
        (1, "b", "length"),
    ]
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, n=2, stream=True))
    roles = [(chunk.choices[0].index, chunk.choices[0].delta.role) for chunk in chunks]
    assert [index for index, role in roles if role] == [1, 0]


def test_logprobs_have_openais_shape_and_no_infinities(house: LiveHouse, client: openai.OpenAI):
    other = TextLogprob(token="b", token_bytes=b"b", logprob=-math.inf)
    token = TextLogprob(token="好", token_bytes="好".encode(), logprob=-0.25, top=(other,))
    house.backend.script = (
        TextDelta(index=0, text="好", logprobs=(token,)),
        Finish(index=0, reason="stop"),
        USAGE,
    )
    choice = client.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, top_logprobs=1).choices[0]
    content = choice.logprobs.content[0]
    assert (content.token, bytes(content.bytes).decode(), content.logprob) == ("好", "好", -0.25)
    assert (content.top_logprobs[0].token, content.top_logprobs[0].logprob) == ("b", -9999.0)
    chunk = next(iter(client.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, stream=True)))
    assert chunk.choices[0].logprobs.content[0].token == "好"


def test_pictures_and_texts_reach_the_backend_in_order(house: LiveHouse, client: openai.OpenAI):
    client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "请简短"},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:first", "detail": "high"}},
                    {"type": "text", "text": "和"},
                    {"type": "image_url", "image_url": {"url": "data:second"}},
                ],
            },
            {"role": "assistant", "content": "一样"},
            {"role": "user", "content": [{"type": "text", "text": "真的?"}]},
        ],
    )
    conversation, _ = house.backend.asked[-1]
    assert [message.role for message in conversation.messages] == ["system", "user", "assistant", "user"]
    first, text, second = conversation.messages[1].parts
    assert isinstance(first, PicturePart)
    assert isinstance(second, PicturePart)
    assert (first.media.content, first.detail, second.media.content) == (b"data:first", "high", b"data:second")
    assert second.param == "messages[1].content[2].image_url.url"
    assert text == TextPart(text="和")


def test_every_sampling_field_arrives(house: LiveHouse, client: openai.OpenAI):
    client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        temperature=0.5,
        top_p=0.9,
        max_tokens=5,
        max_completion_tokens=7,
        n=1,
        stop=["。", "\n"],
        seed=42,
        presence_penalty=0.1,
        frequency_penalty=-0.2,
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=3,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        extra_body={"top_k": 9, "min_p": 0.05, "repetition_penalty": 1.1, "thinking": {"type": "enabled"}},
    )
    conversation, sampling = house.backend.asked[-1]
    assert conversation.thinking
    assert sampling == Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=9,
        min_p=0.05,
        repetition_penalty=1.1,
        presence_penalty=0.1,
        frequency_penalty=-0.2,
        seed=42,
        logit_bias=((5, -100.0),),
        logprobs=True,
        top_logprobs=3,
        max_tokens=7,
        stop=("。", "\n"),
        constraint=JsonConstraint(schema={"type": "object"}),
    )


def test_a_regex_is_asked_for_by_structured_outputs(house: LiveHouse, client: openai.OpenAI):
    client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"structured_outputs": {"regex": "a+"}})
    assert house.backend.asked[-1][1].constraint == RegexConstraint(pattern="a+")


def test_pictures_faults_are_typed_and_name_the_field_also_when_streaming(client: openai.OpenAI):
    messages: list[Any] = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:bad"}}]}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=messages, stream=stream)
        assert caught.value.code == "invalid_image"
        assert caught.value.param == "messages[0].content[0].image_url.url"


def test_too_many_pictures_are_refused_with_the_limit(client: openai.OpenAI):
    part = {"type": "image_url", "image_url": {"url": "data:x"}}
    with pytest.raises(openai.BadRequestError, match="4 pictures, the limit is 3") as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part] * 4}])
    assert caught.value.code == "too_many_images"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (PromptTooLong("prompt has 9 tokens, the limit is 8"), openai.BadRequestError, "context_length_exceeded"),
        (Overloaded("no room", retry_after_seconds=2.2), openai.RateLimitError, "overloaded"),
        (NotReady("loading"), openai.InternalServerError, "model_loading"),
        (EngineFault("the engine failed"), openai.InternalServerError, "internal_error"),
        (ValueError("secret from inside"), openai.InternalServerError, "internal_error"),
    ],
)
def test_an_error_before_the_first_token_is_a_status_also_when_streaming(
    house: LiveHouse,
    client: openai.OpenAI,
    error: Exception,
    kind: type[openai.APIStatusError],
    code: str,
    stream: bool,
):
    house.backend.script = (error,)
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert caught.value.code == code
    assert "secret" not in caught.value.response.text
    if isinstance(error, Overloaded):
        assert caught.value.response.headers["retry-after"] == "3"
    assert caught.value.response.headers["x-request-id"]


@pytest.mark.parametrize("error", [EngineFault("the engine failed"), ValueError("secret from inside")])
def test_an_error_inside_a_stream_is_an_event_followed_by_done(house: LiveHouse, body: Any, error: Exception):
    house.backend.script = (TextDelta(index=0, text="a"), error)
    lines = house.http.post("/v1/chat/completions", json=body(stream=True)).text.split("\n\n")
    assert lines[1].startswith('data: {"error":{"message":')
    assert lines[2:] == ["data: [DONE]", ""]
    assert "secret" not in lines[1]


def test_another_model_is_404(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match=MODEL) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_the_models_are_listed_and_described(client: openai.OpenAI):
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_the_async_client_streams_too(house: LiveHouse):
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{house.live.base}/v1", api_key="unused", max_retries=0) as client:
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(ask()) == "白杯"
