"""What every request passes first, as pure ASGI: its id, its caller, the size of its body. Reads no body itself.

Named (id, log line, last net for our own failures) > Guarded (host, origin, key) > Capped (bytes)
  > Headed (HEAD) > the routes
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flashsight.core.errors import BodyTooLarge, Forbidden
from flashsight.core.telemetry import bound_request, get_log
from flashsight.guard import AccessPolicy
from flashsight.server.errors import error_response

_log = get_log(__name__)

_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_WATCHED = frozenset({"/health", "/ready", "/metrics", "/v1/queue"})
"""Asked every few seconds by whoever watches the server or waits; logged for debugging only."""
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Named:
    """Gives each request an id, sends it back as X-Request-ID, and writes one log line when the request has ended.

    A good X-Request-ID of the client's is sent back as it came; the id used inside gets a random end besides, because
    nobody promises that a client's ids differ.
    """

    def __init__(self, app: ASGIApp, *, ended: Callable[[Scope, int], None]) -> None:
        """`ended` is told the scope and the status of every request."""
        self._app = app
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        is_good = _GOOD_ID.fullmatch(given) is not None
        inner = f"{given}.{secrets.token_hex(4)}" if is_good else secrets.token_hex(12)
        state = scope.setdefault("state", {})
        state["request_id"] = inner
        began_at = time.perf_counter()
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = given if is_good else inner
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        with bound_request(inner):
            try:
                await self._app(scope, receive, send_named)
            except Exception as error:
                _log.exception("a request failed")
                if status == 0:
                    await error_response(error)(scope, receive, send_named)
            finally:
                self._ended(scope, status)
                _log.log(
                    logging.DEBUG if scope["path"] in _WATCHED else logging.INFO,
                    "request",
                    method=scope["method"],
                    path=scope["path"][:200],
                    status=status,
                    caller=getattr(state.get("caller"), "name", None),
                    end_user=state.get("end_user"),
                    milliseconds=round((time.perf_counter() - began_at) * 1e3, 1),
                )


class Guarded:
    """Denies by default: whatever is not public needs a caller that the policy admits.

    Without keys, a web page from elsewhere could drive this server through the browser of whoever runs it. So then only
    loopback names are taken as Host (against DNS rebinding), and with or without keys a foreign Origin is refused
    unless it was named.
    """

    def __init__(
        self, app: ASGIApp, *, policy: AccessPolicy, public: frozenset[str], origins: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._policy = policy
        self._public = public
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with 401 or 403."""
        if scope["type"] == "http":
            try:
                self._admit(scope)
            except Exception as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(headers)
        if scope["path"] in self._public and scope["method"] in ("GET", "HEAD"):
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        presented = key.strip() if scheme.lower() == "bearer" else None
        scope["state"]["caller"] = self._policy.admit(presented, is_local=_is_local(scope))

    def _check_host(self, headers: Headers) -> None:
        if self._policy.needs_key or self._policy.is_open:
            return
        name = _host_name(headers.get("host", ""))
        if name not in _LOOPBACK_NAMES:
            raise Forbidden(
                "without an API key this server answers only as localhost, 127.0.0.1 or [::1]; "
                "use one of these names, set api_keys, or start it with --open",
                code="host_refused",
            )

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if _netloc(origin) != headers.get("host", "").lower():
            raise Forbidden(
                "pages of another origin may not use this server; name the origin in cors_origins to allow it",
                code="origin_refused",
            )


class Capped:
    """Refuses a body beyond the limit: by its announced length at once, otherwise as soon as it has grown past it."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; 413 if its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            await error_response(self._too_large())(scope, receive, send)
            return
        received = 0

        async def receive_capped() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large()
            return message

        await self._app(scope, receive_capped, send)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self._max_bytes} bytes; send fewer or smaller pictures")


class Headed:
    """Answers HEAD as it would answer GET, without the body: whoever watches a server often asks so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_bodiless(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # The server below still sees HEAD: it is told that the answer has no body by its own scope.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send_bodiless)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # the metrics count by it


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and _is_loopback(client[0])


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _host_name(host: str) -> str:
    """Return the name of a Host header, without port and brackets; empty if malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
