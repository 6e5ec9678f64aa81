"""Reads the settings once, from all their sources: flags over FLASHSIGHT_* over flashsight.toml over defaults.

Says of every fault which setting, where it came from and the nearest known name. Which settings there are is told by
`core.settings`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from flashsight.core.errors import ConfigError
from flashsight.core.settings import (
    ENV_PREFIX,
    FILE_NAME,
    MASK,
    OTHER_VARIABLES,
    SECRETS,
    SETTINGS,
    Effective,
    Settings,
    choices_of,
    flag_of,
    variable_of,
)


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
