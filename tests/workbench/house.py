"""A run's doubles: pictures by number, a backend whose answers follow from the pictures' bytes, a gate that counts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from flashsight.core.config import MediaConfig
from flashsight.core.errors import FlashSightError
from flashsight.core.types import (
    Conversation,
    Delta,
    Finish,
    Media,
    PicturePart,
    Sampling,
    TextDelta,
    TextPart,
    Timings,
    Usage,
)
from flashsight.processing.media import MediaGate
from flashsight.workbench.ask import Asker, Question
from flashsight.workbench.plan import manifest_of
from flashsight.workbench.records import ModelRecord, Run
from flashsight.workbench.run import begin
from flashsight.workbench.source import read_source, with_hashes

SCHEMA = {"type": "object", "properties": {"color": {"type": "string"}, "copy": {"type": "string"}}}
USAGE = Usage(
    prompt_tokens=20,
    completion_tokens=3,
    reasoning_tokens=0,
    picture_tokens=9,
    cached_tokens=16,
    picture_level="device",
    timings=Timings(queued_seconds=0.001, encode_seconds=0.002, prefill_seconds=0.003),
)


def draw(file: Path, seed: int) -> Path:
    """A smooth picture, another one for each seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (5, 5, 3), dtype=np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize((56, 56), Image.Resampling.BICUBIC).save(file)
    return file


@dataclass
class Backend:
    """Says {"color": <the picture's hash>}, or what `said` holds for it; raises the faults in turn, before that."""

    said: dict[str, str] = field(default_factory=dict)
    faults: list[FlashSightError] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    prompts: list[str] = field(default_factory=list)
    num_open: int = 0
    most_open: int = 0
    wait_for: int = 1
    """The first answers wait until so many are asked at once; more never come together than the run allows."""
    crowd: asyncio.Event = field(default_factory=asyncio.Event)
    finish: str = "stop"

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        parts = conversation.messages[0].parts
        hashes = [part.media.sha256 for part in parts if isinstance(part, PicturePart)]
        self.asked["+".join(hashes)] += 1
        self.prompts.extend(part.text for part in parts if isinstance(part, TextPart))
        if self.faults:
            raise self.faults.pop(0)
        self.num_open += 1
        self.most_open = max(self.most_open, self.num_open)
        if self.most_open >= self.wait_for:
            self.crowd.set()
        try:
            async with asyncio.timeout(60):
                await self.crowd.wait()
            # Later ones overtake: the order of the results is not that of the answers.
            await asyncio.sleep(int(hashes[0][:2], 16) / 1e5)
            for piece in self.said.get(hashes[0], json.dumps({"color": hashes[0][:8]})):
                yield TextDelta(index=0, text=piece)
            yield Finish(index=0, reason=self.finish)  # type: ignore[arg-type]
            yield USAGE
        finally:
            self.num_open -= 1


class CountingGate(MediaGate):
    """Counts the pictures that were let in."""

    num_admitted = 0

    async def admit_bytes(self, content: bytes, *, param: str = "file") -> Media:
        self.num_admitted += 1
        return await super().admit_bytes(content, param=param)


async def no_sleep(seconds: float) -> None:
    """Pass the turn on at once."""
    await asyncio.sleep(0)


QUESTION = Question(prompt="color?", schema=SCHEMA, sampling=Sampling(max_tokens=32))


def asker_of(run: Run, backend: Backend, question: Question = QUESTION, gate: MediaGate | None = None) -> Asker:
    media = MediaConfig()
    return Asker(
        gate or MediaGate(media),
        backend,
        question,
        root=Path(run.manifest.source.root),
        max_bytes=media.max_bytes,
        max_pictures=2,
        sleep=no_sleep,
    )


def new_run(source: Path, out: Path, question: Question = QUESTION) -> Run:
    found = read_source(source, without=out)
    manifest = manifest_of(
        question,
        ModelRecord(name="double"),
        MediaConfig(),
        path=found.path,
        root=found.root,
        num_cases=len(found.cases),
    )
    return begin(out, manifest, with_hashes(found.cases, found.root))
