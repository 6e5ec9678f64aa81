"""/openapi.json: bodies as they are checked, replies as they are made, every error in the one shape it has.

Describes routes; answers no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from flashsight.server.fields import FIELDS, RESPONSE_FIELDS
from flashsight.server.shapes import (
    ChatCompletion,
    ChatCompletionChunk,
    Error,
    EstimateReply,
    FileGone,
    FileList,
    FileReply,
    HealthReply,
    ModelList,
    ModelReply,
    PlanReply,
    PresetList,
    QueueReply,
    ResponseReply,
    TokenizeReply,
)

Document = dict[str, Any]

_EVENTS = "text/event-stream"
_JSON = "application/json"
_REPLIES: dict[tuple[str, str], dict[str, type[BaseModel] | None]] = {
    ("/v1/chat/completions", "post"): {_JSON: ChatCompletion, _EVENTS: ChatCompletionChunk},
    ("/v1/responses", "post"): {_JSON: ResponseReply, _EVENTS: None},
    ("/tokenize", "post"): {_JSON: TokenizeReply},
    ("/v1/images/estimate", "post"): {_JSON: EstimateReply},
    ("/v1/files", "post"): {_JSON: FileReply},
    ("/v1/files", "get"): {_JSON: FileList},
    ("/v1/files/{file_id}", "get"): {_JSON: FileReply},
    ("/v1/files/{file_id}", "delete"): {_JSON: FileGone},
    ("/v1/files/{file_id}/content", "get"): {"image/*": None},
    ("/v1/models", "get"): {_JSON: ModelList},
    ("/v1/models/{model}", "get"): {_JSON: ModelReply},
    ("/v1/presets", "get"): {_JSON: PresetList},
    ("/v1/queue", "get"): {_JSON: QueueReply},
    ("/v1/plan", "get"): {_JSON: PlanReply},
    ("/health", "get"): {_JSON: HealthReply},
    ("/ready", "get"): {_JSON: HealthReply},
    ("/metrics", "get"): {"text/plain": None},
}
_WITHOUT_KEY = ("/health", "/ready")
_STREAMED = (
    "With `stream`: server-sent events, one such object each; an error inside is an `Error`; `[DONE]` is the last."
)


def describe_routes(app: FastAPI, bodies: Mapping[str, type[BaseModel]]) -> None:
    """Make the app's document say more than its framework can know. bodies: by the path that they are posted to."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemas: Document = document.setdefault("components", {}).setdefault("schemas", {})
            for path, body in bodies.items():
                content = {_JSON: {"schema": _named(schemas, body)}}
                document["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}
            for name, fields in (("ChatBody", FIELDS), ("ResponseBody", RESPONSE_FIELDS)):
                for field, verdict in fields.items():
                    told = f"{verdict.verdict}. {verdict.note}".strip()
                    schemas[name]["properties"][field]["description"] = told
            for (path, method), kinds in _REPLIES.items():
                document["paths"][path][method]["responses"]["200"] = _reply(schemas, kinds)
            _tell_errors(document, schemas)
            _tell_purposes(document)
            for path in _WITHOUT_KEY:
                document["paths"][path]["get"]["security"] = []
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _reply(schemas: Document, kinds: Mapping[str, type[BaseModel] | None]) -> Document:
    content = {
        kind: {"schema": {"type": "string"} if shape is None else _named(schemas, shape)}
        for kind, shape in kinds.items()
    }
    return {"description": _STREAMED if _EVENTS in kinds else "The reply.", "content": content}


def _tell_errors(document: Document, schemas: Document) -> None:
    """The framework's own error, which never leaves this server, is not told."""
    refused = {"description": "Refused, or failed.", "content": {_JSON: {"schema": _named(schemas, Error)}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = refused
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _tell_purposes(document: Document) -> None:
    """What an operation is for stands beside its address: its first sentence, in the place of its function's name."""
    for operations in document["paths"].values():
        for operation in operations.values():
            first, _, rest = operation.pop("description").partition("\n")
            operation["summary"] = first.removesuffix(".")
            if rest.strip():
                operation["description"] = rest.strip()


def _named(schemas: Document, shape: type[BaseModel]) -> Document:
    """Put a model and what it is made of among the schemas; return the reference to it."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[shape.__name__] = schema
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
