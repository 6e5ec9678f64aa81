"""The model in the process of a command, loaded when the command runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from flashsight.core.config import Config
from flashsight.engine.process import on_passing_thread

if TYPE_CHECKING:
    from flashsight.launcher.build import LocalParts


def load_parts(config: Config, enter: Callable[[str], None]) -> LocalParts:
    """Load the model into this process; `engine.stop()` puts it away. enter: called with each phase as it begins.

    Ctrl-C waits for the import of its libraries, a second or two: torch's would abort the process in between.
    """
    enter("loading libraries")
    build = on_passing_thread(lambda check: import_module("flashsight.launcher.build"))
    parts: LocalParts = build.build_local(config, enter=enter)
    return parts
