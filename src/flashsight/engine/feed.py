"""Decides which pictures are decoded and encoded next, in the order in which sequences will need them.

The first picture that a sequence has still to prefill is its front: it cannot go on without it. Fronts come before what
lies behind them, the oldest sequence's first. Features that somebody wants give way only to a front, and then not those
of another front; those that an answer wants never give way to prewarming. So the oldest always goes on, however small
the cache.
"""

from __future__ import annotations

from collections.abc import Sequence as Line

from flashsight.core.types import PictureInput, PictureKey
from flashsight.engine.pictures import PictureCache, PictureState
from flashsight.engine.plan import Encode, Limits
from flashsight.engine.sequence import Kind, Sequence


class PictureFeed:
    """Keeps the picture cache's account of who wants what, and plans its work.

    `running`: the sequences that still read, in the order in which they may.
    """

    def __init__(self, limits: Limits, pictures: PictureCache) -> None:
        self._limits = limits
        self._pictures = pictures

    def enter(self, sequence: Sequence) -> list[PictureState]:
        """Want every picture that is still to prefill; say how far each is."""
        pending = sequence.pending_pictures()
        sequence.wanted = {picture.key for picture in pending}
        return [self._pictures.want(sequence.id, picture) for picture in pending]

    def leave(self, sequence: Sequence) -> None:
        """Leave the pictures whose tokens are all computed."""
        if sequence.wanted:
            pending = {picture.key for picture in sequence.pending_pictures()}
            for key in sequence.wanted - pending:
                self._pictures.leave(sequence.id, key)
            sequence.wanted = pending

    def leave_all(self, sequence: Sequence) -> None:
        """Leave every picture."""
        for key in sequence.wanted:
            self._pictures.leave(sequence.id, key)
        sequence.wanted = set()

    def encodes(self, running: Line[Sequence]) -> tuple[Encode, ...]:
        """Pictures for one encoder batch, with room reserved for each.

        A front that finds no room is not overtaken: what holds the room is about to be prefilled.
        """
        protected = _protected_from(running)
        encodes: list[Encode] = []
        num_patches = 0
        for picture in _in_order(running):
            if self._pictures.state(picture.key) is not PictureState.DECODED:
                continue
            num_patches += picture.grid.num_patches
            if encodes and num_patches > self._limits.encode_patches:
                break
            if not self._pictures.reserve(picture.key, protected.get(picture.key)):
                break
            encodes.append(Encode(picture, self._pictures.pixels(picture.key)))
        return tuple(encodes)

    def decode_requests(self, running: Line[Sequence]) -> tuple[PictureInput, ...]:
        """Pictures to decode next. The first in order never waits for a slot."""
        num_free = self._limits.decode_slots - self._pictures.num_slots_used
        requests: list[PictureInput] = []
        for index, picture in enumerate(_in_order(running)):
            is_missing = self._pictures.state(picture.key) is PictureState.MISSING
            if is_missing and (num_free > len(requests) or index == 0):
                requests.append(self._pictures.start_decoding(picture.key))
        return tuple(requests)


def _protected_from(running: Line[Sequence]) -> dict[PictureKey, set[PictureKey]]:
    """For each front, the pictures whose features must not be thrown out for it."""
    answers = [sequence for sequence in running if sequence.wanted and sequence.kind is Kind.ANSWER]
    prewarms = [sequence for sequence in running if sequence.wanted and sequence.kind is Kind.PREWARM]
    answer_fronts = {sequence.pending_pictures()[0].key for sequence in answers}
    prewarm_fronts = {sequence.pending_pictures()[0].key for sequence in prewarms}
    wanted_by_answers = {key for sequence in answers for key in sequence.wanted}
    return dict.fromkeys(prewarm_fronts, prewarm_fronts | wanted_by_answers) | dict.fromkeys(
        answer_fronts, answer_fronts
    )


def _in_order(running: Line[Sequence]) -> list[PictureInput]:
    """Pictures still to prefill, each key once: the front of every answer, what lies behind; then prewarming alike."""
    by_key: dict[PictureKey, PictureInput] = {}
    for kind in Kind:
        pending = [sequence.pending_pictures() for sequence in running if sequence.wanted and sequence.kind is kind]
        fronts = [pictures[0] for pictures in pending]
        behind = [picture for pictures in pending for picture in pictures[1:]]
        for picture in fronts + behind:
            by_key.setdefault(picture.key, picture)
    return list(by_key.values())
