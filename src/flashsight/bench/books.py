"""The engine's own numbers of a service, read over HTTP. {} from servers that have none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from flashsight.bench.wire import Wire
from flashsight.core.errors import FlashSightError

PREFIX = "flashsight_engine_"
POLL_SECONDS = 0.2


async def books(wire: Wire) -> dict[str, float]:
    """The engine's gauges from /metrics and what /v1/plan says is in use, by name."""
    try:
        use: Any = json.loads(await wire.get("/v1/plan")).get("use", {})
    except (FlashSightError, ValueError, AttributeError):
        return {}
    gauges = {name: value for name, value in (await numbers(wire)).items() if not name.endswith("_total")}
    used = use.items() if isinstance(use, Mapping) else ()
    return gauges | {name: float(value) for name, value in used if isinstance(value, int | float)}


async def numbers(wire: Wire) -> dict[str, float]:
    """The engine's gauges, and its counters under names that end in _total."""
    try:
        text = (await wire.get("/metrics")).decode()
        lines = (line.removeprefix(PREFIX).split() for line in text.splitlines() if line.startswith(PREFIX))
        return {parts[0]: float(parts[1]) for parts in lines}
    except (FlashSightError, ValueError, IndexError):
        return {}


async def until_quick(wire: Wire, limit_seconds: float) -> dict[str, float]:
    """Wait until nothing more is on its way that makes the service quicker, or for so long; return its numbers."""
    give_up_at = time.perf_counter() + limit_seconds
    while True:
        found = await numbers(wire)
        if not found.get("is_speeding_up") or time.perf_counter() > give_up_at:
            return found
        await asyncio.sleep(POLL_SECONDS)
