"""Routes that tell about the server: health, readiness, models, plan, metrics."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from flashsight.core.errors import ModelNotFound
from flashsight.server.metrics import Metrics, plain
from flashsight.service import Readiness

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def add_operations(app: FastAPI, readiness: Readiness, metrics: Metrics) -> None:
    """Add the routes; each reads `readiness` as it is at that moment."""
    created = int(time.time())

    @app.get("/health", tags=["operations"])
    async def health() -> Response:
        """Return 200 as long as the process can serve or is on its way; 503 only when loading has failed."""
        return JSONResponse(_state(readiness), status_code=503 if readiness.has_failed else 200)

    @app.get("/ready", tags=["operations"])
    async def ready() -> Response:
        """Return 200 when requests are answered, 503 before and while stopping."""
        readiness.require()
        return JSONResponse(_state(readiness))

    @app.get("/v1/models", tags=["models"])
    async def list_models() -> dict[str, Any]:
        """List the one model that is served."""
        return {"object": "list", "data": [_model(readiness.require().chat.model, created)]}

    @app.get("/v1/models/{model:path}", tags=["models"])
    async def retrieve_model(model: str) -> dict[str, Any]:
        """Describe the served model."""
        served = readiness.require().chat.model
        if model != served:
            raise ModelNotFound(f"this server serves {served!r} only", param="model")
        return _model(served, created)

    @app.get("/v1/plan", tags=["operations"])
    async def plan() -> dict[str, Any]:
        """Return the memory plan that was made before the first request."""
        return plain(readiness.require().plan())

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def exposition() -> Response:
        """Return counters and gauges in Prometheus' text format."""
        return Response(metrics.render(), media_type=_EXPOSITION)


def _state(readiness: Readiness) -> dict[str, Any]:
    return {
        "status": "failed" if readiness.has_failed else "ok",
        "model_ready": readiness.is_ready,
        "phase": readiness.phase,
        "phase_seconds": round(readiness.phase_seconds, 3),
        "seconds": round(readiness.seconds, 3),
        **readiness.about,
    }


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "flashsight"}
