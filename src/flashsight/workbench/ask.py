"""One case -> one result: reads its pictures, asks the backend, tries again what is worth it. Knows no other case."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from flashsight.core.errors import (
    AccessError,
    CheckpointError,
    ConfigError,
    EngineFault,
    FlashSightError,
    ModelNotFound,
    NotReady,
    Overloaded,
    PictureError,
    RequestError,
)
from flashsight.core.types import (
    Caller,
    Conversation,
    Finish,
    JsonConstraint,
    Media,
    Message,
    PicturePart,
    ReasoningDelta,
    Salt,
    Sampling,
    TextDelta,
    TextLogprob,
    TextPart,
    Usage,
)
from flashsight.processing.picture import decode
from flashsight.service import ChatBackend
from flashsight.service.upstream import Unreachable
from flashsight.workbench.evidence import PROMPT, split_evidence, with_evidence
from flashsight.workbench.filenames import readable
from flashsight.workbench.look import fingerprint
from flashsight.workbench.margins import NUM_TOP, margins_of
from flashsight.workbench.records import Case, Doubt, Fault, Json, Result, Timing, Tokens

BATCH = Caller(name="batch", salt=Salt(b"batch"))

NUM_ATTEMPTS = 3
"""How often a case is asked whose server failed or went away."""

PATIENCE_SECONDS = 600.0
"""Longest wait for a full or loading server, all its waits for one case together."""

LOOK_SIDE = 64
"""Pixels a side at which a picture's look is taken."""

Answered = tuple[Result, Timing, Doubt | None]
"""What came of a case. The doubt is None where a schema was not asked for or nobody told a probability."""


class BytesGate(Protocol):
    """Checks a picture that came as bytes."""

    async def admit_bytes(self, content: bytes, *, param: str) -> Media:
        """Raise PictureError naming the reason and the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about every case. sampling carries no constraint: it is made from the schema.

    evidence: a box is asked for each field of the schema too.
    """

    prompt: str
    schema: Mapping[str, Any] | None
    sampling: Sampling
    thinking: bool = False
    evidence: bool = False


@dataclass(slots=True)
class _Answer:
    text: list[str] = field(default_factory=list)
    logprobs: list[TextLogprob] = field(default_factory=list)
    finish: Finish | None = None
    usage: Usage | None = None
    first_seconds: float = 0.0


class Asker:
    """Asks one question about many cases, as many at a time as are handed in."""

    def __init__(
        self,
        gate: BytesGate,
        backend: ChatBackend,
        question: Question,
        *,
        root: Path,
        max_bytes: int,
        max_pictures: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """root: the folder that the pictures' paths are relative to. The limits are the gate's own."""
        self._gate = gate
        self._backend = backend
        self._question = question
        self._root = root
        self._max_bytes = max_bytes
        self._max_pictures = max_pictures
        self._sleep = sleep
        schema = question.schema
        self._sampling = question.sampling
        if schema is not None:
            constraint = JsonConstraint(schema=with_evidence(schema) if question.evidence else schema)
            self._sampling = replace(question.sampling, constraint=constraint, logprobs=True, top_logprobs=NUM_TOP)

    async def ask(self, case: Case) -> Answered:
        """Return what came of a case, its own fault included.

        Raises what would end every other case too: no server, no right to ask, no such model, a schema that cannot be
        compiled.
        """
        waited, attempts, num_failures = 0.0, 0, 0
        while True:
            attempts += 1
            try:
                return await self._once(case, attempts)
            except (Overloaded, NotReady) as error:
                pause = min(30.0, max(0.1, getattr(error, "retry_after_seconds", 2.0)))
                waited += pause
                if waited > PATIENCE_SECONDS:
                    raise
            except (Unreachable, EngineFault) as error:
                num_failures += 1
                if num_failures >= NUM_ATTEMPTS:
                    if isinstance(error, Unreachable):
                        raise
                    return self._failed(case, error, attempts)
                pause = 2.0 ** (num_failures - 1)
            except (AccessError, ModelNotFound, ConfigError, CheckpointError):
                raise
            except FlashSightError as error:
                if error.code == "invalid_schema":
                    raise
                if not self._does_without(error):
                    return self._failed(case, error, attempts)
                pause = 0.0
            await self._sleep(pause)

    def _does_without(self, error: FlashSightError) -> bool:
        """True if a server only refused to tell probabilities: from now on it is not asked for them."""
        is_about_them = "logprobs" in f"{error.param} {error.message}"
        if not (isinstance(error, RequestError) and is_about_them and self._sampling.logprobs):
            return False
        self._sampling = replace(self._sampling, logprobs=False, top_logprobs=0)
        return True

    async def _once(self, case: Case, attempts: int) -> Answered:
        media = [await self._admit(picture.path, picture.sha256) for picture in case.pictures]
        self._check(media)
        looks = asyncio.create_task(asyncio.to_thread(_looks, media))
        began_at = time.perf_counter()
        try:
            answer = await self._answer(case, media)
            total_seconds = time.perf_counter() - began_at
            result = self._result(case, answer, await looks, [each.turned_size for each in media])
            return result, _timing(case, answer, total_seconds, attempts), _doubt(result, answer)
        finally:
            looks.cancel()
            await asyncio.gather(looks, return_exceptions=True)

    def _check(self, media: list[Media]) -> None:
        if not media:
            raise PictureError("the row names no picture; fill its cell in", code="no_picture")
        if len(media) > self._max_pictures:
            raise PictureError(
                f"the case has {len(media)} pictures, the limit is {self._max_pictures}; raise --max-pictures",
                code="too_many_images",
            )

    async def _admit(self, path: str, sha256: str | None) -> Media:
        content = await asyncio.to_thread(_read, self._root / path, self._max_bytes)
        media = await self._gate.admit_bytes(content, param=path)
        if sha256 is not None and media.sha256 != sha256:
            raise PictureError(
                f"the picture {readable(path)} has changed since the run began; start another run",
                code="picture_changed",
            )
        return media

    async def _answer(self, case: Case, media: list[Media]) -> _Answer:
        shown = [PicturePart(media=each) for each in media]
        prompt = case.prompt or self._question.prompt
        asked = TextPart(text=f"{prompt}\n{PROMPT}" if self._question.evidence else prompt)
        conversation = Conversation(
            messages=(Message(role="user", parts=(*shown, asked)),),
            caller=BATCH,
            request_id=f"batch-{media[0].sha256[:12]}",
            thinking=self._question.thinking,
        )
        answer, began_at = _Answer(), time.perf_counter()
        async with aclosing(self._backend.stream(conversation, self._sampling)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta | ReasoningDelta):
                    answer.first_seconds = answer.first_seconds or time.perf_counter() - began_at
                if isinstance(delta, TextDelta):
                    answer.text.append(delta.text)
                    answer.logprobs.extend(delta.logprobs)
                elif isinstance(delta, Finish):
                    answer.finish = delta
                elif isinstance(delta, Usage):
                    answer.usage = delta
        return answer

    def _result(
        self, case: Case, answer: _Answer, looks: tuple[str, ...], turned_sizes: list[tuple[int, int]]
    ) -> Result:
        text, finish, usage = "".join(answer.text), answer.finish, answer.usage
        assert finish is not None, "a backend's stream has a Finish for each choice"
        assert usage is not None, "a backend's stream ends with Usage"
        parsed, boxes = None if self._question.schema is None else _object_in(text), finish.boxes
        if parsed is not None and self._question.evidence:
            parsed, boxes = split_evidence(parsed, turned_sizes)
        return Result(
            id=case.id,
            pictures=case.pictures,
            answer=text,
            parsed=parsed,
            finish=finish.reason,
            error=None if self._question.schema is None or parsed is not None else _no_object(finish),
            tokens=Tokens(
                prompt=usage.prompt_tokens,
                picture=usage.picture_tokens,
                completion=usage.completion_tokens,
                reasoning=usage.reasoning_tokens,
            ),
            boxes=tuple(asdict(box) for box in boxes),
            prompt=case.prompt,
            columns=case.columns,
            picture_hashes=looks,
        )

    def _failed(self, case: Case, error: FlashSightError, attempts: int) -> Answered:
        fault = Fault(code=error.code, message=error.message)
        result = Result(id=case.id, pictures=case.pictures, error=fault, prompt=case.prompt, columns=case.columns)
        return result, Timing(id=case.id, total_ms=0.0, attempts=attempts), None


def _looks(media: list[Media]) -> tuple[str, ...]:
    return tuple(fingerprint(decode(each, shown=(LOOK_SIDE, LOOK_SIDE))) for each in media)


def _read(path: Path, max_bytes: int) -> bytes:
    """Read a file no larger than is allowed; what is larger is not read at all."""
    name = readable(str(path))
    try:
        with path.open("rb") as file:
            num_bytes = os.fstat(file.fileno()).st_size
            if num_bytes > max_bytes:
                raise PictureError(
                    f"the picture has {num_bytes} bytes, the limit is {max_bytes}; make it smaller, or raise "
                    "--max-picture-size",
                    code="image_too_large",
                )
            return file.read(max_bytes + 1)
    except (FileNotFoundError, ValueError):
        raise PictureError(f"there is no file {name}; correct its path", code="picture_missing") from None
    except OSError:
        raise PictureError(f"{name} cannot be read; check its permissions", code="picture_unreadable") from None


def _object_in(text: str) -> Json | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _no_object(finish: Finish) -> Fault:
    if finish.reason == "length":
        return Fault(code="answer_cut", message="the answer was cut before its JSON ended; raise --max-tokens")
    return Fault(code="answer_not_json", message="the answer is no JSON object; the server does not honour the schema")


def _doubt(result: Result, answer: _Answer) -> Doubt | None:
    if result.parsed is None or not answer.logprobs:
        return None
    told = margins_of("".join(answer.text), answer.logprobs)
    return Doubt(id=result.id, margins={name: margin for name, margin in told.items() if name in result.parsed})


def _timing(case: Case, answer: _Answer, total_seconds: float, attempts: int) -> Timing:
    usage = answer.usage
    assert usage is not None, "a backend's stream ends with Usage"
    spent = usage.timings
    return Timing(
        id=case.id,
        total_ms=_ms(total_seconds),
        first_ms=_ms(answer.first_seconds),
        queued_ms=_ms(spent.queued_seconds),
        decode_ms=_ms(spent.decode_seconds),
        encode_ms=_ms(spent.encode_seconds),
        prefill_ms=_ms(spent.prefill_seconds),
        cached_tokens=usage.cached_tokens,
        attempts=attempts,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
