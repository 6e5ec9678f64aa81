"""GET /v1/queue: how many wait for room, and where a request of the caller's own stands. Makes nobody wait."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request

from flashsight.core.line import Waiting
from flashsight.server.faults import refuse_unknown
from flashsight.service import Readiness

_KNOWN = frozenset({"request"})


def add_queue(app: FastAPI, readiness: Readiness) -> None:
    """Add the route; it reads the line as it is at that moment."""

    @app.get("/v1/queue", tags=["operations"])
    async def queue(asked: Request, request: str | None = None) -> dict[str, Any]:
        """Tell how many requests wait for room and, by the X-Request-ID that one was sent with, its place among them.

        The place is null for a request that does not wait: it has room, has ended, or is none of the caller's.
        """
        refuse_unknown(asked, _KNOWN)
        line = readiness.require().line()
        salt = asked.state.caller.salt
        own = next((each for each in line if each.salt == salt and _is_named(each, request)), None)
        return {
            "object": "queue",
            "num_waiting": len(line),
            "position": None if own is None else own.position,
            "estimated_ms": None if own is None else round(own.seconds * 1e3),
        }


def _is_named(waiting: Waiting, name: str | None) -> bool:
    """A client's id has got a random end inside."""
    return bool(name) and name in (waiting.request_id, waiting.request_id.rpartition(".")[0])
