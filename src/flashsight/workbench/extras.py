"""Libraries that only the workbench needs, imported when they are used. Never at the top of a module."""

from __future__ import annotations

import importlib
from types import ModuleType

from flashsight.core.errors import ConfigError


def library(name: str) -> ModuleType:
    """Import a library of the extra `workbench`; without it a ConfigError says how to get it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name.partition(".")[0]:
            raise
        raise ConfigError(
            f"this needs {name}, which is not installed; get it with: pip install 'flashsight[workbench]'",
            code="extra_missing",
        ) from None
