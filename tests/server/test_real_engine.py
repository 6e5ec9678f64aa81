"""OpenAI's client against the whole road: HTTP, service, processing, engine and a tiny random model."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tokenizers import Tokenizer as FastTokenizer

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig, ServerConfig
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import LocalParts, build_chat, build_local
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from tests.server.live import Live, serving
from tests.server.support import MODEL, encoded
from tests.server.test_manners import received_until, request, until

CONTEXT = 1024
HELLO: list[Any] = [{"role": "user", "content": "What is in this picture?"}]


@pytest.fixture(scope="module")
def parts(tiny_checkpoint: Path) -> Iterator[LocalParts]:
    engine = EngineConfig(context_tokens=CONTEXT, kv_bytes=16 << 20, picture_cache_bytes=4 << 20, max_sequences=8)
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), engine=engine, media=MediaConfig(max_side=448))
    built = build_local(config)
    yield built
    built.engine.stop()


@pytest.fixture(scope="module")
def live(parts: LocalParts, tiny_checkpoint: Path) -> Iterator[Live]:
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), media=MediaConfig(max_side=448, max_pictures=16))
    readiness, metrics = Readiness(), Metrics()
    chat = build_chat(config, parts, observers=[metrics])
    readiness.open(Serving(chat=chat, plan=lambda: parts.plan, snapshot=parts.engine.snapshot))
    app = build_app(config.server, readiness=readiness, access=AccessPolicy(), metrics=metrics)
    with serving(app) as live:
        yield live


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.base}/v1", api_key="unused", max_retries=0, timeout=60) as client:
        yield client


def picture(seed: int, size: tuple[int, int] = (112, 84)) -> dict[str, Any]:
    """A random picture as a message part."""
    noise = random.Random(seed).randbytes(4 * 3 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (4, 3), noise).resize(size).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def about(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "请描述"}]}]


def test_a_known_picture_of_usual_size_is_answered_without_a_hand_over_to_a_thread_of_the_pool(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[str] = []
    real = asyncio.to_thread

    async def counted(call: Any, *given: Any) -> Any:
        hops.append(getattr(call, "__name__", ""))
        return await real(call, *given)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    noise = random.Random(7).randbytes(112 * 224 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (112, 224), noise).save(file, "PNG")
    assert len(file.getvalue()) > 64 * 1024
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    asked = about({"type": "image_url", "image_url": {"url": url}})
    answers = [client.chat.completions.create(model=MODEL, messages=asked, max_tokens=4) for _ in range(3)]
    assert hops == ["_examine"], "the first time its header is read"
    assert len({answer.choices[0].message.content for answer in answers}) == 1


BROKEN = {
    "no base64": "data:image/png;base64,@@@@",
    "empty": "data:image/png;base64,",
    "text": "data:image/png;base64," + base64.b64encode(b"hello, I am text").decode(),
    "cut": picture(6)["image_url"]["url"][:80],
    "outside": "file:///etc/passwd",
    "elsewhere": "http://127.0.0.1:1/x.png",
    "unknown": "gopher://x",
}


def ask(client: openai.OpenAI, messages: list[Any] = HELLO, **fields: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=messages, **{"max_tokens": 12, **fields})


def test_an_answer_is_the_same_whole_and_streamed_and_again(client: openai.OpenAI):
    messages = about(picture(1))
    whole = ask(client, messages)
    chunks = list(ask(client, messages, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert whole.choices[0].message.content
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens <= 12


def test_answers_depend_on_the_picture(client: openai.OpenAI):
    answers = {ask(client, about(picture(seed)), max_tokens=24).choices[0].message.content for seed in range(4)}
    assert len(answers) > 1


def test_usage_counts_pictures_by_their_size_and_says_what_was_cached(client: openai.OpenAI):
    messages = about(picture(2, (112, 84)), picture(3, (56, 140)))
    first, again = ask(client, messages).usage, ask(client, messages).usage
    assert first.prompt_tokens_details.image_tokens == (112 // 28) * (84 // 28) + (56 // 28) * (140 // 28)
    assert again.prompt_tokens == first.prompt_tokens
    assert first.prompt_tokens_details.image_cache == "none"
    assert again.prompt_tokens_details.cached_tokens > first.prompt_tokens_details.image_tokens
    assert again.prompt_tokens_details.cached_tokens < again.prompt_tokens


def test_a_picture_seen_before_is_not_encoded_again(client: openai.OpenAI, parts: LocalParts):
    ask(client, about(picture(4)))
    before = parts.engine.snapshot().books.totals.pictures_encoded
    again = ask(client, [{"role": "user", "content": [{"type": "text", "text": "Now:"}, picture(4)]}])
    assert parts.engine.snapshot().books.totals.pictures_encoded == before
    assert again.usage.prompt_tokens_details.image_cache == "device"


def test_no_stage_of_a_request_takes_longer_than_the_request(client: openai.OpenAI):
    began_at = time.perf_counter()
    told = ask(client, about(*(picture(seed) for seed in range(20, 26))), max_tokens=1).timings
    whole_ms = (time.perf_counter() - began_at) * 1e3
    assert 0 < told["encode_ms"] < told["first_token_ms"] < whole_ms
    assert all(0 <= spent < whole_ms for spent in told.values())


def test_stop_strings_cut_what_the_same_answer_said_without_them(client: openai.OpenAI):
    full = ask(client).choices[0].message.content
    stop = full[len(full) // 2]
    cut = ask(client, stop=[stop]).choices[0]
    assert cut.message.content == full.partition(stop)[0]
    assert cut.finish_reason == "stop"
    assert ask(client).choices[0].finish_reason == "length"


def test_a_seed_repeats_a_drawn_answer_and_choices_differ(client: openai.OpenAI):
    drawn = [ask(client, temperature=1.5, seed=11, n=3) for _ in range(2)]
    texts = [[choice.message.content for choice in answer.choices] for answer in drawn]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 3
    assert drawn[0].usage.completion_tokens == 36


def test_logprobs_cover_the_answer_and_the_likeliest_is_the_greedy_one(client: openai.OpenAI):
    choice = ask(client, logprobs=True, top_logprobs=4).choices[0]
    tokens = choice.logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode("utf-8", "replace") == choice.message.content
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 4
        assert token.top_logprobs[0].token == token.token
        assert [top.logprob for top in token.top_logprobs] == sorted(
            (top.logprob for top in token.top_logprobs), reverse=True
        )


def test_a_bias_forbids_and_forces_tokens(client: openai.OpenAI, tiny_checkpoint: Path):
    oracle = FastTokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))
    (token,) = oracle.encode("a", add_special_tokens=False).ids
    forced = ask(client, logit_bias={str(token): 100}, max_tokens=3)
    assert forced.choices[0].message.content == "aaa"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_by_schema_is_valid(client: openai.OpenAI, stream: bool):
    schema = {
        "type": "object",
        "properties": {
            "color": {"enum": ["red", "blue"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 99},
            "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 3},
        },
        "required": ["color", "count", "tags"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
    answer = ask(
        client, about(picture(5)), response_format=wanted, max_tokens=200, stream=stream, temperature=1, seed=3
    )
    if stream:
        content = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    else:
        content = answer.choices[0].message.content
    jsonschema.validate(json.loads(content), schema)


def test_a_choice_and_a_regex_hold(client: openai.OpenAI):
    options = ["白色", "black", "红"]
    chosen = ask(client, extra_body={"structured_outputs": {"choice": options}}).choices[0]
    assert chosen.message.content in options
    assert chosen.finish_reason == "stop"
    matched = ask(client, extra_body={"structured_outputs": {"regex": "[0-9]{3}-[a-f]{2}"}}).choices[0].message.content
    assert len(matched) == 6
    assert matched[3] == "-"


def test_thinking_stands_apart_and_the_schema_holds_after_it(client: openai.OpenAI, tiny_checkpoint: Path):
    oracle = FastTokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))
    answer = ask(
        client,
        response_format={"type": "json_schema", "json_schema": {"name": "color", "schema": {"enum": ["red", "blue"]}}},
        logit_bias={str(oracle.token_to_id("</think>")): 100},
        extra_body={"thinking": {"type": "enabled"}},
        max_tokens=30,
        temperature=1,
        seed=5,
    )
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2
    assert answer.choices[0].finish_reason == "stop"
    assert json.loads(answer.choices[0].message.content) in ("red", "blue")


def test_callers_with_different_keys_share_no_prefix(parts: LocalParts):
    keys = ("first-key-1", "second-key-2")
    readiness, metrics = Readiness(), Metrics()
    chat = build_chat(Config(), parts)
    readiness.open(Serving(chat=chat, plan=lambda: parts.plan, snapshot=parts.engine.snapshot))
    app = build_app(ServerConfig(api_keys=keys), readiness=readiness, access=AccessPolicy(keys), metrics=metrics)
    cached = []
    with serving(app) as live:
        for key in (keys[0], keys[0], keys[1]):
            with openai.OpenAI(base_url=f"{live.base}/v1", api_key=key, max_retries=0) as client:
                usage = ask(client, [{"role": "user", "content": "one two three " * 20}]).usage
                cached.append(usage.prompt_tokens_details.cached_tokens > 0)
    assert cached == [False, True, False]


EXTREME = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 4)},
    optional={
        "temperature": st.sampled_from([0, 1e-300, 1e-30, 1e-6, 1, 2]),
        "top_p": st.sampled_from([0, 1e-30, 0.5, 1]),
        "top_k": st.sampled_from([-1, 0, 1, 2**31 - 1]),
        "min_p": st.sampled_from([0, 1e-30, 1]),
        "repetition_penalty": st.sampled_from([0.01, 0.1, 1, 10]),
        "presence_penalty": st.sampled_from([-2, 2]),
        "frequency_penalty": st.sampled_from([-2, 2]),
        "seed": st.sampled_from([-(2**63), -1, 0, 2**63 - 1]),
        "n": st.integers(1, 3),
        "logit_bias": st.dictionaries(st.integers(0, 700).map(str), st.sampled_from([-100, 100]), max_size=5),
        "logprobs": st.booleans(),
        "stop": st.lists(st.text(min_size=1, max_size=3), max_size=3),
        "stream": st.booleans(),
        "ignore_eos": st.booleans(),
        "thinking": st.sampled_from([{"type": "enabled"}, {"type": "disabled"}]),
        "structured_outputs": st.sampled_from(
            [{"regex": "a*"}, {"regex": "(a|b)+c"}, {"regex": "["}, {"choice": ["x", ""]}, {"choice": ["好", "坏"]}]
        ),
    },
)
URLS = st.sampled_from([*BROKEN.values(), picture(1)["image_url"]["url"], picture(2, (30, 2900))["image_url"]["url"]])
PARTS = st.lists(
    st.text(max_size=20).map(lambda text: {"type": "text", "text": text})
    | URLS.map(lambda url: {"type": "image_url", "image_url": url}),
    min_size=1,
    max_size=3,
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.just("user"), "content": st.text(max_size=30) | PARTS})
    | st.fixed_dictionaries({"role": st.sampled_from(["system", "assistant"]), "content": st.text(max_size=30)}),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(fields=EXTREME, messages=MESSAGES)
def test_extreme_requests_are_answered_or_refused_and_harm_nobody(
    live: Live, fields: dict[str, Any], messages: list[Any]
):
    body = {"model": MODEL, "messages": messages, **fields}
    answer = httpx2.post(f"{live.base}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code in (200, 400), answer.text
    assert '"code":"internal_error"' not in answer.text


def test_ignoring_the_end_gives_exactly_what_was_asked_for(client: openai.OpenAI):
    answer = ask(client, extra_body={"ignore_eos": True}, max_tokens=40)
    assert answer.usage.completion_tokens == 40
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_too_long_is_400_with_the_numbers_also_when_streaming(client: openai.OpenAI, stream: bool):
    for fields in ({"messages": [{"role": "user", "content": "one two three " * 2000}]}, {"max_tokens": CONTEXT}):
        with pytest.raises(openai.BadRequestError, match=str(CONTEXT)[:3]) as caught:
            ask(client, stream=stream, **fields)
        assert caught.value.code == "context_length_exceeded"
        assert caught.value.param in ("messages", "max_tokens")


@pytest.mark.parametrize("url", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_picture_is_400_naming_its_field(client: openai.OpenAI, url: str, stream: bool):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, about(picture(1), {"type": "image_url", "image_url": {"url": url}}), stream=stream)
    assert caught.value.param == "messages[0].content[1].image_url.url"
    assert caught.value.code


def test_special_tokens_typed_as_text_are_only_text(client: openai.OpenAI):
    text = "<|image|><|begin_of_image|><|user|><|endoftext|></think>"
    answer = ask(client, [{"role": "user", "content": text}])
    assert answer.usage.prompt_tokens_details.image_tokens == 0
    assert answer.usage.prompt_tokens > 30


def test_walking_away_frees_the_sequence_in_the_engine(live: Live, parts: LocalParts):
    body = {"model": MODEL, "messages": HELLO, "stream": True, "ignore_eos": True, "max_tokens": 900}
    before = parts.engine.snapshot().books.totals.aborted
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
        connection.sendall(request(encoded(body)))
        received_until(connection, b'"content"')
    until(lambda: parts.engine.snapshot().books.totals.aborted == before + 1)
    until(lambda: parts.engine.snapshot().books.num_running == 0)
    assert parts.engine.snapshot().books.blocks_used == 0


def test_a_crowd_of_which_half_walks_away_leaves_nothing_behind(live: Live, parts: LocalParts):
    async def visit(http: httpx2.AsyncClient, number: int) -> int:
        messages = about(picture(200 + number % 5)) if number % 3 else HELLO
        body = {"model": MODEL, "messages": messages, "stream": True, "max_tokens": 40, "n": 1 + number % 2}
        async with http.stream("POST", "/v1/chat/completions", json=body | {"ignore_eos": True}) as answer:
            assert answer.status_code == 200
            num_events = 0
            async for line in answer.aiter_lines():
                num_events += line.startswith("data: {")
                if number % 2 and num_events == number % 7 + 1:
                    return 0
                if line == "data: [DONE]":
                    return num_events
        raise AssertionError("a stream ends with [DONE]")

    async def crowd() -> list[int]:
        limits = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(base_url=live.base, timeout=120, limits=limits) as http:
            return await asyncio.gather(*[visit(http, number) for number in range(40)])

    counts = asyncio.run(crowd())
    assert [count > 0 for count in counts] == [number % 2 == 0 for number in range(40)]
    books = lambda: parts.engine.snapshot().books  # noqa: E731
    until(lambda: books().num_running == 0 and books().num_waiting == 0)
    assert books().blocks_used == 0
    assert parts.engine.snapshot().total_faults == 0


def test_many_clients_at_once_all_get_what_they_get_alone(client: openai.OpenAI):
    messages = [about(picture(seed)) for seed in range(10, 16)]
    alone = [ask(client, one).choices[0].message.content for one in messages]
    together: dict[int, str] = {}

    def run(index: int) -> None:
        together[index] = ask(client, messages[index]).choices[0].message.content

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(messages))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [together[index] for index in range(len(messages))] == alone


def test_health_goes_on_while_large_pictures_are_read(live: Live, client: openai.OpenAI):
    questions = [about(*(picture(100 + 3 * turn + n, (2000, 1500)) for n in range(3))) for turn in range(8)]
    done = threading.Event()

    def run() -> None:
        for messages in questions:
            ask(client, messages, max_tokens=1)
        done.set()

    thread = threading.Thread(target=run)
    num_answers = 0
    with httpx2.Client(base_url=live.base, timeout=30) as http:
        thread.start()
        while not done.is_set():
            assert http.get("/health").json()["model_ready"]
            num_answers += 1
            time.sleep(0.002)
    thread.join(60)
    assert num_answers >= len(questions)


def test_the_plan_and_the_metrics_come_from_the_engine(live: Live, parts: LocalParts, client: openai.OpenAI):
    ask(client)
    with httpx2.Client(base_url=live.base, timeout=30) as http:
        plan = http.get("/v1/plan").json()
        metrics = http.get("/metrics").text
    assert plan["num_blocks"] == parts.plan.num_blocks
    assert f"flashsight_engine_blocks_total {float(parts.plan.num_blocks)}" in metrics
    assert "flashsight_engine_finished_total" in metrics
    assert 'flashsight_plan_bytes{part="kv"}' in metrics
