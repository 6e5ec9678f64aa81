"""Presets over HTTP: the list, and what one adds to a body that leaves things open. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI

from flashsight.core.errors import RequestError
from flashsight.presets import Preset, preset_named
from flashsight.server.protocol import ChatBody, ChatMetadata, JsonSchema, SchemaFormat


def add_presets(app: FastAPI, presets: Mapping[str, Preset]) -> None:
    """Add the route; it answers while the model is still loading."""
    listed = {"object": "list", "data": [_shown(preset) for preset in presets.values()]}

    @app.get("/v1/presets", tags=["models"])
    async def list_presets() -> dict[str, Any]:
        """List the scenes that `metadata.preset` may name: words in both languages, schema, sampling."""
        return listed


def prompt_of(metadata: ChatMetadata | None, presets: Mapping[str, Preset]) -> str | None:
    """Return the prompt of the preset that a body names; None where it names none. Raises RequestError."""
    if metadata is None or metadata.preset is None:
        if metadata is not None and metadata.language is not None:
            raise RequestError("metadata.language needs metadata.preset", param="metadata.language")
        return None
    preset = preset_named(presets, metadata.preset, param="metadata.preset")
    return preset.prompt.of(metadata.language or "zh")


def filled_in(body: ChatBody, presets: Mapping[str, Preset]) -> ChatBody:
    """Return the body with the preset's schema and sampling where it leaves them open."""
    if body.metadata is None or body.metadata.preset is None:
        return body
    preset = preset_named(presets, body.metadata.preset, param="metadata.preset")
    added: dict[str, Any] = {}
    if preset.schema is not None and body.response_format is None and body.structured_outputs is None:
        schema = JsonSchema.model_validate({"name": preset.name, "schema": dict(preset.schema)})
        added["response_format"] = SchemaFormat(type="json_schema", json_schema=schema)
    suggested = preset.sampling
    if body.temperature is None and suggested.temperature is not None:
        added["temperature"] = suggested.temperature
    if body.top_p is None and suggested.top_p is not None:
        added["top_p"] = suggested.top_p
    if body.max_tokens is None and body.max_completion_tokens is None and suggested.max_tokens is not None:
        added["max_tokens"] = suggested.max_tokens
    return body.model_copy(update=added)


def _shown(preset: Preset) -> dict[str, Any]:
    shown = asdict(preset)
    shown["sampling"] = {name: value for name, value in shown["sampling"].items() if value is not None}
    return shown
