"""What Prometheus reads: requests, first-token and per-token times, tokens, pictures, and the engine's own numbers.

One registry an app; nothing global. It is told of outcomes and asks the engine only when scraped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from flashsight.core.types import PromptStats
from flashsight.service import Outcome, Readiness

_FIRST_TOKEN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)
_PER_TOKEN = (0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_WHOLE = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Counters of one process. It is a ChatObserver and a LibraryObserver; hand it to build_app too."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._http = Counter("flashsight_http_requests", "HTTP requests.", ["route", "status"], registry=registry)
        self._chats = Counter(
            "flashsight_chats",
            "Chat requests by how they ended: ok or an error's code.",
            ["outcome"],
            registry=registry,
        )
        self._tokens = Counter(
            "flashsight_tokens",
            "Tokens; cached and picture are parts of prompt, reasoning of completion.",
            ["kind"],
            registry=registry,
        )
        self._pictures = Counter(
            "flashsight_pictures",
            "Pictures of answered requests, by the cache level of the request's coldest picture.",
            ["level"],
            registry=registry,
        )
        self._first = Histogram(
            "flashsight_first_token_seconds", "Request to first text.", buckets=_FIRST_TOKEN, registry=registry
        )
        self._per_token = Histogram(
            "flashsight_output_token_seconds",
            "Mean time per output token after the first, per request.",
            buckets=_PER_TOKEN,
            registry=registry,
        )
        self._whole = Histogram(
            "flashsight_answer_seconds", "Request to last token.", buckets=_WHOLE, registry=registry
        )

        self._uploads = Counter("flashsight_uploads", "Files that were taken in.", registry=registry)
        self._upload_bytes = Counter("flashsight_upload_bytes", "Bytes of the files taken in.", registry=registry)
        self._prewarms = Counter(
            "flashsight_prewarms",
            "Uploaded pictures by how reading them ahead ended: ok, skipped, aborted or an error's code.",
            ["outcome"],
            registry=registry,
        )
        self._prewarms_used = Counter(
            "flashsight_prewarms_used",
            "Uploaded pictures that a chat asked about, once each: reading ahead was done, or under way.",
            ["when"],
            registry=registry,
        )

    def watch(self, readiness: Readiness) -> None:
        """Show readiness, plan and engine numbers with every scrape."""
        self._registry.register(_EngineNumbers(readiness))

    def request_ended(self, scope: Scope, status: int) -> None:
        """Count an HTTP request by its route (never by its path: a client chooses that) and status."""
        route = getattr(scope.get("route"), "path", "other")
        self._http.labels(route, str(status)).inc()

    def ended(self, outcome: Outcome) -> None:
        """Count a chat request."""
        self._chats.labels(outcome.error or "ok").inc()
        if outcome.first_seconds is not None:
            self._first.observe(outcome.first_seconds)
        usage = outcome.usage
        if usage is None:
            return
        self._whole.observe(outcome.total_seconds)
        for kind, count in (
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
            ("reasoning", usage.reasoning_tokens),
            ("cached", usage.cached_tokens),
            ("picture", usage.picture_tokens),
        ):
            self._tokens.labels(kind).inc(count)
        if outcome.num_pictures:
            self._pictures.labels(usage.picture_level).inc(outcome.num_pictures)
        if outcome.first_seconds is not None and usage.completion_tokens > 1:
            self._per_token.observe((outcome.total_seconds - outcome.first_seconds) / (usage.completion_tokens - 1))

    def uploaded(self, num_bytes: int) -> None:
        """Count a file."""
        self._uploads.inc()
        self._upload_bytes.inc(num_bytes)

    def prewarmed(self, outcome: str, stats: PromptStats | None) -> None:
        """Count how reading a picture ahead ended."""
        self._prewarms.labels(outcome).inc()

    def prewarm_used(self, when: Literal["ready", "in_flight"]) -> None:
        """Count a picture that had been, or was being, read ahead when a chat asked about it."""
        self._prewarms_used.labels(when).inc()

    def render(self) -> bytes:
        """Return the text exposition format."""
        return generate_latest(self._registry)


class _EngineNumbers(Collector):
    """The numbers that others keep, read when scraped."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def describe(self) -> Iterator[Metric]:
        """Name nothing ahead: the names come from the engine."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield readiness, then plan and snapshot once there are any."""
        serving = self._readiness.serving
        yield GaugeMetricFamily("flashsight_ready", "1 when requests are answered.", value=float(serving is not None))
        yield GaugeMetricFamily("flashsight_load_seconds", "Time to load.", value=self._readiness.seconds)
        if serving is None:
            return
        planned = GaugeMetricFamily("flashsight_plan_bytes", "Planned memory by part.", labels=["part"])
        plan = plain(serving.plan())
        use = plan.pop("use", {})
        for name, value in _numbers(plan):
            if name.endswith("_bytes"):
                planned.add_metric([name.removesuffix("_bytes")], value)
        yield planned
        used = GaugeMetricFamily("flashsight_used_bytes", "Memory as device and system count it.", labels=["of"])
        for name, value in _numbers(use):
            used.add_metric([name.removesuffix("_bytes")], value)
        yield used
        for name, value in serving.library.numbers.items() if serving.library is not None else ():
            yield GaugeMetricFamily(f"flashsight_{name}", "Uploaded files kept now.", value=value)
        for name, value in _numbers(plain(serving.snapshot())):
            kind = CounterMetricFamily if name.startswith("total_") else GaugeMetricFamily
            yield kind(f"flashsight_engine_{name.removeprefix('total_')}", "The engine's own count.", value=value)


def plain(value: object) -> dict[str, Any]:
    """Return a dataclass (nested ones too) or a mapping as what JSON can say."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    assert isinstance(value, Mapping), "a plan or snapshot is a dataclass or a mapping"
    return dict(value)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number by its name; what stands in `totals` only grows and is named `total_…`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, "total_" if name == "totals" else prefix)
        elif isinstance(value, int | float):
            yield prefix + name, float(value)
