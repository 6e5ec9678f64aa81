"""From a Config to the parts that answer: the one place that knows them all. Listens on nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flashsight.core.config import Config, ModelConfig
from flashsight.core.errors import CheckpointError, ConfigError
from flashsight.engine.blocks import BlockPool
from flashsight.engine.device import measure_memory
from flashsight.engine.engine import Engine
from flashsight.engine.memory import LargestPicture, MemoryPlan, plan_memory
from flashsight.engine.pictures import PictureCache
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.process import num_decoders, on_passing_thread
from flashsight.engine.runner import Runner
from flashsight.engine.sampler import Sampler
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.tiers import DiskTier, HostTier, PictureTiers
from flashsight.engine.usage import measure_use
from flashsight.launcher.speed import takeover_of
from flashsight.models.attention.layout import KVCache
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.loading import LoadedModel, checkpoint_folder, load_model
from flashsight.models.storage import verify_files
from flashsight.processing.media import MediaGate
from flashsight.processing.pixels import PixelPath
from flashsight.processing.processor import Processor
from flashsight.service import ChatObserver, ChatService, Library, LibraryObserver
from flashsight.service.local import LocalBackend

MAX_HASHED_BYTES = 1 << 30
"""Files beyond this are not hashed at every start; `flashsight doctor` does it when asked."""

Enter = Callable[[str], None]
"""Called with the name of each phase as it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalParts:
    """What answers in this process. The engine's thread runs; `engine.stop()` ends it."""

    loaded: LoadedModel
    processor: Processor
    engine: Engine
    plan: MemoryPlan
    backend: LocalBackend

    def plan_now(self) -> dict[str, object]:
        """The plan for a machine, with what is in use at this moment."""
        use = measure_use(self.loaded.device)
        return self.plan.as_dict() | {"use": self.plan.held_against(use)}


def build_local(config: Config, *, enter: Enter = lambda phase: None) -> LocalParts:
    """Load the model, plan the memory, start the engine.

    Raises CheckpointError or ConfigError with the way out.
    """
    root = config.media.media_root
    if root is not None and not root.is_dir():
        raise ConfigError(f"media_root {str(root)!r} is no folder; name one that exists", param="media_root")

    def build(check: Callable[[], None]) -> LocalParts:
        def entered(phase: str) -> None:
            check()
            enter(phase)

        return _build_parts(config, entered)

    parts = on_passing_thread(build)
    enter("first run")
    parts.engine.start()
    return parts


def _build_parts(config: Config, enter: Enter) -> LocalParts:
    """All but the engine's start."""
    enter("checking the model's files")
    check_files(config.model)
    enter("reading weights")
    loaded = load_model(config.model, progress=_percent(enter))
    enter("planning memory")
    plan = plan_of(config, loaded)
    processor = Processor(loaded.files, config.media, context_tokens=plan.limits.context_tokens)
    engine = build_engine(config, loaded, plan, processor)
    backend = LocalBackend(
        processor,
        engine,
        context_tokens=plan.limits.context_tokens,
        vocabulary_size=loaded.model.shape.vocab_size,
        is_random=config.model.load_format == "dummy",
    )
    return LocalParts(loaded=loaded, processor=processor, engine=engine, plan=plan, backend=backend)


def build_chat(
    config: Config, parts: LocalParts, *, observers: Sequence[ChatObserver] = (), library: Library | None = None
) -> ChatService:
    """The one road over the parts: gate, backend, limits."""
    return ChatService(
        MediaGate(config.media, offline=config.offline),
        parts.backend,
        model=config.model.served_name,
        max_pictures=config.media.max_pictures,
        observers=observers,
        reader=parts.backend,
        library=library,
    )


def build_library(config: Config, parts: LocalParts, *, observers: Sequence[LibraryObserver] = ()) -> Library:
    """What keeps uploaded pictures and reads them ahead."""
    return Library(
        MediaGate(config.media, offline=config.offline),
        parts.backend,
        max_bytes=config.server.file_bytes,
        max_file_bytes=config.media.max_bytes,
        keep_seconds=config.server.file_seconds,
        observers=observers,
    )


def check_files(model: ModelConfig) -> None:
    """Raise CheckpointError with everything that is wrong with the checkpoint's files."""
    folder = checkpoint_folder(model)
    if model.load_format == "dummy" or _num_bytes(folder) > MAX_HASHED_BYTES:
        return
    problems = verify_files(folder)
    if problems:
        raise CheckpointError(f"the model's files are damaged: {'; '.join(problems)}. Copy them again")


def plan_of(config: Config, loaded: LoadedModel) -> MemoryPlan:
    """Settle where every byte goes, the weights lying on the device already."""
    shape = loaded.model.shape
    return plan_memory(
        config.engine,
        shape,
        memory=measure_memory(loaded.device, held_bytes=loaded.weight_bytes),
        weight_bytes=loaded.weight_bytes,
        value_bytes=loaded.dtype.itemsize,
        largest=LargestPicture.of(config.media, shape),
    )


def build_engine(config: Config, loaded: LoadedModel, plan: MemoryPlan, processor: Processor) -> Engine:
    """Put the engine together; it is not started."""
    shape = loaded.model.shape
    pool = BlockPool(plan.num_blocks, plan.block_size)
    scheduler = Scheduler(
        plan.limits,
        pool,
        PrefixCache(pool, enabled=config.engine.prefix_cache),
        PictureCache(plan.picture_cache_bytes, bytes_per_token=plan.feature_bytes_per_token),
        clock=time.monotonic,
    )
    cache = KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=plan.num_blocks,
        block_size=plan.block_size,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=loaded.dtype,
        device=loaded.device,
    )
    pixel_path = PixelPath(processor.settings)
    runner = Runner(
        model=loaded.model,
        backend=SdpaBackend(),
        cache=cache,
        pixel_path=pixel_path,
        step_tokens=plan.limits.step_tokens,
        takeover=takeover_of(config, loaded, plan, cache, pixel_path),
    )
    tiers = build_tiers(config, loaded)
    sampler = Sampler(vocab_size=shape.vocab_size, max_sequences=plan.limits.max_sequences, device=loaded.device)
    return Engine(
        scheduler=scheduler,
        runner=runner,
        sampler=sampler,
        decode_threads=num_decoders(config.engine.decode_threads),
        tiers=tiers,
    )


def build_tiers(config: Config, loaded: LoadedModel) -> PictureTiers | None:
    """What keeps encoded pictures below the device; None where neither host memory nor a folder is given to it.

    Raises ConfigError if the folder can't be used.
    """
    engine = config.engine
    host_bytes = engine.picture_host_bytes
    if not host_bytes and engine.picture_folder is None:
        return None
    folder = engine.picture_folder
    return PictureTiers(
        host=HostTier(host_bytes) if host_bytes else None,
        disk=None if folder is None else DiskTier(folder, engine.picture_folder_bytes),
        weights_id=loaded.weights_id,
        num_features=loaded.model.shape.hidden_size,
        dtype=loaded.dtype,
        device=loaded.device,
    )


def _percent(enter: Enter) -> Callable[[int, int], None]:
    """Turn a report of bytes into a phase, once every tenth."""
    shown = 0

    def report(done: int, total: int) -> None:
        nonlocal shown
        tenths = done * 10 // max(1, total)
        if tenths > shown:
            shown = tenths
            enter(f"reading weights, {tenths * 10} %")

    return report


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
