"""Who gets in, with which id, and how much may be sent; over real sockets where the client's manners matter."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from flashsight.core.config import ServerConfig
from tests.server.live import serving
from tests.server.scripted import saying
from tests.server.support import MODEL, House, LiveHouse, encoded

KEY = "a-good-key-1"
DOCS = {"", "/index.html", "/docs.css", "/docs.js", "/first.js"}
DOCS |= {f"/vendor/swagger-ui{end}" for end in ("-bundle.js", "-bundle.LICENSE.txt", ".css")}
PUBLIC = {"/health", "/ready"} | {f"/docs{path}" for path in DOCS}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<!doctype html><title>t</title>")
    (folder / "js").mkdir()
    (folder / "js" / "main.js").write_text("export {}")
    (folder / ".secret").write_text("no")
    return folder


@pytest.fixture(scope="module")
def keyed(page: Path) -> Iterator[LiveHouse]:
    """A server that wants a key, has a page, a small body limit and one named origin."""
    config = ServerConfig(api_keys=(KEY,), max_body_bytes=2000, cors_origins=("https://shop.example",))
    house = House(config=config, page=page)
    house.open()
    with serving(house.app()) as live, httpx2.Client(base_url=live.base, timeout=30) as http:
        yield LiveHouse(house, live, http)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def code_of(response: httpx2.Response) -> str:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


def test_every_route_but_the_public_ones_wants_a_key(keyed: LiveHouse, page: Path):
    files = {"/"} | {f"/{path.relative_to(page)}" for path in page.rglob("*") if path.is_file()} - {"/.secret"}
    routes = [route for route in keyed.house.app().routes if isinstance(route, Route)]
    assert len(routes) > len(PUBLIC | files)
    for route in routes:
        path = re.sub(r"\{.*?\}", "x", route.path)
        for method in route.methods or ():
            response = keyed.http.request(method, path)
            if path in PUBLIC | files:
                assert response.status_code == 200, path
            else:
                assert response.status_code == 401, path
                assert response.headers["www-authenticate"] == "Bearer"
                assert method == "HEAD" or code_of(response) == "invalid_api_key"


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/docs/", "/redoc", "/.secret", "/js/../.secret", "/health/x"])
def test_what_is_not_there_wants_a_key_too(keyed: LiveHouse, path: str):
    assert keyed.http.get(path).status_code == 401
    response = keyed.http.get(path, headers=bearer(KEY))
    assert (response.status_code, code_of(response)) == (404, "not_found")


@pytest.mark.parametrize(
    "value", [f"Bearer {KEY}x", f"Basic {KEY}", KEY, "Bearer", f"Bearer {KEY[:-1]}", "Bearer \xff"]
)
def test_a_wrong_key_is_401_and_never_shown(keyed: LiveHouse, value: str):
    response = keyed.http.get("/v1/models", headers={"Authorization": value.encode("latin-1")})
    assert response.status_code == 401
    assert KEY not in response.text


def test_a_good_key_is_admitted_and_salts_its_own_caches(keyed: LiveHouse):
    response = keyed.http.post("/v1/chat/completions", json=CHAT, headers=bearer(KEY))
    assert response.status_code == 200
    caller = keyed.backend.asked[-1][0].caller
    assert caller.name.startswith("key-")
    assert len(caller.salt) == 32


def test_the_page_needs_no_key_and_runs_nothing_from_elsewhere(keyed: LiveHouse):
    response = keyed.http.get("/")
    assert response.text.startswith("<!doctype html>")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    script = keyed.http.get("/js/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    again = keyed.http.get("/js/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_413_with_the_limit(keyed: LiveHouse, chunked: bool):
    body = encoded(CHAT | {"user": "x" * 3000})
    content: Any = (body[at : at + 100] for at in range(0, len(body), 100)) if chunked else body
    response = keyed.http.post("/v1/chat/completions", content=content, headers=bearer(KEY))
    assert (response.status_code, code_of(response)) == (413, "body_too_large")
    assert "2000" in response.text


@pytest.mark.parametrize("headers", [{}, bearer(KEY)])
def test_who_sends_far_too_much_still_hears_why(keyed: LiveHouse, headers: dict[str, str]):
    pieces = (b"x" * 65536 for _ in range(256))
    for content in (b"x" * (16 << 20), pieces):
        response = keyed.http.post("/v1/chat/completions", content=content, headers=headers)
        assert response.status_code == (413 if headers else 401)


def test_a_body_is_not_read_before_the_key_is_seen(keyed: LiveHouse):
    assert keyed.http.post("/v1/chat/completions", content=b"x" * 5000).status_code == 401


def test_a_named_origin_may_ask_and_others_may_not(keyed: LiveHouse):
    good, bad = "https://shop.example", "https://evil.example"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = keyed.http.options("/v1/chat/completions", headers={"Origin": good, **preflight})
    assert allowed.headers["access-control-allow-origin"] == good
    assert "access-control-allow-credentials" not in allowed.headers
    answer = keyed.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": good, **bearer(KEY)})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, good)
    refused = keyed.http.options("/v1/chat/completions", headers={"Origin": bad, **preflight})
    assert "access-control-allow-origin" not in refused.headers
    answer = keyed.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": bad, **bearer(KEY)})
    assert (answer.status_code, code_of(answer)) == (403, "origin_refused")


def test_without_named_origins_there_is_no_cors(house: LiveHouse):
    answer = house.http.get("/health", headers={"Origin": house.live.base})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "file://"])
def test_a_page_from_elsewhere_cannot_drive_a_keyless_server(house: LiveHouse, origin: str):
    answer = house.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": origin})
    assert (answer.status_code, code_of(answer)) == (403, "origin_refused")
    assert not house.backend.asked


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "[::2]", "["]
)
def test_a_name_that_was_rebound_to_loopback_is_refused(house: LiveHouse, host: str):
    answer = house.http.get("/v1/models", headers={"Host": host})
    assert (answer.status_code, code_of(answer)) == (403, "host_refused")


@pytest.mark.parametrize("host", ["localhost", "localhost:99", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_loopback_names_are_answered(house: LiveHouse, host: str):
    assert house.http.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64])
def test_a_good_request_id_comes_back_and_is_made_unique_inside(house: LiveHouse, given: str):
    answers = [house.http.post("/v1/chat/completions", json=CHAT, headers={"X-Request-ID": given}) for _ in range(2)]
    assert [answer.headers["x-request-id"] for answer in answers] == [given, given]
    inside = [conversation.request_id for conversation, _ in house.backend.asked]
    assert len(set(inside)) == 2
    assert all(one.startswith(given) for one in inside)
    assert answers[0].json()["id"] == f"chatcmpl-{inside[0]}"


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "ä", "a\tb"])
def test_a_bad_request_id_is_replaced(house: LiveHouse, given: str):
    answer = house.http.get("/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 24


def test_every_answer_has_an_id_even_a_refusal(keyed: LiveHouse):
    assert keyed.http.get("/v1/models").headers["x-request-id"]
    assert keyed.http.get("/nothing", headers=bearer(KEY)).headers["x-request-id"]


def test_a_wrong_method_is_405_in_the_same_shape(house: LiveHouse):
    answer = house.http.delete("/v1/chat/completions")
    assert (answer.status_code, code_of(answer)) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/metrics", "/docs"])
def test_head_is_answered_like_get_without_the_body(house: LiveHouse, path: str):
    told, seen = house.http.head(path), house.http.get(path)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-type"] == seen.headers["content-type"]
    assert told.headers["x-request-id"]
    # The connection is still in step: what follows on it is the next answer, not a body left over.
    assert house.http.get("/health").json()["status"] == "ok"


def test_head_of_what_takes_no_get_is_405_and_counted_by_its_route(house: LiveHouse):
    assert house.http.head("/v1/chat/completions").status_code == 405
    assert house.http.head("/v1/nothing").status_code == 404
    house.http.head("/ready")
    counted = house.http.get("/metrics").text
    assert 'flashsight_http_requests_total{route="/ready",status="200"}' in counted


def test_the_log_has_a_line_per_request_and_no_word_of_the_conversation(house: LiveHouse):
    secret = "13800138000"
    asked = CHAT | {"messages": [{"role": "user", "content": secret}], "safety_identifier": "user-7"}
    house.backend.script = saying(secret)
    bodies = (asked, asked | {"stop": [secret * 99]}, asked)
    paths = ("/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions?key=" + secret)
    with capture_logs(processors=[merge_contextvars]) as logged:
        answers = [house.http.post(path, json=body) for path, body in zip(paths, bodies, strict=True)]
        ids = [answer.headers["x-request-id"] for answer in answers]
        deadline = time.monotonic() + 10  # a line is written once the answer is out, so the client may know first
        while not set(ids) <= {line.get("request_id") for line in logged} and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = [line for request_id in ids for line in logged if line.get("request_id") == request_id]
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert [line["status"] for line in lines] == [200, 400, 200]
    assert lines[0]["end_user"] == "user-7"
    assert lines[0]["path"] == "/v1/chat/completions"
    assert secret not in repr(logged)


@pytest.mark.parametrize("client", [("10.0.0.9", 5), None])
def test_callers_from_elsewhere_need_a_key_that_a_keyless_server_does_not_have(client: tuple[str, int] | None):
    async def ask() -> int:
        transport = httpx2.ASGITransport(House().app(), client=client or ("", 0))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.get("/v1/models")).status_code

    assert asyncio.run(ask()) == 401
