"""The page that ships, as a browser fetches it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx2
import pytest

from flashsight.ui import STATIC_FOLDER
from tests.server.live import serving
from tests.server.support import House

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with serving(House(page=STATIC_FOLDER).app()) as live, httpx2.Client(base_url=live.base, timeout=30) as http:
        yield http


def test_everything_that_the_page_asks_for_is_served_with_its_type(http: httpx2.Client):
    seen, todo = set[str](), ["/"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = http.get(path)
        assert answer.status_code == 200, path
        kind = "html" if path in ("/", "/docs") else path.rpartition(".")[2]
        assert answer.headers["content-type"].startswith(TYPES[kind]), path
        pattern = r'(?:src|href)="([^":#]+)"' if kind == "html" else r'(?:from|import) "(\.[^"]+)"'
        if kind in ("html", "js"):
            todo.extend(urljoin(path, found) for found in re.findall(pattern, answer.text))
    assert len(seen) > 5


def test_the_page_holds_nothing_that_its_own_policy_would_stop(http: httpx2.Client):
    html = http.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html)
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_packed_file_arrives_whole_for_whoever_can_unpack_and_who_cannot(http: httpx2.Client, coding: str):
    answer = http.get("/docs/vendor/swagger-ui.css", headers={"Accept-Encoding": coding})
    assert answer.headers.get("content-encoding", "identity") == coding
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.text.startswith(".swagger-ui")
