"""The one place where settings are read: flags over FLASHSIGHT_* over flashsight.toml over defaults.

Every setting has one name in three spellings: `kv_memory` in the file, `FLASHSIGHT_KV_MEMORY` in the environment,
`--kv-memory` on the command line. Ranges are checked by the configs that the values end up in; here live the names,
the types and the origin of each value. Knows no command and starts nothing.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ByteSize, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from flashsight.core.config import (
    Config,
    Device,
    Dtype,
    EngineConfig,
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
        description="most picture patches encoded between two decode steps; auto: one picture on a CPU, 8192 on a GPU",
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
    memory_fraction: Annotated[float, Feeds("engine", "memory_fraction")] = Field(
        default=_ENGINE.memory_fraction, description="part of the device's memory that the plan may use"
    )
    prefix_cache: Annotated[bool, Feeds("engine", "prefix_cache")] = Field(
        default=_ENGINE.prefix_cache, description="reuse what an earlier request with the same beginning has computed"
    )
    decode_threads: Annotated[int, Feeds("engine", "decode_threads")] = Field(
        default=_ENGINE.decode_threads, description="threads that decode pictures"
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


def read_settings(flags: Mapping[str, object] | None = None, *, file: Path | None = None) -> Effective:
    """Read all sources once. `flags` holds only what was given; `file` is as `settings_file` says.

    Raises ConfigError for an unknown or malformed setting, naming it, where it came from and the nearest known name.
    """
    origins = dict.fromkeys(SETTINGS, "default")
    merged: dict[str, object] = {}
    path = settings_file(file)
    for layer in (_file_layer(path), _environment_layer(), _flag_layer(flags or {})):
        for name, (value, origin) in layer.items():
            merged[name] = value
            origins[name] = origin
    try:
        settings = Settings(**merged)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _first_fault(error, origins) from None
    effective = Effective(settings, origins, path)
    _ = effective.config
    return effective


def settings_file(file: Path | None = None) -> Path | None:
    """The file that would be read: `file`, else FLASHSIGHT_CONFIG, else ./flashsight.toml where it exists."""
    named = file or (Path(os.environ["FLASHSIGHT_CONFIG"]) if os.environ.get("FLASHSIGHT_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"the settings file {named} does not exist; correct --config or FLASHSIGHT_CONFIG")
        return named
    usual = Path(FILE_NAME)
    return usual if usual.is_file() else None


_Layer = dict[str, tuple[object, str]]


def _file_layer(path: Path | None) -> _Layer:
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    for name in values:
        if name not in SETTINGS:
            raise _unknown(name, SETTINGS, f"in {path}")
    return {name: (value, str(path)) for name, value in values.items()}


def _environment_layer() -> _Layer:
    known = [variable_of(name) for name in SETTINGS] + list(OTHER_VARIABLES)
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX) and variable not in known:
            raise _unknown(variable, known, "in the environment")
    return {name: (value, variable_of(name)) for name, value in EnvSettingsSource(Settings)().items()}


def _flag_layer(flags: Mapping[str, object]) -> _Layer:
    for name in flags:
        if name not in SETTINGS:
            raise _unknown(name, SETTINGS, "on the command line")
    return {name: (value, flag_of(name)) for name, value in flags.items()}


def _unknown(name: str, known: Iterable[str], where: str) -> ConfigError:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else "`flashsight config` lists all settings"
    return ConfigError(f"unknown setting {name} {where}; {hint}", param=name)


def _first_fault(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    got = MASK if name in SECRETS else repr(fault["input"])
    return ConfigError(f"{name} (from {origins[name]}) is wrong: {_rule(name, fault['msg'])}, got {got}", param=name)


def _rule(name: str, otherwise: str) -> str:
    if choices := choices_of(name):
        return "it must be " + " or ".join(choices)
    return otherwise[:1].lower() + otherwise[1:]
