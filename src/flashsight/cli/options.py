"""One command-line flag for every setting, made from the settings themselves so that the two cannot differ."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from flashsight.core.settings import SETTINGS, Effective, Settings, choices_of, feeds, flag_of
from flashsight.core.sources import read_settings

ALIASES = {"host": ("--server-name",), "port": ("--server-port",)}
"""Other spellings of a flag, for people who come from Gradio: the page lives at the server's address."""

_PANELS = {"model": "Model 模型", "engine": "Engine 引擎", "media": "Pictures 图片", "server": "Server 服务"}
_ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="settings file; default: ./flashsight.toml if it exists")
]


Command = Callable[..., None]


def takes_settings(*names: str) -> Callable[[Command], Command]:
    """Give a command these settings' flags. It is called with `effective`, the settings read from all sources."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_settings(**given: Any) -> None:
            flags = {name: given.pop(name) for name in names}
            file = given.pop("config_file")
            effective = read_settings({name: value for name, value in flags.items() if value is not None}, file=file)
            command(effective=effective, **given)

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "effective"]
        added = [_parameter("config_file", _ConfigFile), *(_parameter(name, _annotation(name)) for name in names)]
        parameters = own + added
        with_settings.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_settings.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_settings

    return decorate


def settings_of(*sections: str | None) -> tuple[str, ...]:
    """The names of the settings that end up in these sections of Config; None: of the process itself."""
    return tuple(name for name in SETTINGS if feeds(name).section in sections)


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(name: str) -> Any:
    panel = _PANELS.get(feeds(name).section or "", "Process 进程")
    text = SETTINGS[name].description or ""
    common: dict[str, Any] = {"help": f"{text} ({_default(name)})", "rich_help_panel": panel, "show_default": False}
    spellings = (flag_of(name), *ALIASES.get(name, ()))
    declared = SETTINGS[name].annotation
    if declared is bool:
        return Annotated[bool | None, typer.Option(f"{flag_of(name)}/--no-{flag_of(name)[2:]}", **common)]
    metavar = "|".join(choices_of(name)) or _kind(name)
    kind = list[str] if isinstance(SETTINGS[name].default, tuple) else str
    return Annotated[kind | None, typer.Option(*spellings, metavar=metavar, **common)]


def _default(name: str) -> str:
    return "default: " + Effective(Settings(), dict.fromkeys(SETTINGS, "default")).shown(name)


def _kind(name: str) -> str:
    declared = str(SETTINGS[name].annotation)
    words = (("ByteSize", "SIZE"), ("Path", "PATH"), ("int", "N"), ("float", "NUMBER"))
    return next((word for part, word in words if part in declared), "TEXT")


__all__ = ["ALIASES", "settings_of", "takes_settings"]
