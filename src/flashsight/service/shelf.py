"""Uploaded files in memory, each seen by its owner only, bounded in bytes. Knows no event loop, no HTTP and no clock.

When the shelf is full, whoever holds the most bytes loses the file that was not used for the longest time: so nobody
can push out the files of others by uploading more than they do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flashsight.core.types import Caller, Media

Purpose = Literal["vision", "user_data"]
FileStatus = Literal["uploaded", "processed", "error"]

ENTRY_BYTES = 16384
"""What a file takes beside its bytes, rounded up, so that very many tiny files count as well."""


@dataclass(slots=True, kw_only=True, eq=False)
class StoredFile:
    """A picture that a caller uploaded. Times in seconds since 1970.

    status: `uploaded` until it has been read ahead, `processed` when it may be asked about, `error` when it can't be;
    `details` says why, or why it was not read ahead.
    """

    id: str
    filename: str
    purpose: Purpose
    media: Media
    owner: Caller
    created_at: float
    expires_at: float
    status: FileStatus = "uploaded"
    details: str | None = None
    is_prewarmed: bool = False
    is_used: bool = False
    """A chat has asked about it."""

    @property
    def num_bytes(self) -> int:
        """Bytes that it takes of the shelf."""
        return len(self.media.content) + ENTRY_BYTES


class Shelf:
    """Files by owner and id, the least recently used of each owner first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._files: dict[bytes, OrderedDict[str, StoredFile]] = {}
        self._bytes: dict[bytes, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._files.values()))

    def put(self, file: StoredFile) -> list[StoredFile]:
        """Keep a file that is no larger than the shelf; return those that had to go for it."""
        assert file.num_bytes <= self.max_bytes
        gone = []
        while self.used_bytes + file.num_bytes > self.max_bytes:
            gone.append(self._victim(file))
            self.remove(gone[-1])
        salt = file.owner.salt
        self._files.setdefault(salt, OrderedDict())[file.id] = file
        self._bytes[salt] = self._bytes.get(salt, 0) + file.num_bytes
        self.used_bytes += file.num_bytes
        return gone

    def _victim(self, newcomer: StoredFile) -> StoredFile:
        def held_by(salt: bytes) -> int:
            return self._bytes[salt] + (newcomer.num_bytes if salt == newcomer.owner.salt else 0)

        return next(iter(self._files[max(self._files, key=held_by)].values()))

    def get(self, owner: Caller, file_id: str) -> StoredFile | None:
        """Return the owner's file; it becomes the most recently used."""
        files = self._files.get(owner.salt, OrderedDict())
        file = files.get(file_id)
        if file is not None:
            files.move_to_end(file_id)
        return file

    def of(self, owner: Caller) -> Iterator[StoredFile]:
        """Yield the owner's files."""
        yield from self._files.get(owner.salt, {}).values()

    def remove(self, file: StoredFile) -> None:
        """Forget a file, if it is here."""
        salt = file.owner.salt
        files = self._files.get(salt, OrderedDict())
        if files.pop(file.id, None) is None:
            return
        self.used_bytes -= file.num_bytes
        self._bytes[salt] -= file.num_bytes
        if not files:
            del self._files[salt], self._bytes[salt]

    def check(self) -> None:
        """Assert that the bytes add up and stay within the bound."""
        held = {salt: sum(file.num_bytes for file in files.values()) for salt, files in self._files.items()}
        assert held == self._bytes
        assert sum(held.values()) == self.used_bytes <= self.max_bytes
        assert all(file.owner.salt == salt for salt, files in self._files.items() for file in files.values())
