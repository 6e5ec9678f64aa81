"""An engine over the tiny checkpoint whose model can be watched, stopped and broken."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.support.caches import cache_of
from tests.support.prompts import Prompt, pixel_path, some_picture

from flashsight.core.types import Grid, ModelInput, Salt, TokenEvent, TokenSampling
from flashsight.engine.blocks import BlockPool
from flashsight.engine.engine import Engine
from flashsight.engine.pictures import PictureCache
from flashsight.engine.plan import Limits
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.runner import Runner
from flashsight.engine.sampler import Sampler
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.tiers import PictureTiers
from flashsight.models.attention.layout import Attend, KVCache
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v

if TYPE_CHECKING:
    from flashsight.engine.takeover import Takeover

SALT = Salt(b"a caller")


class WatchedModel:
    """The model, with a hook before each call. A hook may wait or raise; one on logits may change them."""

    def __init__(self, model: Glm4v) -> None:
        self._model = model
        self.shape, self.dtype, self.device = model.shape, model.dtype, model.device
        self.on_forward: Callable[[], None] | None = None
        self.on_encode: Callable[[], None] | None = None
        self.on_logits: Callable[[torch.Tensor], None] | None = None

    def encode(self, patches_PK: torch.Tensor, grids: Sequence[Grid]) -> torch.Tensor:
        if self.on_encode is not None:
            self.on_encode()
        return self._model.encode(patches_PK, grids)

    def embed(self, ids_T: torch.Tensor) -> torch.Tensor:
        return self._model.embed(ids_T)

    def forward(self, hidden_TC: torch.Tensor, positions_3T: torch.Tensor, attend: Attend) -> torch.Tensor:
        if self.on_forward is not None:
            self.on_forward()
        return self._model.forward(hidden_TC, positions_3T, attend)

    def logits(self, hidden_NC: torch.Tensor) -> torch.Tensor:
        logits_NV = self._model.logits(hidden_NC)
        if self.on_logits is not None:
            self.on_logits(logits_NV)
        return logits_NV


@dataclass
class Rig:
    """A started engine and what is behind it."""

    engine: Engine
    scheduler: Scheduler
    model: WatchedModel
    takeover: Takeover | None = None

    async def answer(self, prompt: ModelInput, sampling: TokenSampling, salt: Salt = SALT) -> list[TokenEvent]:
        """All events of one answer."""
        async with aclosing(self.engine.generate(prompt, sampling, salt=salt, request_id="req-1")) as events:
            return [event async for event in events]

    async def tokens(self, prompt: ModelInput, sampling: TokenSampling, salt: Salt = SALT) -> list[int]:
        """The tokens of one answer."""
        return [event.token for event in await self.answer(prompt, sampling, salt) if event.token is not None]

    async def settle(self) -> Any:
        """Wait until the engine has nothing to do, check the books, and return the totals."""
        for _ in range(2000):
            snapshot = self.engine.snapshot()
            if self.scheduler.is_idle and snapshot.books.num_running + snapshot.books.num_waiting == 0:
                break
            await asyncio.sleep(0.005)
        assert self.scheduler.is_idle, "the engine still has sequences"
        self.scheduler.check()
        assert self.scheduler.pool.num_used == 0
        return self.scheduler.snapshot().totals


def build_rig(
    model: Glm4v,
    *,
    step_tokens: int = 64,
    block_size: int = 4,
    num_blocks: int = 300,
    max_sequences: int = 8,
    max_waiting: int = 32,
    context_tokens: int = 600,
    encode_patches: int = 64,
    picture_tokens: int = 500,
    has_prefix_cache: bool = True,
    draft_tokens: int = 0,
    tiers: PictureTiers | None = None,
    is_fast: bool = False,
) -> Rig:
    watched, shape = WatchedModel(model), model.shape
    limits = Limits(
        step_tokens=step_tokens,
        encode_patches=encode_patches,
        max_sequences=max_sequences,
        max_waiting=max_waiting,
        context_tokens=context_tokens,
        decode_slots=4,
        draft_tokens=draft_tokens,
    )
    pool = BlockPool(num_blocks, block_size)
    bytes_per_token = shape.hidden_size * model.dtype.itemsize
    scheduler = Scheduler(
        limits,
        pool,
        PrefixCache(pool, enabled=has_prefix_cache),
        PictureCache(picture_tokens * bytes_per_token, bytes_per_token=bytes_per_token),
        clock=time.monotonic,
    )
    cache = cache_of(model, num_blocks=num_blocks, block_size=block_size)
    takeover = _takeover(model, cache, limits) if is_fast else None
    runner = Runner(
        model=watched,
        backend=SdpaBackend(),
        cache=cache,
        pixel_path=pixel_path,
        step_tokens=step_tokens,
        takeover=takeover,
    )
    sampler = Sampler(vocab_size=shape.vocab_size, max_sequences=max_sequences, device=model.device)
    engine = Engine(scheduler=scheduler, runner=runner, sampler=sampler, decode_threads=2, tiers=tiers)
    engine.start()
    return Rig(engine, scheduler, watched, takeover)


def _takeover(model: Glm4v, cache: KVCache, limits: Limits) -> Takeover:
    """Kernels of our own and CUDA graphs; needs a GPU."""
    from flashsight.engine.graphs import CudaRecorder
    from flashsight.engine.takeover import Takeover
    from flashsight.models.attention.pictures import KernelPictures
    from flashsight.models.kernels.capability import capability_of

    return Takeover(
        model,
        cache,
        CudaRecorder(model.device),
        max_sequences=limits.max_sequences,
        step_tokens=limits.step_tokens,
        most_patches=limits.encode_patches,
        pictures=KernelPictures(),
        pixel_path=pixel_path,
        overlaps=capability_of(model.device).overlaps,
    )


TEXT = Prompt(([11, 12, 13, 14, 15],))
LONG_TEXT = Prompt(([int(token) for token in np.random.default_rng(1).integers(0, 500, 200)],))
PICTURE = Prompt(([5], some_picture(1), [6, 7]))

MakeRig = Callable[..., Rig]


class Gate:
    """Stops whoever calls it until it is opened, and tells when somebody stands there."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self._is_open = threading.Event()

    def __call__(self) -> None:
        self.is_reached.set()
        assert self._is_open.wait(20)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.is_reached.wait, 20)

    def open(self) -> None:
        self._is_open.set()


def begin(rig: Rig, prompt: ModelInput, sampling: TokenSampling) -> asyncio.Task[list[TokenEvent]]:
    return asyncio.ensure_future(rig.answer(prompt, sampling))


async def walk_away(task: asyncio.Task[list[TokenEvent]]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(2000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to pass")
