"""The frozen configs that parts are built from. Knows nothing of where a value came from: `core.settings` does.

Config ── ModelConfig · EngineConfig · MediaConfig · ServerConfig
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flashsight.core.errors import ConfigError

MIB = 1 << 20

LoadFormat = Literal["auto", "dummy"]
Device = Literal["auto", "cpu", "cuda"]
Kernels = Literal["auto", "plain", "off"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]


def _check(ok: bool, name: str, rule: str, value: object) -> None:
    if not ok:
        raise ConfigError(f"{name} must be {rule}, got {value!r}", param=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which checkpoint, where and in which precision.

    path: a checkpoint's folder, or the name of a built-in one: `nano` (weights inside the package) or, with
    load_format `dummy` only, `glm-4.6v-flash` (real dimensions, random weights). served_name is the `model` of the API.
    """

    path: str = "nano"
    served_name: str = "glm-4.6v-flash-web"
    load_format: LoadFormat = "auto"
    device: Device = "auto"
    dtype: Dtype = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Budgets of the engine. None means: planned from the memory that is there.

    block_size: tokens of one KV block. step_tokens: most tokens of one step, decodes included (prefill chunks fill the
    rest). encode_patches: most patches encoded between two decode steps (one picture always fits).
    max_sequences: most sequences decoding at once. max_waiting: longest queue; beyond it a request is refused (429).
    picture_host_bytes: encoded pictures kept in host memory; picture_folder: and in files, up to picture_folder_bytes.
    draft_tokens: most tokens guessed ahead from a greedy answer's own text; 0: none.
    kernels: `off` keeps a GPU on torch's own kernels; `auto` takes ours over where they run; with `plain` none of them
    starts before the one before it has ended.
    """

    block_size: int = 16
    step_tokens: int = 2048
    encode_patches: int | None = None
    max_sequences: int = 64
    max_waiting: int = 256
    context_tokens: int | None = None
    kv_bytes: int | None = None
    picture_cache_bytes: int | None = None
    picture_host_bytes: int = 0
    picture_folder: Path | None = None
    picture_folder_bytes: int = 10 << 30
    memory_fraction: float = 0.9
    draft_tokens: int = 0
    prefix_cache: bool = True
    decode_threads: int | None = None
    kernels: Kernels = "auto"

    def __post_init__(self) -> None:
        for name in (
            "block_size",
            "step_tokens",
            "max_sequences",
            "max_waiting",
        ):
            _check(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        _check(0 <= self.draft_tokens <= 64, "draft_tokens", "in [0, 64]", self.draft_tokens)
        _check(0 < self.memory_fraction < 1, "memory_fraction", "in (0, 1)", self.memory_fraction)
        _check(self.picture_host_bytes >= 0, "picture_host_bytes", "at least 0", self.picture_host_bytes)
        _check(self.picture_folder_bytes >= MIB, "picture_folder_bytes", f"at least {MIB}", self.picture_folder_bytes)
        for name in ("encode_patches", "context_tokens", "kv_bytes", "picture_cache_bytes", "decode_threads"):
            value = getattr(self, name)
            _check(value is None or value >= 1, name, "at least 1", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConfig:
    """Limits of a picture, checked on its header before a pixel is decoded.

    max_side: the longest side in pixels that the model is shown; larger pictures are scaled down, never refused for it.
    max_pixels: largest picture that is decoded at all. max_aspect: longest side over shortest.
    max_tiles: most tiles that a larger picture is read in where a request wants it in detail; 0: it never is.
    """

    max_bytes: int = 10 * MIB
    max_pixels: int = 50_000_000
    min_side: int = 2
    max_aspect: float = 100.0
    max_side: int = 1024
    max_tiles: int = 12
    max_pictures: int = 16
    media_root: Path | None = None
    allow_fetch: bool = False
    fetch_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "min_side", "max_pictures"):
            _check(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        _check(self.max_side >= 28, "max_side", "at least 28", self.max_side)
        _check(0 <= self.max_tiles <= 64, "max_tiles", "in [0, 64]", self.max_tiles)
        _check(1 <= self.max_aspect <= 200, "max_aspect", "in [1, 200]", self.max_aspect)
        _check(self.fetch_timeout_seconds > 0, "fetch_timeout_seconds", "positive", self.fetch_timeout_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The HTTP surface. No keys and `open` False on another address than loopback: the launcher makes a key.

    file_bytes: of all uploaded files together, kept in memory. file_seconds: the longest that one is kept.
    presets_folder: a person's own presets; None: only those of the package.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    open: bool = False
    page: bool = True
    max_body_bytes: int = 64 * MIB
    cors_origins: tuple[str, ...] = ()
    file_bytes: int = 256 * MIB
    file_seconds: float = 86400.0
    presets_folder: Path | None = None

    def __post_init__(self) -> None:
        _check(0 <= self.port <= 65535, "port", "in [0, 65535]", self.port)
        _check(self.max_body_bytes >= 1, "max_body_bytes", "at least 1", self.max_body_bytes)
        _check(self.file_bytes >= MIB, "file_bytes", f"at least {MIB}", self.file_bytes)
        _check(self.file_seconds >= 1, "file_seconds", "at least 1", self.file_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a process is built from. offline True: no egress at all, whatever else is allowed."""

    model: ModelConfig = ModelConfig()
    engine: EngineConfig = EngineConfig()
    media: MediaConfig = MediaConfig()
    server: ServerConfig = ServerConfig()
    offline: bool = False

    def __post_init__(self) -> None:
        if self.offline and self.media.allow_fetch:
            raise ConfigError("allow_fetch contradicts offline; drop one of them", param="allow_fetch")
