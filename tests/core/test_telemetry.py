from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from flashsight.core.telemetry import bound_request, configure_logging, current_request, get_log

SECRET = "fs-AbCdEf0123456789"
PICTURE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    held = io.StringIO()
    configure_logging(format="json", level="info", stream=held)
    yield held
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_the_id_of_its_request(stream: io.StringIO) -> None:
    with bound_request("req-7"):
        get_log("some.module").info("picture admitted", num_bytes=9)
    get_log("some.module").info("idle")
    first, second = lines(stream)
    assert first["event"] == "picture admitted"
    assert first["request_id"] == "req-7"
    assert first["num_bytes"] == 9
    assert first["level"] == "info"
    assert "request_id" not in second


def test_requests_at_the_same_time_keep_their_ids_apart(stream: io.StringIO) -> None:
    async def work(name: str) -> None:
        with bound_request(name):
            await asyncio.sleep(0)
            assert current_request() == name
            get_log("m").info("step", who=name)

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(both())
    assert all(line["who"] == line["request_id"] for line in lines(stream))
    assert current_request() is None


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": SECRET},
        {"authorization": f"Bearer {SECRET}"},
        {"note": f"sent Bearer {SECRET} twice"},
        {"headers": {"cookie": SECRET}},
        {"tried": [f"key {SECRET}"]},
        {"prompt": "the secret of the cup"},
        {"request": {"messages": ["the secret of the cup"]}},
        {"note": f"got {PICTURE}"},
        {"raw": b"the secret of the cup"},
    ],
)
def test_secrets_and_what_people_sent_stay_out(stream: io.StringIO, fields: dict[str, object]) -> None:
    get_log("m").warning("event", **fields)
    text = stream.getvalue()
    assert SECRET not in text
    assert "the secret of the cup" not in text
    assert "iVBOR" not in text
    assert len(lines(stream)) == 1


def test_libraries_that_log_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("fetched %s", PICTURE)
    (line,) = lines(stream)
    assert line["logger"] == "uvicorn.error"
    assert "iVBOR" not in str(line)


def test_an_exception_stays_on_the_line_of_its_event(stream: io.StringIO) -> None:
    try:
        raise ValueError("bad number")
    except ValueError:
        get_log("m").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: bad number" in str(line["exception"])


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    get_log("m").debug("details")
    logging.getLogger("other").debug("details")
    assert stream.getvalue() == ""


def test_a_person_reads_words_instead_of_json() -> None:
    held = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging(format="human", stream=held)
        get_log("m").info("ready", seconds=1.5)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    assert "ready" in held.getvalue()
    assert "seconds=1.5" in held.getvalue()
