"""Pictures that a caller sends once and names afterwards: kept in memory, read ahead, forgotten in time. Knows no HTTP.

upload -> gate (header only) -> shelf -> one task a file: read ahead behind all answers, wait for the end, forget.

All of it runs on one event loop. A picture is read ahead under its owner's salt, so that a chat that opens with it
finds its encoding and its blocks; a chat that comes before the end shares the work.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from flashsight.core.errors import FileNotFound, FlashSightError, NotReady, Overloaded, PictureError, RequestError
from flashsight.core.telemetry import get_log
from flashsight.core.types import Caller, Media, PictureRef, PromptStats
from flashsight.service.backend import PictureReader, UploadGate
from flashsight.service.shelf import ENTRY_BYTES, Purpose, Shelf, StoredFile

LONGEST_FILENAME = 255

_NAMED = re.compile(r"(file-|sha256:)")
_log = get_log(__name__)


class LibraryObserver(Protocol):
    """Is told what happens to uploads. Must neither block nor raise."""

    def uploaded(self, num_bytes: int) -> None:
        """A file was taken in."""

    def prewarmed(self, outcome: str, stats: PromptStats | None) -> None:
        """Reading ahead has ended: `ok` with its stats, `skipped` for lack of room, `aborted`, or an error's code."""

    def prewarm_used(self, when: Literal["ready", "in_flight"]) -> None:
        """A chat asks about an uploaded picture for the first time: reading ahead was done, or is under way."""


class Library:
    """The files of all callers. Someone else's file is as unknown as one that never was."""

    def __init__(
        self,
        gate: UploadGate,
        reader: PictureReader,
        *,
        max_bytes: int,
        max_file_bytes: int,
        keep_seconds: float,
        observers: Sequence[LibraryObserver] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """max_bytes: of all files together; max_file_bytes: of one. keep_seconds: the longest that a file is kept.

        clock: seconds since 1970.
        """
        self.keep_seconds = keep_seconds
        self.max_file_bytes = min(max_file_bytes, max_bytes - ENTRY_BYTES)
        self.reader = reader
        self._gate = gate
        self._shelf = Shelf(max_bytes)
        self._observers = tuple(observers)
        self._clock = clock
        self._lives: dict[str, asyncio.Task[None]] = {}

    # --- in and out ------------------------------------------------------------------------------------------

    async def upload(
        self,
        content: bytes,
        *,
        filename: str,
        purpose: Purpose,
        caller: Caller,
        request_id: str,
        keep_seconds: float | None = None,
    ) -> StoredFile:
        """Take a picture in and begin to read it ahead; return at once.

        Raises PictureError for what is no picture or outside the limits, RequestError for a bad name or time.
        """
        keep_seconds = self._checked(filename, keep_seconds)
        if len(content) > self.max_file_bytes:
            raise PictureError(
                f"the file has {len(content)} bytes, the limit is {self.max_file_bytes}; scale it down or save it as "
                "JPEG",
                code="image_too_large",
                param="file",
            )
        media = await self._gate.admit_bytes(content, param="file")
        now = self._clock()
        file = StoredFile(
            id=f"file-{secrets.token_hex(12)}",
            filename=filename,
            purpose=purpose,
            media=media,
            owner=caller,
            created_at=now,
            expires_at=now + keep_seconds,
        )
        for gone in self._shelf.put(file):
            self._end(gone)
        self._lives[file.id] = asyncio.create_task(self._live(file, request_id))
        for observer in self._observers:
            observer.uploaded(len(content))
        return file

    def _checked(self, filename: str, keep_seconds: float | None) -> float:
        if not filename or len(filename) > LONGEST_FILENAME or not filename.isprintable():
            raise RequestError(
                f"the file's name must have 1 to {LONGEST_FILENAME} printable characters", param="file.filename"
            )
        if keep_seconds is None:
            return self.keep_seconds
        if not 1 <= keep_seconds <= self.keep_seconds:
            raise RequestError(
                f"expires_after[seconds] must lie between 1 and {self.keep_seconds:.0f}, this server's own limit",
                param="expires_after[seconds]",
            )
        return keep_seconds

    def files(self, caller: Caller) -> list[StoredFile]:
        """Return the caller's files, the newest first."""
        now = self._clock()
        living = [file for file in self._shelf.of(caller) if file.expires_at > now]
        return sorted(living, key=lambda file: (file.created_at, file.id), reverse=True)

    def get(self, file_id: str, caller: Caller, *, param: str = "file_id") -> StoredFile:
        """Return one file; raise FileNotFound naming `param` for an unknown, expired or someone else's id."""
        file = self._shelf.get(caller, file_id)
        if file is None or file.expires_at <= self._clock():
            raise _not_found(param)
        return file

    def delete(self, file_id: str, caller: Caller) -> None:
        """Forget a file; reading it ahead ends, if it is under way."""
        file = self.get(file_id, caller)
        self._shelf.remove(file)
        self._end(file)

    # --- pictures of chats -----------------------------------------------------------------------------------

    def find(self, ref: PictureRef, caller: Caller) -> Media | None:
        """Return the picture that `file-…` or `sha256:…` names, None for every other kind of reference.

        Raises FileNotFound naming the field for what the caller has not uploaded.
        """
        if not _NAMED.match(ref.url):
            return None
        if ref.url.startswith("file-"):
            file = self.get(ref.url, caller, param=ref.param)
        else:
            same = [file for file in self.files(caller) if file.media.sha256 == ref.url.removeprefix("sha256:").lower()]
            if not same:
                raise _not_found(ref.param)
            file = next((file for file in same if file.status == "processed"), same[0])
        return file.media

    def asked_about(self, media: Media, caller: Caller) -> None:
        """Note that a chat has this picture, however it was sent, to know how often reading ahead helped."""
        for file in self._shelf.of(caller):
            if file.media.sha256 == media.sha256 and not file.is_used:
                file.is_used = True
                if file.is_prewarmed or file.status == "uploaded":
                    for observer in self._observers:
                        observer.prewarm_used("ready" if file.is_prewarmed else "in_flight")
                return

    # --- the life of a file ----------------------------------------------------------------------------------

    async def _live(self, file: StoredFile, request_id: str) -> None:
        await self._read_ahead(file, request_id)
        await asyncio.sleep(max(0.0, file.expires_at - self._clock()))
        self._shelf.remove(file)
        del self._lives[file.id]

    async def _read_ahead(self, file: StoredFile, request_id: str) -> None:
        stats, outcome = None, "aborted"
        try:
            stats = await self.reader.prewarm(file.media, caller=file.owner, request_id=request_id)
            file.status, file.is_prewarmed, outcome = "processed", True, "ok"
        except (Overloaded, NotReady):
            file.status, file.details, outcome = "processed", "not read ahead: the server was busy", "skipped"
        except FlashSightError as error:
            file.status, file.details, outcome = "error", error.message, error.code
        except Exception:
            _log.exception("reading a picture ahead failed")
            file.status, file.details, outcome = "processed", "not read ahead: the server failed", "internal_error"
        finally:
            for observer in self._observers:
                observer.prewarmed(outcome, stats)

    def _end(self, file: StoredFile) -> None:
        task = self._lives.pop(file.id, None)
        if task is not None:
            task.cancel()

    @property
    def numbers(self) -> dict[str, int]:
        """Counts now, for metrics: files, and bytes used and allowed."""
        return {
            "num_files": len(self._shelf),
            "file_bytes_used": self._shelf.used_bytes,
            "file_bytes_total": self._shelf.max_bytes,
        }


def _not_found(param: str) -> FileNotFound:
    return FileNotFound(
        "there is no such file among yours: it was never uploaded with this key, has expired, was deleted or had to "
        "make room; upload it again",
        param=param,
    )
