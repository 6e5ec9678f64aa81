"""Presets over HTTP: the list, and what one adds to a body that leaves things open. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from fastapi import FastAPI

from flashsight.core.errors import RequestError
from flashsight.presets import Preset, preset_named
from flashsight.server.protocol import ChatBody, JsonSchema, SchemaFormat


def add_presets(app: FastAPI, presets: Mapping[str, Preset]) -> None:
    """Add the route; it answers while the model is still loading."""
    listed = {"object": "list", "data": [_shown(preset) for preset in presets.values()]}

    @app.get("/v1/presets", tags=["models"])
    async def list_presets() -> dict[str, Any]:
        """List the scenes that `metadata.preset` may name: words in both languages, schema, sampling."""
        return listed


@dataclass(frozen=True, slots=True)
class Scene:
    """The preset that a body names, and its prompt in the body's language."""

    preset: Preset
    prompt: str


def scene_of(name: str | None, language: str | None, presets: Mapping[str, Preset]) -> Scene | None:
    """Return what `metadata.preset` and `metadata.language` name; None where no preset is. Raises RequestError."""
    if name is None:
        return None
    preset = preset_named(presets, name, param="metadata.preset")
    if language not in (None, "zh", "en"):
        raise RequestError("metadata.language of a preset must be 'zh' or 'en'", param="metadata.language")
    return Scene(preset, preset.prompt.en if language == "en" else preset.prompt.zh)


def suggested_sampling(preset: Preset, body: Openness) -> dict[str, Any]:
    """Return the preset's temperature and top_p where a body leaves them open."""
    suggested = preset.sampling
    said = {"temperature": body.temperature, "top_p": body.top_p}
    return {
        name: value
        for name, value in (("temperature", suggested.temperature), ("top_p", suggested.top_p))
        if value is not None and said[name] is None
    }


class Openness(Protocol):
    """Fields that a preset fills in."""

    @property
    def temperature(self) -> float | None:
        """None: left open."""

    @property
    def top_p(self) -> float | None:
        """None: left open."""


def filled_in(body: ChatBody, preset: Preset) -> ChatBody:
    """Return the body with the preset's schema and sampling where it leaves them open."""
    added = suggested_sampling(preset, body)
    if preset.schema is not None and body.response_format is None and body.structured_outputs is None:
        schema = JsonSchema.model_validate({"name": preset.name, "schema": dict(preset.schema)})
        added["response_format"] = SchemaFormat(type="json_schema", json_schema=schema)
    if body.max_tokens is None and body.max_completion_tokens is None and preset.sampling.max_tokens is not None:
        added["max_tokens"] = preset.sampling.max_tokens
    return body.model_copy(update=added)


def _shown(preset: Preset) -> dict[str, Any]:
    shown = asdict(preset)
    shown["sampling"] = {name: value for name, value in shown["sampling"].items() if value is not None}
    return shown
