"""The table that every GPU is measured by: which loads, which figures, and the marks that stand beside them.

Puts the loads on one server over HTTP and sums them up. The marks were measured on one H200 with the dimensions of
GLM-4.6V-Flash and random bfloat16 weights, one client, 64 tokens out (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from flashsight.bench.books import numbers
from flashsight.bench.measure import Measured, Row, percentile, summarise
from flashsight.bench.pictures import PictureSource
from flashsight.bench.wire import Wire, chat_body, data_url
from flashsight.core.errors import FlashSightError, RequestError

PROMPT = "请用一句话描述这张图片的内容,不要解释,只陈述事实,并列出图中的主要物体、颜色和文字。"
NUM_TOKENS = 64
TEXT_TOKENS = 57
"""Tokens of the marks' prompts that are not the picture's: 383 at 512 px, of which the picture takes 326."""
READ_AHEAD_SECONDS = 60.0

Novelty = Literal["new", "same", "uploaded"]
Figure = Literal["ttft", "tpot", "rate", "start"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A load: num_clients ask about pictures of size x size pixels, each again when its answer is complete.

    novelty: pictures that no request has shown before, one picture again and again, or uploaded and read ahead before
    the clock starts. rounds: questions of each client.
    """

    name: str
    size: int
    num_clients: int
    rounds: int
    novelty: Novelty = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One figure of one load, and what it is held against; milliseconds, requests per second, or seconds.

    vllm: version 0.26.0 with its defaults, and tuned. transformers: 5.17, in process. floor: what the hardware allows.
    goal_p95: of first tokens only.
    """

    title: str
    case: str
    figure: Figure
    goal: float
    goal_p95: float | None = None
    vllm: tuple[float, float] | None = None
    transformers: float | None = None
    floor: float | None = None


CASES = (
    Case(name="512x1", size=512, num_clients=1, rounds=40),
    Case(name="512x8", size=512, num_clients=8, rounds=16),
    Case(name="512x32", size=512, num_clients=32, rounds=24),
    Case(name="512x1 same", size=512, num_clients=1, rounds=40, novelty="same"),
    Case(name="512x1 uploaded", size=512, num_clients=1, rounds=40, novelty="uploaded"),
    Case(name="1024x1", size=1024, num_clients=1, rounds=40),
    Case(name="1024x8", size=1024, num_clients=8, rounds=12),
)

MARKS = (
    Mark(
        title="TTFT, 512 px, 1 client",
        case="512x1",
        figure="ttft",
        goal=22,
        goal_p95=30,
        vllm=(81.7, 54.6),
        transformers=66.1,
        floor=13,
    ),
    Mark(
        title="TTFT, 512 px, 8 clients",
        case="512x8",
        figure="ttft",
        goal=50,
        goal_p95=100,
        vllm=(263, 197),
        floor=20,
    ),
    Mark(title="TTFT, 512 px, 32 clients", case="512x32", figure="ttft", goal=250, vllm=(736, 670)),
    Mark(
        title="TTFT, 512 px, same picture again, 1 client",
        case="512x1 same",
        figure="ttft",
        goal=8,
        vllm=(26.4, 22.4),
        transformers=66.1,
        floor=5,
    ),
    Mark(title="TTFT after an upload, 512 px", case="512x1 uploaded", figure="ttft", goal=10, floor=6),
    Mark(
        title="TTFT, 1024 px, 1 client",
        case="1024x1",
        figure="ttft",
        goal=70,
        vllm=(146, 104),
        transformers=127,
        floor=50,
    ),
    Mark(
        title="TPOT, 1 client, bf16",
        case="512x1",
        figure="tpot",
        goal=4.7,
        vllm=(6.60, 6.00),
        transformers=31.1,
        floor=4.1,
    ),
    Mark(title="requests/s, 512 px, 8 clients", case="512x8", figure="rate", goal=16, vllm=(11.5, 13.1), floor=21),
    Mark(title="requests/s, 512 px, 32 clients", case="512x32", figure="rate", goal=35, vllm=(25.9, 27.8), floor=45),
    Mark(title="requests/s, 1024 px, 8 clients", case="1024x8", figure="rate", goal=9.5, vllm=(7.5, 7.9), floor=11.6),
    Mark(title="process start to first answer, s", case="start", figure="start", goal=15, vllm=(127, 119)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that one run showed. rows: by case, the ones that could be measured; failures: why one could not be.
    start_seconds: of each start. about: what the server says it is, and its engine's own numbers after the last row."""

    system: str
    measured_at: str
    rows: dict[str, Row]
    failures: dict[str, str] = field(default_factory=dict)
    start_seconds: Sequence[float] = ()
    about: dict[str, Any]

    def value(self, mark: Mark) -> tuple[float, float | None] | None:
        """The figure of a mark, and its 95th percentile if it has one; None if it was not measured."""
        if mark.figure == "start":
            starts = self.start_seconds
            return (percentile(starts, 0.5), percentile(starts, 0.95)) if starts else None
        row = self.rows.get(mark.case)
        if row is None:
            return None
        if mark.figure == "ttft":
            return row.ttft_p50_ms, row.ttft_p95_ms
        return (row.tpot_ms if mark.figure == "tpot" else row.answers_per_second), None

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON keeps it; `read` takes it back."""
        return asdict(self)

    @classmethod
    def read(cls, text: str) -> Outcome:
        """Take an outcome back from its JSON. Raises RequestError for anything else."""
        try:
            kept = json.loads(text)
            rows = {name: Row(**row) for name, row in kept.pop("rows").items()}
            starts = tuple(map(float, kept.pop("start_seconds", ())))
            return cls(rows=rows, start_seconds=starts, **kept)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise RequestError("the file is not what `flashsight bench gpu --json` writes; name another") from None


async def run_suite(
    wire: Wire,
    *,
    system: str,
    seed: int,
    cases: Sequence[Case] = CASES,
    num_tokens: int = NUM_TOKENS,
    start_seconds: Sequence[float] = (),
    progress: Progress = lambda *_: None,
    keep: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Put every load on the server, one after the other; each answer has num_tokens tokens.

    keep: called after each load with all that is known by then. A load of which nothing was answered is noted.
    """
    about = await _about(wire)
    prompt = await fitting_prompt(wire)
    rows: dict[str, Row] = {}
    failures: dict[str, str] = {}
    outcome = Outcome(
        system=system,
        measured_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        rows=rows,
        failures=failures,
        start_seconds=start_seconds,
        about=about,
    )
    for number, case in enumerate(cases):
        own_seed = seed + number * 100_003  # no load may find another's pictures in a cache
        try:
            row = await run_case(
                wire, case, system=system, seed=own_seed, num_tokens=num_tokens, prompt=prompt, progress=progress
            )
        except FlashSightError as error:
            failures[case.name] = error.message
            row = None
        if row is not None:
            rows[case.name] = row
        about["engine"] = await numbers(wire)
        keep(outcome)
    return outcome


async def fitting_prompt(wire: Wire) -> str:
    """The question, cut where the server's tokenizer makes more of it than the marks' had; whole if it does not say."""

    async def count(prompt: str) -> int:
        body = {"model": wire.model, "messages": [{"role": "user", "content": prompt}]}
        told = json.loads(await wire.post("/tokenize", json.dumps(body).encode(), "application/json"))
        return int(told["count"])

    try:
        return await cut_to_fit(count)
    except (FlashSightError, ValueError, KeyError, TypeError):
        return PROMPT


async def cut_to_fit(count: Callable[[str], Awaitable[int]]) -> str:
    """The question with as many tokens as the marks' had at most; count: the tokens of a chat that asks it.

    A tokenizer without Chinese words takes three tokens for a character.
    """
    prompt = PROMPT
    for _ in range(len(PROMPT)):
        num_tokens = await count(prompt)
        if num_tokens <= TEXT_TOKENS:
            break
        prompt = prompt[: max(1, len(prompt) * TEXT_TOKENS // num_tokens)]
    return prompt


async def run_case(
    wire: Wire,
    case: Case,
    *,
    system: str,
    seed: int,
    num_tokens: int,
    prompt: str = PROMPT,
    progress: Progress = lambda *_: None,
) -> Row | None:
    """Warm up with one question of every client, then measure; None if the server takes no uploads.

    Raises the first failure if nothing was answered at all.
    """
    source = PictureSource(case.size, seed=seed, same=case.novelty == "same")
    num_requests = case.num_clients * case.rounds
    pictures = [source.next() for _ in range(case.num_clients + num_requests)]
    warm, measured = pictures[: case.num_clients], pictures[case.num_clients :]
    if case.novelty == "uploaded" and not await _takes_uploads(wire):
        return None
    load = _Load(wire, case.novelty, num_tokens, prompt)
    await load.run(warm, case.num_clients)
    load = _Load(wire, case.novelty, num_tokens, prompt, lambda done: progress(case.name, done, num_requests))
    start = time.perf_counter()
    await load.run(measured, case.num_clients)
    wall_seconds = time.perf_counter() - start
    if not load.answers:
        raise load.failures[0]
    return summarise(system, case.name, load.answers, wall_seconds, len(load.failures))


class _Load:
    """Clients in a closed loop over one line of pictures."""

    def __init__(
        self,
        wire: Wire,
        novelty: Novelty,
        num_tokens: int,
        prompt: str,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._wire = wire
        self._prompt = prompt
        self._num_tokens = num_tokens
        self._novelty = novelty
        self._report = report
        self.answers: list[Measured] = []
        self.failures: list[FlashSightError] = []

    async def run(self, pictures: Sequence[bytes], num_clients: int) -> None:
        line = list(reversed(pictures))
        bodies = [] if self._novelty == "uploaded" else [self._body(data_url(picture)) for picture in line]

        async def client() -> None:
            while line:
                picture = line.pop()
                try:
                    if self._novelty == "uploaded":
                        async with _uploaded(self._wire, picture) as url:
                            self.answers.append(await self._wire.chat(self._body(url)))
                    else:
                        self.answers.append(await self._wire.chat(bodies.pop()))
                except FlashSightError as error:
                    self.failures.append(error)
                self._report(len(self.answers) + len(self.failures))

        await asyncio.gather(*(client() for _ in range(num_clients)))

    def _body(self, url: str) -> bytes:
        return chat_body(self._wire.model, url, self._prompt, self._num_tokens)


@asynccontextmanager
async def _uploaded(wire: Wire, picture: bytes) -> AsyncIterator[str]:
    """Upload a picture and wait until it has been read ahead; yield what a chat calls it."""
    edge = "flashsight-bench"
    parts = (
        f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n'.encode(),
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="picture.jpg"\r\n'.encode(),
        b"Content-Type: image/jpeg\r\n\r\n" + picture + f"\r\n--{edge}--\r\n".encode(),
    )
    file = json.loads(await wire.post("/v1/files", b"".join(parts), f"multipart/form-data; boundary={edge}"))
    give_up_at = time.perf_counter() + READ_AHEAD_SECONDS
    while file.get("status") != "processed" and time.perf_counter() < give_up_at:
        await asyncio.sleep(0.005)
        file = json.loads(await wire.get(f"/v1/files/{file['id']}"))
    yield file["id"]


async def _takes_uploads(wire: Wire) -> bool:
    try:
        await wire.get("/v1/files?limit=1")
    except FlashSightError:
        return False
    return True


async def _about(wire: Wire) -> dict[str, Any]:
    try:
        said = json.loads(await wire.get("/health"))
    except (FlashSightError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
