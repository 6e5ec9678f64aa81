"""An answer by a schema is valid, always: 500 random schemas, every other streamed, of the built-in checkpoint, warm.

It was never taught any of them: only the grammar can be what makes them fit. The schemas have a longest instance, and
every answer room for it: none may be cut.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema
import pytest

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import build_chat, build_local
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from tests.server.live import Live, serving
from tests.server.schemas import Piece, random_schema
from tests.server.support import MODEL

NUM_SCHEMAS = 500
MAX_BYTES = 900
CONTEXT = 1024
AT_ONCE = 24


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    engine = EngineConfig(context_tokens=CONTEXT, kv_bytes=32 << 20, max_sequences=AT_ONCE)
    model = ModelConfig(path="nano", device="cpu")
    config = Config(model=model, engine=engine, media=MediaConfig(max_side=448))
    parts = build_local(config)
    readiness = Readiness()
    readiness.open(Serving(chat=build_chat(config, parts), plan=lambda: parts.plan, snapshot=parts.engine.snapshot))
    with serving(build_app(config.server, readiness=readiness, access=AccessPolicy(), metrics=Metrics())) as live:
        yield live
    parts.engine.stop()


def body(piece: Piece, seed: int, *, stream: bool) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "any", "schema": piece.schema, "strict": True}}
    return {
        "model": MODEL, "messages": [{"role": "user", "content": "x"}], "response_format": form, "stream": stream,
        "temperature": 1, "seed": seed, "max_tokens": MAX_BYTES,
    }  # fmt: skip


async def whole(http: httpx2.AsyncClient, asked: dict[str, Any]) -> tuple[str, str]:
    answer = await http.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


async def streamed(http: httpx2.AsyncClient, asked: dict[str, Any]) -> tuple[str, str]:
    answer = await http.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200, answer.text
    *events, done = [line[6:] for line in answer.text.splitlines() if line]
    assert done == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events]
    return "".join(choice["delta"].get("content", "") for choice in choices), choices[-1]["finish_reason"]


async def faults_of(live: Live, pieces: list[Piece]) -> list[str]:
    faults, turns = [], asyncio.Semaphore(AT_ONCE)

    async def ask(http: httpx2.AsyncClient, seed: int) -> None:
        piece, stream = pieces[seed], seed % 2 == 0
        async with turns:
            content, finish = await (streamed if stream else whole)(http, body(piece, seed, stream=stream))
        try:
            assert finish == "stop"
            assert len(content.encode()) <= piece.max_bytes, "the bound was too low"
            jsonschema.validate(json.loads(content), piece.schema, format_checker=jsonschema.FormatChecker())
        except (AssertionError, ValueError, jsonschema.ValidationError) as error:
            faults.append(f"{seed}: {piece.schema} -> {content!r} ({finish}): {error}"[:2000])

    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=live.base, timeout=120, limits=limits) as http:
        await asyncio.gather(*(ask(http, seed) for seed in range(len(pieces))))
    return faults


def test_every_answer_by_a_random_schema_is_valid(live: Live):
    pieces = [random_schema(seed, max_bytes=MAX_BYTES) for seed in range(NUM_SCHEMAS)]
    assert asyncio.run(faults_of(live, pieces)) == []
