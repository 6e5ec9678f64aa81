"""UpstreamBackend against our own server around a scripted backend, and against servers with other manners."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flashsight.core.config import ServerConfig
from flashsight.core.errors import (
    BodyTooLarge,
    EngineFault,
    FlashSightError,
    KeyRequired,
    ModelNotFound,
    NotReady,
    Overloaded,
    PromptTooLong,
    RequestError,
)
from flashsight.core.types import (
    Box,
    Caller,
    Conversation,
    Delta,
    Finish,
    JsonConstraint,
    Media,
    Message,
    PicturePart,
    ReasoningDelta,
    RegexConstraint,
    Salt,
    Sampling,
    TextDelta,
    TextLogprob,
    TextPart,
    Usage,
)
from flashsight.service.upstream import Unreachable, UpstreamBackend
from tests.server.live import serving
from tests.server.scripted import USAGE, ScriptedBackend
from tests.server.support import MODEL, House

pytestmark = pytest.mark.anyio

PICTURE = Media(content=b"\x89PNG...", sha256="0" * 64, format="png", width=2, height=2)
ASKED = Conversation(
    messages=(
        Message(role="system", parts=(TextPart(text="kurz"),)),
        Message(role="user", parts=(PicturePart(media=PICTURE), TextPart(text="什么?"))),
    ),
    caller=Caller(name="t", salt=Salt(b"t")),
    request_id="one",
)
Handler = Callable[[Request], Awaitable[Response]]


async def joined(url: str, sampling: Sampling | None = None, key: str | None = None, model: str = MODEL) -> list[Delta]:
    async with UpstreamBackend(url, model=model, api_key=key) as upstream:
        return [delta async for delta in upstream.stream(ASKED, sampling or Sampling())]


async def test_every_kind_of_delta_comes_through_our_own_server_unchanged() -> None:
    logprob = TextLogprob(token="白", token_bytes="白".encode(), logprob=-0.5)
    script: tuple[Delta, ...] = (
        ReasoningDelta(index=0, text="hm"),
        TextDelta(index=0, text="白", logprobs=(replace(logprob, top=(logprob,)),)),
        Finish(index=0, reason="length", boxes=(Box(picture=0, left=1, top=2, right=3, bottom=4, label="杯"),)),
        replace(USAGE, picture_tiles=(0, 6)),
    )
    house = House(backend=ScriptedBackend(script))
    house.open()
    with serving(house.app()) as live:
        deltas = await joined(live.base + "/v1/", Sampling(logprobs=True, top_logprobs=1, seed=3, max_tokens=5))
    assert tuple(deltas) == script
    conversation, sampling = house.backend.asked[0]
    assert conversation.messages[0].parts == (TextPart(text="kurz"),)
    assert [part.media.content for part in conversation.messages[1].parts if isinstance(part, PicturePart)] == [
        b"data:image/png;base64,iVBORy4uLg=="
    ]
    assert (sampling.seed, sampling.max_tokens, sampling.logprobs) == (3, 5, True)


@pytest.mark.parametrize(
    "constraint",
    [JsonConstraint(schema={"type": "object"}), JsonConstraint(schema=None), RegexConstraint(pattern="a+")],
)
async def test_a_constraint_reaches_the_other_server(constraint: JsonConstraint | RegexConstraint) -> None:
    house = House()
    house.open()
    with serving(house.app()) as live:
        await joined(live.base, Sampling(constraint=constraint))
    assert house.backend.asked[0][1].constraint == constraint


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (PromptTooLong("too long"), RequestError),
        (Overloaded("full", retry_after_seconds=7), Overloaded),
        (NotReady("loading"), NotReady),
        (EngineFault("broken"), EngineFault),
    ],
)
async def test_a_refusal_of_our_own_server_is_the_same_error_here(
    fault: FlashSightError, expected: type[FlashSightError]
) -> None:
    house = House(backend=ScriptedBackend([fault]))
    house.open()
    with serving(house.app()) as live, pytest.raises(expected) as caught:
        await joined(live.base)
    assert caught.value.code == fault.code
    if isinstance(caught.value, Overloaded):
        assert caught.value.retry_after_seconds == 7


async def test_a_wrong_key_and_a_wrong_model_are_named() -> None:
    house = House(config=ServerConfig(api_keys=("the-right-one",)))
    house.open()
    with serving(house.app()) as live:
        with pytest.raises(KeyRequired):
            await joined(live.base, key="the-wrong-one")
        with pytest.raises(ModelNotFound):
            await joined(live.base, key="the-right-one", model="gpt")
        assert len(await joined(live.base, key="the-right-one")) == 4


async def test_a_fault_in_mid_answer_ends_the_stream_with_it() -> None:
    house = House(backend=ScriptedBackend([TextDelta(index=0, text="a"), EngineFault("broken")]))
    house.open()
    with serving(house.app()) as live, pytest.raises(EngineFault, match="broken"):
        await joined(live.base)


async def test_leaving_early_leaves_the_other_server_too() -> None:
    house = House(backend=ScriptedBackend([TextDelta(index=0, text="a"), 0.05] * 200))
    house.open()
    with serving(house.app()) as live:
        upstream = UpstreamBackend(live.base, model=MODEL)
        async with upstream, aclosing(upstream.stream(ASKED, Sampling())) as deltas:
            await anext(deltas)
    assert house.backend.num_abandoned == 1


async def test_no_server_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="no server answers"):
        await joined("http://127.0.0.1:9")


def other_server(handler: Handler) -> Starlette:
    return Starlette(routes=[Route("/v1/chat/completions", handler, methods=["POST"])])


def events(*said: object) -> Handler:
    async def lines() -> AsyncIterator[str]:
        for each in said:
            yield f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n"

    async def answer(request: Request) -> Response:
        return StreamingResponse(lines(), media_type="text/event-stream")

    return answer


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def test_a_server_that_counts_nothing_gives_zeros() -> None:
    piece = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "ok"}}]}
    with serving(other_server(events(piece, END, "[DONE]"))) as live:  # type: ignore[arg-type]
        deltas = await joined(live.base)
    assert deltas[:2] == [TextDelta(index=0, text="ok"), Finish(index=0, reason="stop")]
    assert isinstance(deltas[2], Usage)
    assert deltas[2].prompt_tokens == 0


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ((), "broke off"),
        (({"choices": [{"index": 0, "delta": {"content": "o"}}]}, "[DONE]"), "broke off"),
        (("{",), "not of OpenAI's protocol"),
        (([1],), "not of OpenAI's protocol"),
    ],
)
async def test_what_is_not_of_the_protocol_is_a_fault(said: tuple[object, ...], message: str) -> None:
    with serving(other_server(events(*said))) as live, pytest.raises(EngineFault, match=message):  # type: ignore[arg-type]
        await joined(live.base)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (413, {"error": {"message": "big"}}, BodyTooLarge),
        (422, {"message": "bare"}, RequestError),
        (500, {"detail": "x"}, EngineFault),
        (302, {}, EngineFault),
    ],
)
async def test_other_servers_refusals_are_read_too(status: int, body: object, expected: type[Exception]) -> None:
    async def refuse(request: Request) -> Response:
        return JSONResponse(body, status_code=status)

    with serving(other_server(refuse)) as live, pytest.raises(expected):  # type: ignore[arg-type]
        await joined(live.base)
