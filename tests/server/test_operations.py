"""What the server tells about itself, and what it says while there is no model yet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flashsight.core.types import TextDelta
from tests.server.live import serving
from tests.server.scripted import saying
from tests.server.support import MODEL, House, LiveHouse

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
def fresh() -> Iterator[LiveHouse]:
    """A server whose model is still loading."""
    house = House()
    with serving(house.app()) as live, httpx2.Client(base_url=live.base, timeout=30) as http:
        yield LiveHouse(house, live, http)


def samples(http: httpx2.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read /metrics with Prometheus' own parser."""
    found = {}
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_while_loading_health_answers_with_the_phase_and_everything_else_says_when_to_come_back(fresh: LiveHouse):
    fresh.house.readiness.enter("reading weights, 40 %")
    health = fresh.http.get("/health")
    assert health.status_code == 200
    assert health.json()["model_ready"] is False
    assert health.json()["phase"] == "reading weights, 40 %"
    for method, path in [
        ("GET", "/ready"),
        ("GET", "/v1/models"),
        ("GET", "/v1/plan"),
        ("POST", "/v1/chat/completions"),
    ]:
        answer = fresh.http.request(method, path)
        assert answer.status_code == 503, path
        assert answer.json()["error"]["code"] == "model_loading"
        assert "reading weights, 40 %" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) >= 1
    assert samples(fresh.http)["flashsight_ready", ()] == 0


def test_a_model_that_becomes_ready_is_served_without_a_restart(fresh: LiveHouse):
    fresh.house.open()
    assert fresh.http.get("/ready").status_code == 200
    health = fresh.http.get("/health").json()
    assert (health["status"], health["model_ready"], health["phase"]) == ("ok", True, "ready")
    assert fresh.http.post("/v1/chat/completions", json=CHAT).status_code == 200
    fresh.house.readiness.close()
    assert fresh.http.post("/v1/chat/completions", json=CHAT).json()["error"]["code"] == "stopping"


def test_a_model_that_cannot_be_loaded_makes_the_process_unhealthy(fresh: LiveHouse):
    fresh.house.readiness.fail()
    answer = fresh.http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "failed")
    assert fresh.http.get("/ready").json()["error"]["code"] == "model_failed"


def test_the_plan_is_served(house: LiveHouse):
    assert house.http.get("/v1/plan").json() == {"weights_bytes": 7, "num_blocks": 3}


def test_metrics_count_requests_tokens_pictures_and_show_the_engines_numbers(fresh: LiveHouse):
    fresh.house.open()
    picture = {"type": "image_url", "image_url": "data:x"}
    asked = CHAT | {"messages": [{"role": "user", "content": [picture, picture]}]}
    assert fresh.http.post("/v1/chat/completions", json=asked).status_code == 200
    assert fresh.http.post("/v1/chat/completions", json=CHAT | {"model": "other"}).status_code == 404
    fresh.backend.script = (TextDelta(index=0, text="a"), ValueError("broken"))
    assert fresh.http.post("/v1/chat/completions", json=CHAT).status_code == 500
    fresh.http.get("/some/made/up/path")
    found = samples(fresh.http)
    chat = ("route", "/v1/chat/completions")
    assert found["flashsight_http_requests_total", (chat, ("status", "200"))] == 1
    assert found["flashsight_http_requests_total", (chat, ("status", "404"))] == 1
    assert found["flashsight_http_requests_total", (("route", "other"), ("status", "404"))] == 1
    assert found["flashsight_chats_total", (("outcome", "ok"),)] == 1
    assert found["flashsight_chats_total", (("outcome", "model_not_found"),)] == 1
    assert found["flashsight_chats_total", (("outcome", "internal_error"),)] == 1
    kinds = {"prompt": 20, "completion": 3, "reasoning": 1, "cached": 16, "picture": 9}
    assert {kind: found["flashsight_tokens_total", (("kind", kind),)] for kind in kinds} == kinds
    assert found["flashsight_pictures_total", (("level", "device"),)] == 2
    assert found["flashsight_first_token_seconds_count", ()] == 2
    assert found["flashsight_output_token_seconds_count", ()] == 1
    assert found["flashsight_plan_bytes", (("part", "weights"),)] == 7
    assert found["flashsight_engine_num_waiting", ()] == 2
    assert found["flashsight_engine_steps_total", ()] == 5


def test_two_apps_of_one_process_count_apart(house: LiveHouse, fresh: LiveHouse):
    house.backend.script = saying("a")
    house.http.post("/v1/chat/completions", json=CHAT)
    assert ("flashsight_chats_total", (("outcome", "ok"),)) not in samples(fresh.http)


def test_the_openapi_document_names_every_public_route(house: LiveHouse):
    paths = house.http.get("/openapi.json").json()["paths"]
    expected = {
        "/v1/chat/completions",
        "/v1/responses",
        "/tokenize",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/plan",
        "/v1/queue",
        "/v1/presets",
    }
    expected |= {"/v1/files", "/v1/files/{file_id}", "/v1/files/{file_id}/content", "/v1/images/estimate"}
    expected |= {"/health", "/ready", "/metrics"}
    assert set(paths) == expected


def test_every_reference_in_the_openapi_document_resolves(house: LiveHouse):
    document = house.http.get("/openapi.json").json()
    refs = set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document)))
    assert "#/components/schemas/ChatBody" in refs
    for ref in refs:
        found = document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]
