"""Where a request stands in line: told to whom it belongs, by the id that it was sent with."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flashsight.core.config import Config, EngineConfig, ModelConfig, ServerConfig
from flashsight.core.line import Waiting
from flashsight.core.types import Salt
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import build_chat, build_local
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from tests.server.live import Live, serving
from tests.server.support import MODEL, House, LiveHouse
from tests.server.test_frontdoor import bearer

KEYS = ("first-key-123", "second-key-456")
MINE, THEIRS = (AccessPolicy(KEYS).admit(key, is_local=True).salt for key in KEYS)


def waiting(request_id: str, salt: Salt, position: int, seconds: float = 1.0) -> Waiting:
    return Waiting(request_id=request_id, salt=salt, position=position, seconds=seconds)


@pytest.fixture
def keyed() -> Iterator[LiveHouse]:
    made = House(config=ServerConfig(api_keys=KEYS))
    made.open()
    served = made.readiness.require()
    line = (waiting("page.1.0badcafe", MINE, 1), waiting("other.0badcafe", THEIRS, 2), waiting("abc", MINE, 3, 2.25))
    made.readiness.open(Serving(chat=served.chat, plan=dict, snapshot=dict, line=lambda: line))
    with serving(made.app()) as live, httpx2.Client(base_url=live.base, timeout=20) as http:
        http.headers.update(bearer(KEYS[0]))
        yield LiveHouse(made, live, http)


@pytest.mark.parametrize(
    ("name", "position", "milliseconds"),
    [("page.1", 1, 1000), ("page.1.0badcafe", 1, 1000), ("abc", 3, 2250), ("page", None, None), ("", None, None)],
)
def test_a_request_is_found_by_the_id_it_was_sent_with(
    keyed: LiveHouse, name: str, position: int | None, milliseconds: int | None
):
    told = keyed.http.get("/v1/queue", params={"request": name}).json()
    assert told == {"object": "queue", "num_waiting": 3, "position": position, "estimated_ms": milliseconds}


def test_without_an_id_only_the_number_is_told(keyed: LiveHouse):
    told = keyed.http.get("/v1/queue").json()
    assert told == {"object": "queue", "num_waiting": 3, "position": None, "estimated_ms": None}


def test_someone_elses_place_is_not_told(keyed: LiveHouse):
    assert keyed.http.get("/v1/queue?request=other").json()["position"] is None
    told = keyed.http.get("/v1/queue?request=other", headers=bearer(KEYS[1])).json()
    assert told["position"] == 2


def test_an_unknown_parameter_is_refused_by_name(keyed: LiveHouse):
    answer = keyed.http.get("/v1/queue?id=abc")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "id")
    assert "it takes request" in answer.json()["error"]["message"]


# --- over the whole road -----------------------------------------------------------------------------------------


@pytest.fixture
def narrow(tiny_checkpoint: Path) -> Iterator[Live]:
    """A server with room for one answer at a time."""
    engine = EngineConfig(context_tokens=4096, kv_bytes=16 << 20, picture_cache_bytes=4 << 20, max_sequences=1)
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), engine=engine)
    parts = build_local(config)
    readiness, metrics = Readiness(), Metrics()
    serving_parts = Serving(
        chat=build_chat(config, parts),
        plan=dict,
        snapshot=lambda: parts.engine.snapshot().numbers(),
        line=parts.engine.line,
    )
    readiness.open(serving_parts)
    app = build_app(config.server, readiness=readiness, access=AccessPolicy(), metrics=metrics)
    with serving(app) as live:
        yield live
    parts.engine.stop()


def place(http: httpx2.Client, name: str) -> int | None:
    position: int | None = http.get("/v1/queue", params={"request": name}).json()["position"]
    return position


def test_places_move_up_as_those_before_are_answered_or_leave(narrow: Live):
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    body |= {"stream": True, "ignore_eos": True, "max_tokens": 3900}
    leaving = {name: threading.Event() for name in "abc"}

    def ask(name: str) -> None:
        with (
            httpx2.Client(base_url=narrow.base, timeout=60) as http,
            http.stream("POST", "/v1/chat/completions", json=body, headers={"X-Request-ID": name}) as answer,
        ):
            for _ in answer.iter_lines():
                if leaving[name].is_set():
                    return

    with httpx2.Client(base_url=narrow.base, timeout=20) as http:
        threads = []
        for number, name in enumerate("abc"):
            threads.append(threading.Thread(target=ask, args=(name,), daemon=True))
            threads[-1].start()
            until(lambda: "flashsight_engine_num_running 1.0" in http.get("/metrics").text)  # the first
            until(lambda number=number: http.get("/v1/queue").json()["num_waiting"] == number)
            until(lambda name=name: place(http, name) is not None or name == "a")
        assert [place(http, name) for name in "abc"] == [None, 1, 2]
        assert "flashsight_engine_num_waiting 2.0" in http.get("/metrics").text, "while a long answer is still written"
        leaving["a"].set()
        until(lambda: [place(http, name) for name in "abc"] == [None, None, 1])
        leaving["b"].set()
        leaving["c"].set()
        until(lambda: http.get("/v1/queue").json()["num_waiting"] == 0)
    for thread in threads:
        thread.join(20)


def until(is_so: Any) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)
