"""Puts the HTTP surface together from finished parts. Builds no part itself and keeps nothing global."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from flashsight import __version__
from flashsight.core.config import ServerConfig
from flashsight.core.errors import FlashSightError, RequestError
from flashsight.guard import AccessPolicy
from flashsight.presets import Preset
from flashsight.server.chat import chat_endpoint
from flashsight.server.errors import error_response, method_not_allowed, not_found
from flashsight.server.estimate import EstimateBody, estimate_endpoint
from flashsight.server.faults import query_sentence
from flashsight.server.files import add_files
from flashsight.server.frontdoor import Capped, Guarded, Headed, Named
from flashsight.server.metrics import Metrics
from flashsight.server.openapi import describe_routes
from flashsight.server.operations import add_operations
from flashsight.server.page import DOCS_FOLDER, page_endpoint, read_page
from flashsight.server.presets import add_presets
from flashsight.server.protocol import ChatBody
from flashsight.server.queue import add_queue
from flashsight.server.responsebody import ResponseBody
from flashsight.server.responses import responses_endpoint
from flashsight.server.tokens import TokenizeBody, tokenize_endpoint
from flashsight.service import Readiness

CHAT_PATH = "/v1/chat/completions"
RESPONSES_PATH = "/v1/responses"
TOKENIZE_PATH = "/tokenize"
ESTIMATE_PATH = "/v1/images/estimate"
_BODIES: dict[str, type[BaseModel]] = {
    CHAT_PATH: ChatBody,
    RESPONSES_PATH: ResponseBody,
    TOKENIZE_PATH: TokenizeBody,
    ESTIMATE_PATH: EstimateBody,
}
_ALWAYS_PUBLIC = frozenset({"/health", "/ready"})


def build_app(
    config: ServerConfig,
    *,
    readiness: Readiness,
    access: AccessPolicy,
    metrics: Metrics,
    page: Path | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> FastAPI:
    """Return the ASGI application.

    It may listen at once: until `readiness.open(...)` everything but /health, the page and /metrics answers 503.
    config: body limit and CORS origins are read here; host and port are the launcher's business.
    access: AccessPolicy(config.api_keys, is_open=config.open).
    metrics: the same object that ChatService has as an observer.
    page: the folder with index.html, public as it is; None serves the API only, with /docs.
    presets: the scenes that requests may name; None: there are none.
    """
    app = FastAPI(title="FlashSight", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    # In this order the document lists them.
    _add_questions(app, readiness, presets or {})
    add_files(app, readiness)
    add_presets(app, presets or {})
    add_operations(app, readiness, metrics)
    add_queue(app, readiness)
    files = {**read_page(DOCS_FOLDER, at="/docs"), **(read_page(page) if page is not None else {})}
    for path, file in files.items():
        app.router.add_route(path, page_endpoint(file), methods=["GET"], include_in_schema=False)
    handle_errors(app)
    describe_routes(app, _BODIES)
    metrics.watch(readiness)
    # The last one added is the outermost.
    app.add_middleware(Headed)
    app.add_middleware(Capped, max_bytes=config.max_body_bytes)
    app.add_middleware(
        Guarded, policy=access, public=_ALWAYS_PUBLIC | files.keys(), origins=frozenset(config.cors_origins)
    )
    if config.cors_origins:
        _allow_origins(app, config.cors_origins)
    app.add_middleware(Named, ended=metrics.request_ended)
    return app


class _Unread(APIRoute):
    """A route whose endpoint takes the request as it came: nothing is resolved, read or checked before it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def _add_questions(app: FastAPI, readiness: Readiness, presets: Mapping[str, Preset]) -> None:
    """Add what takes a body and parses it itself."""
    for path, endpoint, tag in (
        (CHAT_PATH, chat_endpoint(readiness, presets), "chat"),
        (RESPONSES_PATH, responses_endpoint(readiness, presets), "chat"),
        (TOKENIZE_PATH, tokenize_endpoint(readiness), "chat"),
        (ESTIMATE_PATH, estimate_endpoint(readiness), "files"),
    ):
        app.router.add_api_route(
            path, endpoint, methods=["POST"], tags=[tag], response_class=Response, route_class_override=_Unread
        )


def _allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["X-Request-ID", "Server-Timing", "Retry-After"],
    )


def handle_errors(app: FastAPI) -> None:
    """Answer every error in OpenAI's shape, the framework's own ones too."""

    async def ours(request: Request, error: Exception) -> Response:
        return error_response(error)

    async def frameworks(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        if error.status_code == 405:
            response = error_response(method_not_allowed(request.method, path))
            response.headers.update(error.headers or {})
            return response
        if error.status_code == 404:
            return error_response(not_found(path))
        return error_response(RequestError("the request is malformed"))

    async def query(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(query_sentence(error.errors()))

    app.add_exception_handler(RequestValidationError, query)
    app.add_exception_handler(FlashSightError, ours)
    app.add_exception_handler(HTTPException, frameworks)
