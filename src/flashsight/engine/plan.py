"""What one step does, as frozen values: made by the scheduler, read by the runner. Decides and computes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flashsight.core.types import PictureInput
from flashsight.engine.sequence import BlockId, Sequence
from flashsight.engine.tally import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of the scheduler, as the memory plan settled them.

    step_tokens: tokens of one step. encode_patches: patches of one encoder batch (one picture always fits).
    max_sequences: sequences with blocks at once. max_waiting: longest queue. context_tokens: prompt and answer
    together. decode_slots: pictures being decoded or waiting for the encoder, which bounds pixels held in memory.
    draft_tokens: most tokens guessed ahead for one sequence.
    """

    step_tokens: int
    encode_patches: int
    max_sequences: int
    max_waiting: int
    context_tokens: int
    decode_slots: int
    draft_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Compute tokens [start, end) of a sequence, and sample what comes after them if `samples`.

    Its past is [0, start), whose keys and values are in sequence.blocks; the blocks for the new ones are there too.
    The last of its tokens may be `drafts`: guesses that are not part of the sequence yet. Then what comes after the
    last known token and after each guess is sampled, which tells how many of them hold.

    copied_from: where the chunk begins inside a block, another block that begins alike; it is copied into the
    sequence's own before anything of the step is computed.
    """

    sequence: Sequence
    start: int
    end: int
    samples: bool
    drafts: tuple[int, ...] = ()
    copied_from: BlockId | None = None

    @property
    def num_tokens(self) -> int:
        """New tokens."""
        return self.end - self.start

    @property
    def num_samples(self) -> int:
        """Rows that are sampled: the last so many tokens of the chunk."""
        return 1 + len(self.drafts) if self.samples else 0

    def ids(self) -> NDArray[np.int64]:
        """Token ids, guesses included, int64 [num_tokens]."""
        known = self.sequence.ids(self.start, self.end - len(self.drafts))
        return np.concatenate([known, np.asarray(self.drafts, np.int64)]) if self.drafts else known


@dataclass(frozen=True, slots=True)
class Encode:
    """Encode one picture. `pixels` is what `picture_decoded` was given."""

    picture: PictureInput
    pixels: object = field(repr=False)

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The pixels [height, width, 3] of a picture that was decoded, not recalled."""
        assert isinstance(self.pixels, np.ndarray), "a decoded picture is an array"
        return self.pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step: the chunks, decodes first, then the encoder batch. A plan with encodes has no prefill chunk.

    decode_requests are pictures whose pixels are wanted: start `load` for each on a thread, report with
    `picture_decoded` or `picture_failed`. num_decodes: the first so many chunks are decodes, those of one token first,
    then those with guesses.
    """

    chunks: tuple[Chunk, ...] = ()
    num_decodes: int = 0
    encodes: tuple[Encode, ...] = ()
    decode_requests: tuple[PictureInput, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Tokens of all chunks."""
        return sum(chunk.num_tokens for chunk in self.chunks)

    @property
    def num_patches(self) -> int:
        """Patches of the encoder batch."""
        return sum(encode.picture.grid.num_patches for encode in self.encodes)

    @property
    def is_empty(self) -> bool:
        """True when the device has nothing to do; decode_requests may still be there."""
        return not self.chunks and not self.encodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The scheduler and its caches at one moment.

    num_waiting and num_running leave prewarming out; blocks_cached are blocks that no sequence uses but the prefix
    cache can give again.
    """

    num_waiting: int
    num_running: int
    num_prewarming: int
    blocks_used: int
    blocks_cached: int
    blocks_total: int
    picture_bytes_used: int
    picture_bytes_total: int
    num_pictures_cached: int
    totals: Totals
