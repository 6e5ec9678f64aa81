"""Functions that an answer may ask the client to call. Knows no format in which a model says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may ask the client to call; parameters is a JSON schema of an object, or None."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that an answer asked for; arguments is the text of a JSON object."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Which tools an answer may call: is_required, it must be calls and nothing else; is_parallel, several at once."""

    tools: tuple[Tool, ...]
    is_required: bool = False
    is_parallel: bool = True
