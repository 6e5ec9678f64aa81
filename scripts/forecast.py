"""What the engine's own scheduler makes of a GPU whose pieces take known times: first tokens and rates under load.

    python3 scripts/forecast.py

Clients in a closed loop, each with a new picture every time and 64 tokens to answer; virtual time, no model and no GPU.
The times of the device are what scripts/kernels.py measured on one H200; those of the host what `bench gpu` showed
beyond them for one client.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np

from flashsight.bench.measure import percentile
from flashsight.core.types import Grid, ModelInput, PictureInput, PictureKey, Salt, TokenSampling
from flashsight.engine import prefill
from flashsight.engine.blocks import BlockPool
from flashsight.engine.memory import GPU_ENCODE_PATCHES
from flashsight.engine.pictures import PictureCache
from flashsight.engine.plan import Limits, Plan
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.sequence import Sequence, SequenceId

PATCHES, PROMPT = {512: 1296, 1024: 5476}, {512: 383, 1024: 1428}
ENCODE_MS = {1296: 5.1, 5476: 24.5}
DECODE_ALONE_MS, DECODE_FIRST_MS, DECODE_ROW_MS = 4.8, 5.35, 0.023
CHUNK_LEAST_MS, CHUNK_FIXED_MS, CHUNK_TOKEN_MS = 5.8, 0.6, 0.0257
DECODE_FILE_MS = {512: 2.3, 1024: 5.0}
BEFORE_MS, AFTER_MS, AGAIN_MS = 1.6, 1.4, 1.5
"""From the client to the engine; from the engine to the client; from an answer's end to the next question."""
GAP_MS = 0.25
"""What the host needs between two steps of which the second is not launched ahead."""
SPREAD, STEP_TOKENS, NUM_TOKENS, SEEDS = 0.04, 2048, 64, 3


class Run:
    """One load: num_clients ask about pictures of size x size, `rounds` times each after a first time to warm up."""

    def __init__(self, size: int, num_clients: int, rounds: int, *, seed: int, encode_patches: int) -> None:
        self.size, self.num_clients, self.left = size, num_clients, num_clients * (rounds + 1)
        self.random = np.random.default_rng(seed)
        self.now = self.behind = 0.0
        self.events: list[tuple[float, int, Callable[[], object]]] = []
        self.numbers = count()
        self.asked: dict[SequenceId, float] = {}
        self.first: dict[SequenceId, float] = {}
        self.ended: list[float] = []
        pool = BlockPool(60000, 16)
        limits = Limits(
            step_tokens=STEP_TOKENS, encode_patches=encode_patches, max_sequences=64, max_waiting=256,
            context_tokens=4096, decode_slots=8,
        )  # fmt: skip
        pictures = PictureCache(1 << 40, bytes_per_token=8192)
        self.scheduler = Scheduler(limits, pool, PrefixCache(pool, enabled=True), pictures, clock=lambda: self.now)
        for _ in range(num_clients):
            self.ask(2 * self.random.random())

    def ask(self, at: float) -> None:
        if self.left:
            self.left -= 1
            name = SequenceId(self.left)
            self.asked[name] = at
            self.later(at + BEFORE_MS, lambda: self.scheduler.add(self.question(name)))

    def later(self, at: float, event: Callable[[], object]) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), event))

    def question(self, name: SequenceId) -> Sequence:
        patches, length = PATCHES[self.size], PROMPT[self.size]
        side = round(patches**0.5)
        picture = PictureInput(
            key=PictureKey(str(name)), grid=Grid(t=1, h=side, w=side), resized=(14 * side, 14 * side), start=8,
            num_tokens=patches // 4, load=lambda: np.zeros(0, np.uint8),
        )  # fmt: skip
        ids, places = np.full(length, name), np.broadcast_to(np.arange(length), (3, length))
        prompt = ModelInput(ids=ids, positions=places, delta=0, pictures=(picture,))
        return Sequence(id=name, prompt=prompt, sampling=TokenSampling(max_tokens=NUM_TOKENS), salt=Salt(b""))

    def begin_decoding(self, pictures: tuple[PictureInput, ...]) -> None:
        for picture in pictures:
            done = self.now + DECODE_FILE_MS[self.size]
            self.later(done, lambda key=picture.key: self.scheduler.picture_decoded(key, None))  # type: ignore[misc]

    def cost(self, plan: Plan) -> float:
        encoding = sum(ENCODE_MS[encode.picture.grid.num_patches] for encode in plan.encodes)
        if len(plan.chunks) > plan.num_decodes:
            return encoding + max(CHUNK_LEAST_MS, CHUNK_FIXED_MS + CHUNK_TOKEN_MS * plan.num_tokens)
        if plan.num_tokens == 1:
            return encoding + DECODE_ALONE_MS
        return encoding + (DECODE_FIRST_MS + DECODE_ROW_MS * plan.num_tokens if plan.chunks else 0.0)

    def step(self, ahead: Plan | None) -> Plan | None:
        """Run a step; return the one that was launched behind it, if one was."""
        while self.events and self.events[0][0] <= self.now:
            heapq.heappop(self.events)[2]()
        if ahead is not None:
            self.begin_decoding(self.scheduler.welcome())
            plan = self.scheduler.joined(ahead)
        else:
            plan = self.scheduler.plan()
            self.begin_decoding(plan.decode_requests)
        if plan.is_empty:
            self.now = max(self.now, self.events[0][0])
            return None
        for encode in plan.encodes:
            self.scheduler.picture_encoded(encode.picture.key, None)
        following = self.scheduler.plan_after(plan)
        joined = self.cost(plan) - self.cost(ahead) if ahead else 0.0  # pictures, behind this step's tokens
        spent = self.behind + self.cost(plan) - joined + (0.0 if ahead else GAP_MS)
        self.behind = joined
        self.now += spent * self.random.normal(1, SPREAD)
        drawing = [chunk.sequence.id for chunk in plan.chunks if chunk.samples]
        for name in drawing:
            self.first.setdefault(name, self.now + AFTER_MS - self.asked[name])
        for _ in self.scheduler.commit(plan, {name: [1] for name in drawing}):
            self.ended.append(self.now)
            self.ask(self.now + AGAIN_MS)
        return following.plan if following else None

    def figures(self) -> tuple[float, float, float]:
        """(first token p50, p95 in ms, answers per second) of all but each client's first question."""
        ahead = None
        while len(self.ended) < len(self.asked) or self.left:
            ahead = self.step(ahead)
        first = [self.first[name] for name in sorted(self.first, reverse=True)[self.num_clients :]]
        seconds = (self.ended[-1] - self.ended[self.num_clients - 1]) / 1e3
        return percentile(first, 0.5), percentile(first, 0.95), len(first) / seconds


if __name__ == "__main__":
    kept = prefill.BESIDE_TOKENS
    for about, encode_patches, beside_tokens in (
        ("as it is", GPU_ENCODE_PATCHES, kept),
        ("encoder batches of 8192 patches", 8192, kept),
        ("whole prompts beside decodes", GPU_ENCODE_PATCHES, STEP_TOKENS),
    ):
        print(about)
        prefill.BESIDE_TOKENS = beside_tokens
        for size, num_clients, rounds in ((512, 1, 10), (512, 8, 16), (512, 32, 10), (1024, 1, 10), (1024, 8, 12)):
            runs = [
                Run(size, num_clients, rounds, seed=seed, encode_patches=encode_patches).figures()
                for seed in range(SEEDS)
            ]
            p50, p95, rate = (sum(column) / SEEDS for column in zip(*runs, strict=True))
            said = f"first token {p50:6.1f} ({p95:.1f}) ms, {rate:5.1f} answers/s"
            print(f"  {size:4} px, {num_clients:2} clients: {said}")
