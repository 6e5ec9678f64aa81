"""ChatService over doubles at its two doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from flashsight.core.errors import FlashSightError, ModelNotFound, PictureError
from flashsight.core.types import (
    Caller,
    ChatRequest,
    Conversation,
    Delta,
    Finish,
    Media,
    Message,
    PicturePart,
    PictureRef,
    ReasoningDelta,
    Salt,
    Sampling,
    TextDelta,
    TextPart,
    Timings,
    Usage,
)
from flashsight.service import ChatService, Outcome

CALLER = Caller(name="tester", salt=Salt(b"s"))
USAGE = Usage(
    prompt_tokens=5,
    completion_tokens=2,
    reasoning_tokens=0,
    picture_tokens=0,
    cached_tokens=0,
    picture_level="none",
    timings=Timings(),
)
ANSWER: tuple[Delta, ...] = (
    ReasoningDelta(index=0, text="hm"),
    TextDelta(index=0, text="a"),
    TextDelta(index=0, text="b"),
    Finish(index=0, reason="length"),
    USAGE,
)


@dataclass
class Backend:
    script: Sequence[Delta | Exception] = ANSWER
    asked: list[Conversation] = field(default_factory=list)
    num_abandoned: int = 0

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        self.asked.append(conversation)
        is_done = False
        try:
            for step in self.script:
                await asyncio.sleep(0)
                if isinstance(step, Exception):
                    raise step
                yield step
            is_done = True
        finally:
            self.num_abandoned += not is_done


@dataclass
class Gate:
    """Takes one turn of the event loop per picture, `late` ones a hundred; `bad` ones fail."""

    at_once: int = 0
    most_at_once: int = 0
    num_cancelled: int = 0

    async def admit(self, ref: PictureRef) -> Media:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            for _ in range(100 if "late" in ref.url else 1):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise
        finally:
            self.at_once -= 1
        if "bad" in ref.url:
            raise PictureError("bad", param=ref.param)
        return Media(content=ref.url.encode(), sha256="0", format="png", width=1, height=1)


@dataclass
class Notes:
    outcomes: list[Outcome] = field(default_factory=list)

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass
class Room:
    backend: Backend = field(default_factory=Backend)
    gate: Gate = field(default_factory=Gate)
    notes: Notes = field(default_factory=Notes)

    def service(self) -> ChatService:
        return ChatService(self.gate, self.backend, model="m", max_pictures=4, observers=[self.notes])


def request(*urls: str, model: str = "m", n: int = 1) -> ChatRequest:
    refs = [PictureRef(url=url, param=f"p{place}") for place, url in enumerate(urls)]
    first = Message(role="user", parts=(TextPart(text="x"), *refs[:1]))
    second = Message(role="user", parts=(*refs[1:], TextPart(text="y")))
    return ChatRequest(model=model, messages=(first, second), sampling=Sampling(n=n))


def test_the_whole_answer_is_the_stream_joined():
    room = Room()
    answer = asyncio.run(room.service().answer(request(), caller=CALLER, request_id="r"))
    (choice,) = answer.choices
    assert (choice.reasoning, choice.text, choice.finish) == ("hm", "ab", "length")
    assert answer.usage == USAGE


def test_pictures_pass_the_gate_at_once_and_keep_their_places():
    room = Room()
    asyncio.run(room.service().answer(request("late-0", "1", "late-2"), caller=CALLER, request_id="r"))
    assert room.gate.most_at_once == 3
    first, second = room.backend.asked[0].messages
    assert [part.media.content for part in first.parts if isinstance(part, PicturePart)] == [b"late-0"]
    assert [part.media.content for part in second.parts if isinstance(part, PicturePart)] == [b"1", b"late-2"]
    assert first.parts[0] == TextPart(text="x")
    assert second.parts[-1] == TextPart(text="y")


def test_of_several_bad_pictures_the_first_is_named_and_the_backend_is_not_asked():
    room = Room()
    with pytest.raises(PictureError) as caught:
        asyncio.run(room.service().answer(request("0", "late-bad", "bad", "late-3"), caller=CALLER, request_id="r"))
    assert caught.value.param == "p1"
    assert not room.backend.asked
    assert room.gate.at_once == 0


def test_leaving_while_pictures_are_admitted_cancels_them():
    async def run(room: Room) -> None:
        task = asyncio.create_task(room.service().answer(request("late", "late"), caller=CALLER, request_id="r"))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    room = Room()
    asyncio.run(run(room))
    assert room.gate.num_cancelled == 2
    assert room.notes.outcomes[0].error == "abandoned"


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [(request(*"12345"), PictureError, "too_many_images"), (request(model="x"), ModelNotFound, "model_not_found")],
)
def test_what_can_be_refused_at_once_is(asked: ChatRequest, kind: type[FlashSightError], code: str):
    room = Room()
    with pytest.raises(kind) as caught:
        asyncio.run(room.service().answer(asked, caller=CALLER, request_id="r"))
    assert caught.value.code == code
    assert room.gate.most_at_once == 0
    assert [outcome.error for outcome in room.notes.outcomes] == [code]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (ANSWER, None),
        ((TextDelta(index=0, text="a"), PictureError("bad")), "invalid_image"),
        ((TextDelta(index=0, text="a"), RuntimeError("x")), "internal_error"),
    ],
)
def test_observers_are_told_once_how_it_ended(script: Sequence[Delta | Exception], error: str | None):
    room = Room(Backend(script))
    run: Callable[[], object] = lambda: asyncio.run(  # noqa: E731
        room.service().answer(request("1"), caller=CALLER, request_id="r")
    )
    if error is None:
        run()
    else:
        with pytest.raises((PictureError, RuntimeError)):
            run()
    (outcome,) = room.notes.outcomes
    assert (outcome.error, outcome.caller, outcome.request_id, outcome.num_pictures) == (error, "tester", "r", 1)
    assert outcome.usage == (USAGE if error is None else None)
    assert outcome.first_seconds is not None
    assert 0 <= outcome.first_seconds <= outcome.total_seconds


def test_walking_away_mid_answer_abandons_the_backend_and_is_noted():
    async def run(room: Room) -> None:
        async with aclosing(room.service().stream(request(), caller=CALLER, request_id="r")) as deltas:
            await anext(deltas)

    room = Room()
    asyncio.run(run(room))
    assert room.backend.num_abandoned == 1
    assert [outcome.error for outcome in room.notes.outcomes] == ["abandoned"]
