"""The one map from the error tree to HTTP, in OpenAI's shape. Fixed sentences only: no cause from inside gets out."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

from flashsight.core.errors import (
    BodyTooLarge,
    EngineFault,
    FileNotFound,
    FlashSightError,
    Forbidden,
    KeyRequired,
    ModelNotFound,
    NotReady,
    Overloaded,
    RequestError,
)

NOT_READY_RETRY_SECONDS = 2.0

_STATUS: tuple[tuple[type[FlashSightError], int, str], ...] = (
    (BodyTooLarge, 413, "invalid_request_error"),
    (ModelNotFound, 404, "invalid_request_error"),
    (FileNotFound, 404, "invalid_request_error"),
    (RequestError, 400, "invalid_request_error"),
    (KeyRequired, 401, "authentication_error"),
    (Forbidden, 403, "permission_error"),
    (Overloaded, 429, "rate_limit_error"),
    (NotReady, 503, "server_error"),
)
"""The first row whose class fits; whatever fits none is our own failure: 500."""

_CODE_STATUS = {"body_timeout": 408, "not_found": 404, "method_not_allowed": 405}

_INTERNAL = "the server failed while answering; its log has the request's id"


def describe(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the status and the body {"error": {message, type, param, code}} of an error."""
    for kind, status, name in _STATUS:
        if isinstance(error, kind):
            return _CODE_STATUS.get(error.code, status), _body(error.message, name, error.param, error.code)
    message = error.message if isinstance(error, EngineFault) else _INTERNAL
    return 500, _body(message, "server_error", None, "internal_error")


def error_response(error: BaseException) -> JSONResponse:
    """Return the whole HTTP answer of an error, Retry-After and WWW-Authenticate included."""
    status, body = describe(error)
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    elif isinstance(error, NotReady):
        headers["Retry-After"] = str(math.ceil(NOT_READY_RETRY_SECONDS))
    elif isinstance(error, KeyRequired):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, headers=headers)


def not_found(path: str) -> RequestError:
    """Return the error of a path that is not served."""
    return RequestError(f"there is nothing at {path[:200]!r}; the API starts at /v1", code="not_found")


def method_not_allowed(method: str, path: str) -> RequestError:
    """Return the error of a path that is served, but not this way."""
    return RequestError(f"{path[:200]!r} does not take {method[:20]}", code="method_not_allowed")


def _body(message: str, kind: str, param: str | None, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
