"""Every setting there is: name, type, default, documentation, and where its value ends up.

Every setting has one name in three spellings: `kv_memory` in the file, `FLASHSIGHT_KV_MEMORY` in the environment,
`--kv-memory` on the command line. Ranges are checked by the configs that the values end up in; here live the names,
the types and the origin of each value. Reads nothing: `core.sources` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from flashsight.core.config import (
    Config,
    Device,
    Dtype,
    EngineConfig,
    Kernels,
    LoadFormat,
    MediaConfig,
    ModelConfig,
    ServerConfig,
)
from flashsight.core.errors import ConfigError

ENV_PREFIX = "FLASHSIGHT_"
FILE_NAME = "flashsight.toml"
MASK = "********"

OTHER_VARIABLES: Mapping[str, str] = {
    "FLASHSIGHT_CONFIG": f"path of the settings file (default: ./{FILE_NAME} where it exists)",
    "FLASHSIGHT_VENV": "folder of the environment that start.sh makes or reuses (default: .venv beside it)",
    "FLASHSIGHT_STATE": "folder of the background service's pid file and logs (default: .flashsight beside start.sh)",
    "FLASHSIGHT_PYTHON": "the Python that start.sh makes the environment from (default: the newest python3 it finds)",
}
"""Variables that steer the scripts around a process; they are not settings of it."""

LogFormat = Literal["auto", "human", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Feeds:
    """Where a setting's value ends up: a section of Config and the field in it. No section: the process itself."""

    section: Literal["model", "engine", "media", "server"] | None
    field: str


def _auto_is_none(value: object) -> object:
    return None if value == "auto" else value


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_Auto = BeforeValidator(_auto_is_none)
_Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]

_MODEL, _ENGINE, _MEDIA, _SERVER = ModelConfig(), EngineConfig(), MediaConfig(), ServerConfig()


class Settings(BaseSettings):
    """Every setting there is; its description is its documentation, its default is the config's own."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read_settings` hands over: it reads the sources itself, to know where each value came from."""
        return (init_settings,)

    model_path: Annotated[str, Feeds("model", "path")] = Field(
        default=_MODEL.path,
        description="folder of a checkpoint, or a built-in one: `nano`, `glm-4.6v-flash` (dummy only)",
    )
    served_name: Annotated[str, Feeds("model", "served_name")] = Field(
        default=_MODEL.served_name, description="the `model` that requests name"
    )
    load_format: Annotated[LoadFormat, Feeds("model", "load_format")] = Field(
        default=_MODEL.load_format, description="auto: read the weights; dummy: random weights of the same dimensions"
    )
    device: Annotated[Device, Feeds("model", "device")] = Field(
        default=_MODEL.device, description="where the model runs; auto takes a GPU where there is one"
    )
    dtype: Annotated[Dtype, Feeds("model", "dtype")] = Field(
        default=_MODEL.dtype, description="number format of the weights; auto suits the device"
    )

    block_size: Annotated[int, Feeds("engine", "block_size")] = Field(
        default=_ENGINE.block_size, description="tokens of one block of the KV cache"
    )
    step_tokens: Annotated[int, Feeds("engine", "step_tokens")] = Field(
        default=_ENGINE.step_tokens, description="most tokens of one step, decodes included"
    )
    encode_patches: Annotated[int | None, _Auto, Feeds("engine", "encode_patches")] = Field(
        default=_ENGINE.encode_patches,
        description="most picture patches encoded between two decode steps; auto: one picture on a CPU, 1296 on a GPU",
    )
    max_sequences: Annotated[int, Feeds("engine", "max_sequences")] = Field(
        default=_ENGINE.max_sequences, description="most sequences decoding at once"
    )
    max_waiting: Annotated[int, Feeds("engine", "max_waiting")] = Field(
        default=_ENGINE.max_waiting, description="longest queue; beyond it a request is refused with 429"
    )
    context_tokens: Annotated[int | None, _Auto, Feeds("engine", "context_tokens")] = Field(
        default=_ENGINE.context_tokens,
        description="longest sequence in tokens; auto: the model's own limit, memory permitting",
    )
    kv_memory: Annotated[ByteSize | None, _Auto, Feeds("engine", "kv_bytes")] = Field(
        default=None, description="size of the KV cache, such as 512MiB; auto: planned from free memory"
    )
    picture_memory: Annotated[ByteSize | None, _Auto, Feeds("engine", "picture_cache_bytes")] = Field(
        default=None, description="size of the cache of encoded pictures; auto: planned"
    )
    picture_host_memory: Annotated[ByteSize, Feeds("engine", "picture_host_bytes")] = Field(
        default=ByteSize(_ENGINE.picture_host_bytes),
        description="host memory for encoded pictures that the device's cache drops, such as 2GiB; 0: none",
    )
    picture_folder: Annotated[Path | None, Feeds("engine", "picture_folder")] = Field(
        default=_ENGINE.picture_folder,
        description="folder in which encoded pictures survive a restart, each for its own caller; unset: none is kept",
    )
    picture_folder_size: Annotated[ByteSize, Feeds("engine", "picture_folder_bytes")] = Field(
        default=ByteSize(_ENGINE.picture_folder_bytes), description="most that this folder may take"
    )
    memory_fraction: Annotated[float, Feeds("engine", "memory_fraction")] = Field(
        default=_ENGINE.memory_fraction, description="part of the device's memory that the plan may use"
    )
    draft_tokens: Annotated[int, Feeds("engine", "draft_tokens")] = Field(
        default=_ENGINE.draft_tokens,
        description="most tokens of a greedy answer guessed from its own text and checked in one step: the same answer "
        "sooner where it repeats the prompt or itself, at the price of computing wrong guesses; 0: none",
    )
    prefix_cache: Annotated[bool, Feeds("engine", "prefix_cache")] = Field(
        default=_ENGINE.prefix_cache, description="reuse what an earlier request with the same beginning has computed"
    )
    decode_threads: Annotated[int | None, _Auto, Feeds("engine", "decode_threads")] = Field(
        default=_ENGINE.decode_threads, description="threads that decode pictures; auto: one a core, 4 at most"
    )
    kernels: Annotated[Kernels, Feeds("engine", "kernels")] = Field(
        default=_ENGINE.kernels,
        description="auto: kernels of our own and recorded steps where the GPU has them; plain: the same, each waiting "
        "for the end of the one before it starts; off: torch's own only",
    )

    max_picture_size: Annotated[ByteSize, Feeds("media", "max_bytes")] = Field(
        default=ByteSize(_MEDIA.max_bytes), description="largest picture file"
    )
    max_pixels: Annotated[int, Feeds("media", "max_pixels")] = Field(
        default=_MEDIA.max_pixels, description="largest picture, in pixels, that is decoded at all"
    )
    min_side: Annotated[int, Feeds("media", "min_side")] = Field(
        default=_MEDIA.min_side, description="shortest side, in pixels, that is accepted"
    )
    max_aspect: Annotated[float, Feeds("media", "max_aspect")] = Field(
        default=_MEDIA.max_aspect, description="longest side over shortest that is accepted"
    )
    max_side: Annotated[int, Feeds("media", "max_side")] = Field(
        default=_MEDIA.max_side,
        description="longest side, in pixels, that the model is shown; larger pictures are scaled",
    )
    max_tiles: Annotated[int, Feeds("media", "max_tiles")] = Field(
        default=_MEDIA.max_tiles, description="most tiles that one larger picture is read in with `detail: high`"
    )
    max_pictures: Annotated[int, Feeds("media", "max_pictures")] = Field(
        default=_MEDIA.max_pictures, description="most pictures of one request"
    )
    media_root: Annotated[Path | None, Feeds("media", "media_root")] = Field(
        default=_MEDIA.media_root, description="folder below which `file://` pictures may be read; unset: none may"
    )
    allow_fetch: Annotated[bool, Feeds("media", "allow_fetch")] = Field(
        default=_MEDIA.allow_fetch, description="fetch `http(s)://` pictures; private addresses stay refused"
    )
    fetch_timeout_seconds: Annotated[float, Feeds("media", "fetch_timeout_seconds")] = Field(
        default=_MEDIA.fetch_timeout_seconds, description="longest wait for a fetched picture"
    )

    host: Annotated[str, Feeds("server", "host")] = Field(
        default=_SERVER.host,
        description="address to listen on; another than loopback makes an API key unless there is one",
    )
    port: Annotated[int, Feeds("server", "port")] = Field(
        default=_SERVER.port, description="port to listen on; 0: a free one"
    )
    api_key: Annotated[_Words, Feeds("server", "api_keys")] = Field(
        default=_SERVER.api_keys, description="keys that callers must show; several are separated by commas"
    )
    open: Annotated[bool, Feeds("server", "open")] = Field(
        default=_SERVER.open, description="no key needed, whatever the address: anyone who reaches the port may ask"
    )
    page: Annotated[bool, Feeds("server", "page")] = Field(default=_SERVER.page, description="serve the page at /")
    max_body_size: Annotated[ByteSize, Feeds("server", "max_body_bytes")] = Field(
        default=ByteSize(_SERVER.max_body_bytes), description="largest request body"
    )
    cors_origin: Annotated[_Words, Feeds("server", "cors_origins")] = Field(
        default=_SERVER.cors_origins, description="web origins whose pages may call the API; several by commas"
    )
    file_memory: Annotated[ByteSize, Feeds("server", "file_bytes")] = Field(
        default=ByteSize(_SERVER.file_bytes), description="memory for all files uploaded to /v1/files"
    )
    file_seconds: Annotated[float, Feeds("server", "file_seconds")] = Field(
        default=_SERVER.file_seconds, description="longest time that an uploaded file is kept"
    )
    presets_folder: Annotated[Path | None, Feeds("server", "presets_folder")] = Field(
        default=_SERVER.presets_folder, description="folder of your own presets, one TOML file each (docs/presets.md)"
    )

    offline: Annotated[bool, Feeds(None, "offline")] = Field(
        default=False, description="no egress at all, whatever else says"
    )
    log_format: Annotated[LogFormat, Feeds(None, "log_format")] = Field(
        default="auto", description="human or json lines; auto: human in a terminal"
    )
    log_level: Annotated[LogLevel, Feeds(None, "log_level")] = Field(
        default="info", description="least level that is logged"
    )


SETTINGS = Settings.model_fields
SECRETS = frozenset({"api_key"})


@cache
def feeds(name: str) -> Feeds:
    """Where the setting `name` ends up."""
    return next(note for note in SETTINGS[name].metadata if isinstance(note, Feeds))


def flag_of(name: str) -> str:
    """The setting's spelling on the command line."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """The setting's spelling in the environment."""
    return ENV_PREFIX + name.upper()


def choices_of(name: str) -> tuple[str, ...]:
    """The words that a setting of fixed words accepts; empty for the others."""
    return tuple(str(word) for word in get_args(SETTINGS[name].annotation) if isinstance(word, str))


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings of one process and where each came from: `default`, a flag, a variable or the file's path."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None = None

    @property
    def config(self) -> Config:
        """The configs that parts are built from; raises ConfigError in the setting's own name."""
        sections: dict[str, dict[str, Any]] = {"model": {}, "engine": {}, "media": {}, "server": {}}
        for name in SETTINGS:
            target = feeds(name)
            if target.section is not None:
                sections[target.section][target.field] = getattr(self.settings, name)
        try:
            return Config(
                model=ModelConfig(**sections["model"]),
                engine=EngineConfig(**sections["engine"]),
                media=MediaConfig(**sections["media"]),
                server=ServerConfig(**sections["server"]),
                offline=self.settings.offline,
            )
        except ConfigError as error:
            raise self._in_own_name(error) from None

    def shown(self, name: str) -> str:
        """The value as a person writes it; a secret is masked."""
        value = getattr(self.settings, name)
        if name in SECRETS:
            return ", ".join(MASK for _ in value) or "none"
        return spelled(value, is_automatic=_Auto in SETTINGS[name].metadata)

    def as_environment(self) -> dict[str, str]:
        """The variables under which another process comes to the same settings, secrets too."""
        given = (name for name in SETTINGS if self.origins[name] != "default")
        variables = {variable_of(name): _for_machines(getattr(self.settings, name)) for name in given}
        return variables | ({"FLASHSIGHT_CONFIG": str(self.file.absolute())} if self.file is not None else {})

    def _in_own_name(self, error: ConfigError) -> ConfigError:
        name = next((name for name in SETTINGS if feeds(name).field == error.param), None)
        if name is None or error.param is None:
            return error
        message = error.message.replace(error.param, name, 1)
        return ConfigError(f"{message} (from {self.origins[name]})", param=name)


def spelled(value: object, *, is_automatic: bool = False) -> str:
    """A setting's value as the file or the command line would spell it."""
    if value is None:
        return "auto" if is_automatic else "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, ByteSize):
        return value.human_readable(separator=" ").replace(".0 ", " ").replace(" ", "")
    return str(value)


def _for_machines(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return "auto" if value is None else str(value)
