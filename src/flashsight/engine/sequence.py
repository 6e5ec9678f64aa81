"""One prompt on its way through the engine. Holds counts and ids; decides nothing and touches no tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Literal, NewType

import numpy as np
from numpy.typing import NDArray

from flashsight.core.errors import FlashSightError
from flashsight.core.types import CacheLevel, ModelInput, PictureInput, PictureKey, Salt, TokenSampling
from flashsight.engine.drafts import Drafter

LEVELS: tuple[CacheLevel, ...] = ("none", "disk", "host", "device")
"""From the worst to the best."""

SequenceId = NewType("SequenceId", int)
BlockId = NewType("BlockId", int)


class Phase(Enum):
    """Where a sequence is. A preempted one goes back to WAITING with the tokens it has generated."""

    WAITING = "waiting"
    """In the queue, or preempted: owns no block."""
    PICTURES = "pictures"
    """Owns its blocks; its next token belongs to, or comes just before, a picture whose features are not there yet."""
    PREFILL = "prefill"
    DECODE = "decode"
    FINISHED = "finished"
    """Ended, failed or aborted: owns nothing."""


class Kind(IntEnum):
    """What a sequence is for; a smaller value goes first."""

    ANSWER = 0
    PREWARM = 1
    """Fills the caches with its prompt, samples nothing, and gives way to every answer."""


@dataclass(frozen=True, slots=True)
class PictureSlice:
    """Tokens [start, end) of a sequence that are rows [offset, offset + end - start) of a picture's features."""

    picture: PictureInput
    start: int
    end: int

    @property
    def offset(self) -> int:
        """First row of the features."""
        return self.start - self.picture.start


@dataclass(slots=True, kw_only=True, eq=False)
class Sequence:
    """A prompt, what was generated after it, and how much of both has keys and values.

    [0, num_cached) came from the prefix cache · [num_cached, num_computed) computed here · [num_computed, len) to do.

    Token i lives in slot i % block_size of block blocks[i // block_size]. The maker sets the first five fields; the
    scheduler keeps the rest. `finish` stays None for an aborted, a failed and a prewarming sequence.
    """

    id: SequenceId
    prompt: ModelInput
    sampling: TokenSampling
    salt: Salt
    kind: Kind = Kind.ANSWER

    generated: list[int] = field(default_factory=list)
    phase: Phase = Phase.WAITING
    finish: Literal["stop", "length"] | None = None
    error: FlashSightError | None = None
    """Why it failed: a picture of it could not be read."""

    number: int = 0
    """Order of arrival."""
    max_length: int = 0
    """Longest that prompt and answer together may become, in tokens."""
    blocks: list[BlockId] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    """Hashes of the full blocks so far, made by the prefix cache."""
    num_registered: int = 0
    """Blocks that were offered to, or came from, the prefix cache."""
    wanted: set[PictureKey] = field(default_factory=set)
    """Pictures that this sequence holds in the picture cache."""
    num_cached: int = 0
    num_computed: int = 0
    num_prompt_cached: int = 0
    """Tokens that the prefix cache gave before the very first chunk, for usage."""
    has_started: bool = False
    """Its very first chunk has been planned."""
    num_preempted: int = 0
    drafter: Drafter | None = None
    """Guesses its next tokens, where that is allowed."""
    levels: dict[PictureKey, CacheLevel] = field(default_factory=dict)
    """Where the pictures that no block held were found, first at the first admission."""
    arrived_at: float = 0.0
    admitted_at: float | None = None
    """When it first got room; the scheduler's clock, seconds."""

    def __len__(self) -> int:
        return len(self.prompt.ids) + len(self.generated)

    @property
    def num_prompt(self) -> int:
        """Tokens of the prompt."""
        return len(self.prompt.ids)

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller goes first: answers before prewarming, then by arrival."""
        return (self.kind, self.number)

    @property
    def picture_level(self) -> CacheLevel:
        """Worst level at which its pictures were found; none without pictures."""
        if not self.prompt.pictures:
            return "none"
        return min(self.levels.values(), key=LEVELS.index, default="device")

    def take(self, token: int, *, is_complete: bool) -> None:
        """Append a token and see whether it ends the answer. A stop id is not appended."""
        if token in self.sampling.stop_ids:
            self.finish = "stop"
            return
        self.generated.append(token)
        if is_complete:
            self.finish = "stop"
        elif len(self) >= self.max_length:
            self.finish = "length"

    def ids(self, start: int, end: int) -> NDArray[np.int64]:
        """Token ids [start, end), int64 [end - start]."""
        edge = self.num_prompt
        if end <= edge:
            return self.prompt.ids[start:end]
        tail = np.asarray(self.generated[max(start - edge, 0) : end - edge], dtype=np.int64)
        return tail if start >= edge else np.concatenate([self.prompt.ids[start:], tail])

    def positions(self, start: int, end: int) -> NDArray[np.int64]:
        """M-RoPE positions of tokens [start, end), int64 [3, end - start]."""
        edge = self.num_prompt
        if end <= edge:
            return self.prompt.positions[:, start:end]
        tail = np.arange(max(start, edge), end, dtype=np.int64) + self.prompt.delta
        tail_3T = np.broadcast_to(tail, (3, len(tail)))
        return tail_3T if start >= edge else np.concatenate([self.prompt.positions[:, start:], tail_3T], axis=1)

    def picture_slices(self, start: int, end: int) -> list[PictureSlice]:
        """The parts of pictures that lie in tokens [start, end), in order."""
        slices = []
        for picture in self.prompt.pictures:
            first, last = max(start, picture.start), min(end, picture.start + picture.num_tokens)
            if first < last:
                slices.append(PictureSlice(picture, first, last))
        return slices

    def pending_pictures(self) -> list[PictureInput]:
        """Pictures with tokens still to do, in order; the first one is the sequence's front."""
        return [p for p in self.prompt.pictures if p.start + p.num_tokens > self.num_computed]

    def check(self, block_size: int) -> None:
        """Assert that a sequence which has not ended holds what its phase says."""
        if self.phase is Phase.WAITING:
            assert not self.blocks
            assert not self.wanted
        else:
            assert self.phase is not Phase.FINISHED
            assert self.num_cached <= self.num_computed < len(self) <= self.max_length
            assert self.num_computed <= len(self.blocks) * block_size
            assert self.wanted == {picture.key for picture in self.pending_pictures()}
