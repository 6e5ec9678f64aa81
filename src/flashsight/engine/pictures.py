"""Encoder output per picture: found again, made once, bounded in bytes. Never looks into pixels or features.

    MISSING ──start_decoding──> DECODING ──decoded──> DECODED ──reserve──> ENCODING ──encoded──> ENCODED
       ^                           │                                          │                     │
       └──────── room needed ──────┼──────────────────────────────────────────┼─────────────────────┘
                                 failed ──> forgotten, and everyone who wants it fails with the error

One entry per key, so two sequences with the same picture share one decoding and one encoding (single flight).
An entry is wanted by the sequences that still have tokens of it to prefill. When the last of them leaves, unfinished
work is dropped and finished features stay as cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum

from flashsight.core.config import MIB
from flashsight.core.errors import PictureError
from flashsight.core.types import CacheLevel, PictureInput, PictureKey
from flashsight.engine.sequence import SequenceId


class PictureState(Enum):
    """How far a picture is. Every key that the cache does not know is MISSING."""

    MISSING = "missing"
    DECODING = "decoding"
    DECODED = "decoded"
    ENCODING = "encoding"
    ENCODED = "encoded"


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """Features that a tier below had kept; they stand in for pixels, and need no encoder."""

    features: object
    level: CacheLevel


@dataclass(slots=True, eq=False)
class _Entry:
    picture: PictureInput
    num_bytes: int
    state: PictureState = PictureState.MISSING
    wanted_by: dict[SequenceId, None] = field(default_factory=dict)
    pixels: object = None
    features: object = None


_HOLDS_ROOM = (PictureState.ENCODING, PictureState.ENCODED)
_HOLDS_SLOT = (PictureState.DECODING, PictureState.DECODED)


class PictureCache:
    """Features of the pictures, least recently used first to go; those still wanted go only for a picture at the front.

    capacity_bytes bounds the features on the device; bytes_per_token is what one merged picture token takes.
    Room is reserved before the encoder runs, so the bound holds at every moment.
    """

    def __init__(self, capacity_bytes: int, *, bytes_per_token: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.bytes_per_token = bytes_per_token
        self.used_bytes = 0
        self.on_evict: Callable[[PictureKey, object], None] | None = None
        """Called with features just before they are dropped to make room."""
        self._entries: OrderedDict[PictureKey, _Entry] = OrderedDict()

    def refuse_if_too_large(self, picture: PictureInput) -> None:
        """Raise PictureError if the picture could never be held."""
        num_bytes = picture.num_tokens * self.bytes_per_token
        if num_bytes > self.capacity_bytes:
            raise PictureError(
                f"a picture of {picture.num_tokens} tokens needs {num_bytes / MIB:.1f} MiB of picture cache, which has "
                f"{self.capacity_bytes / MIB:.1f} MiB; send a smaller picture or raise picture_cache_bytes",
                code="image_too_large",
                param=picture.param,
            )

    # --- who wants what --------------------------------------------------------------------------------------

    def state(self, key: PictureKey) -> PictureState:
        """How far the picture is."""
        entry = self._entries.get(key)
        return entry.state if entry else PictureState.MISSING

    def want(self, sequence_id: SequenceId, picture: PictureInput) -> PictureState:
        """Note that a sequence needs the picture, and say how far it is."""
        entry = self._entries.get(picture.key)
        if entry is None:
            entry = self._entries[picture.key] = _Entry(picture, picture.num_tokens * self.bytes_per_token)
        entry.wanted_by[sequence_id] = None
        self._entries.move_to_end(picture.key)
        return entry.state

    def leave(self, sequence_id: SequenceId, key: PictureKey) -> None:
        """The sequence needs the picture no more. The last one to leave drops unfinished work."""
        entry = self._entries[key]
        del entry.wanted_by[sequence_id]
        if not entry.wanted_by and entry.state not in _HOLDS_ROOM:
            del self._entries[key]

    def wanted_by(self, key: PictureKey) -> tuple[SequenceId, ...]:
        """The sequences that need the picture, in the order in which they asked."""
        entry = self._entries.get(key)
        return tuple(entry.wanted_by) if entry else ()

    # --- the work --------------------------------------------------------------------------------------------

    @property
    def num_slots_used(self) -> int:
        """Pictures being decoded or waiting for the encoder."""
        return sum(entry.state in _HOLDS_SLOT for entry in self._entries.values())

    @property
    def num_encoded(self) -> int:
        """Pictures whose features are there."""
        return sum(entry.state is PictureState.ENCODED for entry in self._entries.values())

    def start_decoding(self, key: PictureKey) -> PictureInput:
        """MISSING -> DECODING."""
        entry = self._entries[key]
        assert entry.state is PictureState.MISSING
        entry.state = PictureState.DECODING
        return entry.picture

    def decoded(self, key: PictureKey, pixels: object) -> bool:
        """DECODING -> DECODED. False if nobody waits for these pixels any more; they are not kept then."""
        entry = self._entries.get(key)
        if entry is None or entry.state is not PictureState.DECODING:
            return False
        entry.state, entry.pixels = PictureState.DECODED, pixels
        return True

    def reserve(self, key: PictureKey, protected: Collection[PictureKey] | None = None) -> bool:
        """DECODED -> ENCODING if there is room, or room can be made; else False and nothing has changed.

        Features that no sequence wants go first. Given `protected`, wanted ones that are not among them may go too:
        they are made again when their turn comes.
        """
        entry = self._entries[key]
        assert entry.state is PictureState.DECODED
        missing_bytes = self.used_bytes + entry.num_bytes - self.capacity_bytes
        victims = []
        for victim in self._victims(protected):
            if missing_bytes <= 0:
                break
            victims.append(victim)
            missing_bytes -= victim.num_bytes
        if missing_bytes > 0:
            return False
        for victim in victims:
            self._evict(victim)
        entry.state = PictureState.ENCODING
        self.used_bytes += entry.num_bytes
        return True

    def _victims(self, protected: Collection[PictureKey] | None) -> list[_Entry]:
        encoded = [entry for entry in self._entries.values() if entry.state is PictureState.ENCODED]
        victims = [entry for entry in encoded if not entry.wanted_by]
        if protected is not None:
            victims += [entry for entry in encoded if entry.wanted_by and entry.picture.key not in protected]
        return victims

    def _evict(self, entry: _Entry) -> None:
        if self.on_evict is not None:
            self.on_evict(entry.picture.key, entry.features)
        self.used_bytes -= entry.num_bytes
        entry.state, entry.features = PictureState.MISSING, None
        if not entry.wanted_by:
            del self._entries[entry.picture.key]

    def pixels(self, key: PictureKey) -> object:
        """What `decoded` was given, of a picture that waits for the encoder."""
        entry = self._entries[key]
        assert entry.state in (PictureState.DECODED, PictureState.ENCODING)
        return entry.pixels

    def encoded(self, key: PictureKey, features: object) -> None:
        """ENCODING -> ENCODED. `features` must own their memory: a view would keep the whole batch alive."""
        entry = self._entries[key]
        assert entry.state is PictureState.ENCODING
        entry.state, entry.pixels, entry.features = PictureState.ENCODED, None, features
        self._entries.move_to_end(key)

    def features(self, key: PictureKey) -> object:
        """What `encoded` was given. The picture becomes the most recently used."""
        entry = self._entries[key]
        assert entry.state is PictureState.ENCODED
        self._entries.move_to_end(key)
        return entry.features

    def failed(self, key: PictureKey) -> tuple[SequenceId, ...]:
        """Forget a picture that could not be decoded or encoded; return who wanted it. Empty if nobody does."""
        entry = self._entries.get(key)
        if entry is None or entry.state is PictureState.ENCODED:
            return ()
        wanted_by = tuple(entry.wanted_by)
        if entry.state is PictureState.ENCODING:
            self.used_bytes -= entry.num_bytes
        entry.state, entry.pixels = PictureState.MISSING, None
        if not wanted_by:
            del self._entries[key]
        return wanted_by

    def check(self) -> None:
        """Assert that the bytes add up and that nothing is kept without a reason."""
        entries = self._entries.values()
        assert self.used_bytes == sum(entry.num_bytes for entry in entries if entry.state in _HOLDS_ROOM)
        assert self.used_bytes <= self.capacity_bytes, "the picture cache is over its bound"
        for entry in entries:
            assert entry.wanted_by or entry.state in _HOLDS_ROOM, "work that nobody wants is kept"
            assert (entry.pixels is None) or entry.state in (PictureState.DECODED, PictureState.ENCODING)
            assert (entry.features is None) or entry.state is PictureState.ENCODED
