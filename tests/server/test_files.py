"""/v1/files with OpenAI's client and by hand, over a scripted reader."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from flashsight.core.config import ServerConfig
from flashsight.core.errors import PictureError
from flashsight.core.types import PicturePart
from tests.server.live import serving
from tests.server.support import MODEL, House, LiveHouse
from tests.server.test_frontdoor import bearer
from tests.server.test_manners import until

KEYS = ("first-key-123", "second-key-456")


@pytest.fixture
def keyed() -> Iterator[LiveHouse]:
    """A fresh house a test: files stay in a library."""
    made = House(config=ServerConfig(api_keys=KEYS))
    made.open()
    with serving(made.app()) as live, httpx2.Client(base_url=live.base, timeout=20) as http:
        http.headers.update(bearer(KEYS[0]))
        yield LiveHouse(made, live, http)


@pytest.fixture
def clients(keyed: LiveHouse) -> Iterator[list[openai.OpenAI]]:
    made = [openai.OpenAI(base_url=f"{keyed.live.base}/v1", api_key=key, max_retries=0) for key in KEYS]
    yield made
    for client in made:
        client.close()


def metric(house: LiveHouse, line: str) -> float:
    text = house.http.get("/metrics").text
    return next((float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(line + " ")), 0.0)


def test_a_file_is_uploaded_listed_described_fetched_and_deleted(keyed: LiveHouse, clients: list[openai.OpenAI]):
    client = clients[0]
    made = client.files.create(file=("杯子.png", b"a picture"), purpose="vision")
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", 9, "杯子.png", "vision")
    assert made.id.startswith("file-")
    assert made.expires_at is not None
    assert made.expires_at - made.created_at == 3600
    ready = client.files.wait_for_processing(made.id, poll_interval=0.01)
    assert ready.status == "processed"
    assert (ready.image["width"], ready.image["height"], ready.image["image_tokens"]) == (56, 28, 2)  # type: ignore[attr-defined]
    assert [file.id for file in client.files.list()] == [made.id]
    assert client.files.content(made.id).read() == b"a picture"
    assert client.files.delete(made.id).deleted
    assert list(client.files.list()) == []
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.retrieve(made.id)
    assert caught.value.code == "file_not_found"
    assert metric(keyed, "flashsight_uploads_total") == 1
    assert metric(keyed, 'flashsight_prewarms_total{outcome="ok"}') == 1


def test_a_list_has_pages_and_filters(keyed: LiveHouse, clients: list[openai.OpenAI]):
    made = []
    for number in range(5):
        keyed.house.now += 1
        purpose: Any = "vision" if number % 2 else "user_data"
        made.append(clients[0].files.create(file=(f"{number}.png", bytes([number])), purpose=purpose).id)
    page = clients[0].files.list(limit=2, order="asc")
    assert (page.has_more, [file.id for file in page.data]) == (True, made[:2])
    assert [file.id for file in page] == made, "the client walks on by itself"
    assert [file.id for file in clients[0].files.list()] == made[::-1]
    assert {file.filename for file in clients[0].files.list(purpose="vision")} == {"1.png", "3.png"}
    wrong = keyed.http.get("/v1/files", params={"after": "file-x"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "after")
    for name, value, words in (
        ("limit", "0", "limit must be at least 1"),
        ("limit", "10001", "limit must be at most 10000"),
        ("limit", "ten", "limit must be an integer"),
        ("order", "up", "order must be 'asc' or 'desc'"),
        ("colour", "red", "it takes after, limit, order, purpose"),
    ):
        wrong = keyed.http.get("/v1/files", params={name: value})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, name)
        assert words in wrong.json()["error"]["message"]


def test_someone_elses_file_does_not_exist(keyed: LiveHouse, clients: list[openai.OpenAI]):
    mine, other = clients
    made = mine.files.create(file=("a.png", b"secret"), purpose="vision")
    sha256 = made.image["sha256"]  # type: ignore[attr-defined]
    assert list(other.files.list()) == []
    for call in (other.files.retrieve, other.files.content, other.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    for url in (made.id, f"sha256:{sha256}", "file-000000000000000000000000", "sha256:0", "sha256:"):
        with pytest.raises(openai.NotFoundError) as caught:
            ask(other, {"url": url})
        assert (caught.value.code, caught.value.param) == (
            "file_not_found",
            "messages[0].content[0].image_url.url",
        )
    assert keyed.backend.asked == []
    assert mine.files.retrieve(made.id).id == made.id


def ask(client: openai.OpenAI, image: Any) -> Any:
    parts: list[Any] = [{"type": "image_url", "image_url": image}, {"type": "text", "text": "?"}]
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])


def test_a_chat_names_an_uploaded_picture_in_every_way(keyed: LiveHouse, clients: list[openai.OpenAI]):
    client = clients[0]
    made = client.files.create(file=("a.png", b"the bytes"), purpose="user_data")
    client.files.wait_for_processing(made.id, poll_interval=0.01)
    ask(client, {"url": made.id, "detail": "low"})
    ask(client, {"file_id": made.id})
    ask(client, made.id)
    ask(client, {"url": "sha256:" + made.image["sha256"]})  # type: ignore[attr-defined]
    part: Any = {"type": "file", "file": {"file_id": made.id}}
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}])
    pictures = [conversation.messages[0].parts[0] for conversation, _ in keyed.backend.asked]
    assert len(pictures) == 5
    assert all(isinstance(picture, PicturePart) and picture.media.content == b"the bytes" for picture in pictures)
    assert [picture.detail for picture in pictures if isinstance(picture, PicturePart)] == ["low"] + ["auto"] * 4
    assert metric(keyed, 'flashsight_prewarms_used_total{when="ready"}') == 1


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"detail": "low"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:x", "file_id": "file-1"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"file_id": "../etc"}}, "image_url.file_id"),
        ({"type": "file", "file": {"file_id": "x"}}, "file.file_id"),
        ({"type": "file", "file": {"file_data": "x", "filename": "y"}}, "file.file_id"),
    ],
)
def test_a_bad_reference_names_its_field(keyed: LiveHouse, part: Any, param: str):
    body = {"model": MODEL, "messages": [{"role": "user", "content": [part]}]}
    answer = keyed.http.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, f"messages[0].content[0].{param}")


def test_what_cannot_be_decoded_is_an_error_with_its_reason(keyed: LiveHouse, clients: list[openai.OpenAI]):
    keyed.house.reader.error = PictureError("the picture is damaged or cut off")
    made = clients[0].files.create(file=("a.png", b"x"), purpose="vision")
    done = clients[0].files.wait_for_processing(made.id, poll_interval=0.01)
    assert (done.status, done.status_details) == ("error", "the picture is damaged or cut off")
    assert metric(keyed, 'flashsight_prewarms_total{outcome="invalid_image"}') == 1


FILE = {"file": ("a.png", b"x")}
BAD: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "no purpose": ({"files": FILE}, 400, "purpose"),
    "another purpose": ({"files": FILE, "data": {"purpose": "fine-tune"}}, 400, "purpose"),
    "no file": ({"files": {"purpose": (None, "vision")}}, 400, "file"),
    "text for a file": ({"files": {"file": (None, "x"), "purpose": (None, "vision")}}, 400, "file"),
    "no picture": ({"files": {"file": ("a.png", b"bad")}, "data": {"purpose": "vision"}}, 400, "file"),
    "no name": ({"files": {"file": ("", b"x")}, "data": {"purpose": "vision"}}, 400, "file"),
    "an unknown field": ({"files": FILE, "data": {"purpose": "vision", "nonsense": "1"}}, 400, "nonsense"),
    "two files": ({"files": [("file", FILE["file"])] * 2, "data": {"purpose": "vision"}}, 400, "file"),
    "one field twice": ({"files": [("file", FILE["file"]), *[("purpose", (None, "vision"))] * 2]}, 400, "purpose"),
    "a long field": ({"files": FILE, "data": {"purpose": "v" * 5000}}, 400, None),
    "json": ({"json": {"purpose": "vision"}}, 400, "file"),
    "no boundary": ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "file"),
    "not a form": ({"content": b"x" * 99, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, None),
    "cut": (
        {"content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc', "headers": {
            "Content-Type": "multipart/form-data; boundary=b"}}, 400, "file"),
    "too large": ({"files": {"file": ("a.png", b"x" * 1001)}, "data": {"purpose": "vision"}}, 400, "file"),
    "far too large": ({"files": {"file": ("a.png", b"x" * 999_999)}, "data": {"purpose": "vision"}}, 400, "file"),
    "too long kept": ({"files": FILE, "data": {"purpose": "vision", "expires_after[anchor]": "created_at",
                       "expires_after[seconds]": "3601"}}, 400, "expires_after[seconds]"),
    "no number": ({"files": FILE, "data": {"purpose": "vision", "expires_after[anchor]": "created_at",
                   "expires_after[seconds]": "-1"}}, 400, "expires_after[seconds]"),
    "no anchor": ({"files": FILE, "data": {"purpose": "vision", "expires_after[seconds]": "5"}}, 400,
                  "expires_after[anchor]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_is_refused_in_openais_shape_and_leaves_nothing(keyed: LiveHouse, name: str):
    sent, status, param = BAD[name]
    answer = keyed.http.post("/v1/files", **sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert keyed.http.get("/v1/files").json()["data"] == []
    assert keyed.house.reader.asked == []


def test_a_request_may_shorten_the_time_that_a_file_is_kept(keyed: LiveHouse, clients: list[openai.OpenAI]):
    made = clients[0].files.create(
        file=("a.png", b"x"), purpose="vision", expires_after={"anchor": "created_at", "seconds": 60}
    )
    keyed.house.now += 59
    assert clients[0].files.retrieve(made.id).expires_at == made.created_at + 60
    keyed.house.now += 1
    with pytest.raises(openai.NotFoundError):
        clients[0].files.retrieve(made.id)


def test_the_bytes_never_touch_the_disk(keyed: LiveHouse):
    kept = keyed.house.readiness.require().library
    assert kept is not None
    kept.max_file_bytes, kept._shelf.max_bytes = 9 << 20, 10 << 20
    written: list[object] = []
    is_watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if (
            is_watching
            and event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            written.append(arguments)

    sys.addaudithook(watch)
    big = {"file": ("a.png", b"x" * (8 << 20))}
    try:
        assert keyed.http.post("/v1/files", files=big, data={"purpose": "vision"}).status_code == 200
    finally:
        is_watching = False
    assert written == []


def test_a_sender_who_leaves_in_the_middle_leaves_nothing(keyed: LiveHouse):
    with socket.create_connection(("127.0.0.1", keyed.live.port)) as line:
        line.sendall(
            b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + KEYS[0].encode() + b"\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 900\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nsome bytes'
        )
    until(lambda: 'status="499"' in keyed.http.get("/metrics").text)
    assert keyed.http.get("/v1/files").json()["data"] == []


def test_a_server_without_files_says_so(keyed: LiveHouse):
    serving_now = keyed.house.readiness.require()
    object.__setattr__(serving_now, "library", None)
    answer = keyed.http.get("/v1/files")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
