"""The library over doubles of its gate and its reader."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from flashsight.core.errors import FileNotFound, Overloaded, PictureError, RequestError
from flashsight.core.types import Caller, PictureRef, PromptStats, Salt
from flashsight.service import Library, StoredFile
from flashsight.service.shelf import ENTRY_BYTES
from tests.server.scripted import OpenGate, ScriptedReader

ME, OTHER = (Caller(name=name, salt=Salt(name.encode())) for name in ("me", "other"))


class Desk:
    """A library, what it told, and the hands on its clock."""

    def __init__(self, *, room: int = 4) -> None:
        self.reader = ScriptedReader()
        self.now = 1000.0
        self.told: list[Any] = []
        self.library = Library(
            OpenGate(),
            self.reader,
            max_bytes=room * (ENTRY_BYTES + 100),
            max_file_bytes=100,
            keep_seconds=60,
            observers=[self],
            clock=lambda: self.now,
        )

    def uploaded(self, num_bytes: int) -> None:
        self.told.append(num_bytes)

    def prewarmed(self, outcome: str, stats: PromptStats | None) -> None:
        self.told.append(outcome)

    def prewarm_used(self, when: str) -> None:
        self.told.append(when)

    async def upload(self, content: bytes = b"picture", caller: Caller = ME, **more: Any) -> StoredFile:
        wanted = {"filename": "a.png", "purpose": "vision", "request_id": "r"} | more
        return await self.library.upload(content, caller=caller, **wanted)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_file_is_uploaded_first_and_processed_once_it_has_been_read_ahead() -> None:
    desk = Desk()
    desk.reader.gate = asyncio.Event()
    file = await desk.upload()
    await settled()
    assert (file.status, desk.told) == ("uploaded", [7])
    desk.reader.gate.set()
    await settled()
    assert (file.status, desk.told) == ("processed", [7, "ok"])
    assert desk.reader.asked == [(file.media, ME)]


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (PictureError("the picture is damaged", code="image_damaged"), "error", "image_damaged"),
        (Overloaded("full", retry_after_seconds=1), "processed", "skipped"),
        (RuntimeError("a cause from inside"), "processed", "internal_error"),
    ],
)
async def test_what_cannot_be_read_ahead_says_why(error: Exception, status: str, outcome: str) -> None:
    desk = Desk()
    desk.reader.error = error
    file = await desk.upload()
    await settled()
    assert (file.status, desk.told[-1]) == (status, outcome)
    assert file.details is not None
    assert "inside" not in file.details
    assert desk.library.find(PictureRef(url=file.id), ME) == file.media


async def test_deleting_a_file_ends_reading_it_ahead() -> None:
    desk = Desk()
    desk.reader.gate = asyncio.Event()
    file = await desk.upload()
    await settled()
    desk.library.delete(file.id, ME)
    await settled()
    assert (desk.reader.num_dropped, desk.told) == (1, [7, "aborted"])
    with pytest.raises(FileNotFound):
        desk.library.get(file.id, ME)


async def test_a_file_that_had_to_make_room_is_gone_and_no_longer_read() -> None:
    desk = Desk(room=2)
    desk.reader.gate = asyncio.Event()
    first, *_ = [await desk.upload(bytes([number]) * 90) for number in range(3)]
    await settled()
    with pytest.raises(FileNotFound):
        desk.library.get(first.id, ME)
    assert len(desk.library.files(ME)) == 2
    assert desk.reader.num_dropped <= 1


async def test_a_file_expires_by_the_clock() -> None:
    desk = Desk()
    file, short = await desk.upload(), await desk.upload(keep_seconds=5)
    desk.now += 5
    assert desk.library.files(ME) == [file]
    with pytest.raises(FileNotFound):
        desk.library.get(short.id, ME)
    desk.now += 55
    assert desk.library.files(ME) == []


async def test_the_bytes_of_an_expired_file_are_let_go_without_anyone_asking() -> None:
    desk = Desk()
    desk.reader.gate = asyncio.Event()
    await desk.upload(keep_seconds=7)
    desk.now += 7
    assert desk.library.numbers["file_bytes_used"] > 0
    desk.reader.gate.set()
    await settled()
    assert desk.library.numbers["file_bytes_used"] == 0


@pytest.mark.parametrize("name", ["file", "sha256", "unknown"])
async def test_someone_elses_picture_is_as_unknown_as_none(name: str) -> None:
    desk = Desk()
    file = await desk.upload()
    named = {"file": file.id, "sha256": f"sha256:{file.media.sha256}", "unknown": "file-0"}[name]
    with pytest.raises(FileNotFound) as theirs:
        desk.library.find(PictureRef(url=named, param="messages[0].content[0].image_url.url"), OTHER)
    with pytest.raises(FileNotFound) as nobodys:
        desk.library.find(PictureRef(url="file-000000000000000000000000"), OTHER)
    assert theirs.value.message == nobodys.value.message
    assert theirs.value.param == "messages[0].content[0].image_url.url"
    with pytest.raises(FileNotFound):
        desk.library.delete(file.id, OTHER)
    assert desk.library.files(OTHER) == []


async def test_a_picture_is_found_by_its_id_and_by_its_hash() -> None:
    desk = Desk()
    file = await desk.upload(b"bytes")
    expected = hashlib.sha256(b"bytes").hexdigest()
    for url in (file.id, f"sha256:{expected}", f"sha256:{expected.upper()}"):
        assert desk.library.find(PictureRef(url=url), ME) is file.media
    assert desk.library.find(PictureRef(url="data:image/png;base64,AA"), ME) is None


async def test_reading_ahead_counts_once_as_used_whichever_way_the_chat_sends_the_picture() -> None:
    desk = Desk()
    ready = await desk.upload(b"ready")
    await settled()
    desk.reader.gate = asyncio.Event()
    late = await desk.upload(b"late")
    for media in (ready.media, ready.media, late.media, late.media):
        desk.library.asked_about(media, ME)
        desk.library.asked_about(media, OTHER)
    assert [word for word in desk.told if word in ("ready", "in_flight")] == ["ready", "in_flight"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"filename": ""}, "file.filename"),
        ({"filename": "a" * 256}, "file.filename"),
        ({"filename": "a\r\nb"}, "file.filename"),
        ({"keep_seconds": 61}, "expires_after[seconds]"),
        ({"keep_seconds": 0}, "expires_after[seconds]"),
        ({"content": b"bad"}, "file"),
        ({"content": bytes(101)}, "file"),
    ],
)
async def test_a_bad_upload_names_its_field_and_leaves_nothing(change: dict[str, Any], param: str) -> None:
    desk = Desk()
    with pytest.raises(RequestError) as caught:
        await desk.upload(**change)
    assert caught.value.param == param
    assert (desk.library.files(ME), desk.told, desk.reader.asked) == ([], [], [])
