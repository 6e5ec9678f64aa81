"""Which full blocks hold which tokens after which prefix. Knows hashes and block ids, never the keys and values.

The hash of a block covers its parent's hash, its token ids and, for the parts of pictures in it, the picture's key and
the place inside the picture. The chain opens with the caller's salt, so equal prompts of two salts share nothing. Where
a prompt leaves the chain inside a block of text, that block's beginning can be copied: of a question asked again only
the last token is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from flashsight.engine.blocks import BlockPool
from flashsight.engine.plan import Chunk
from flashsight.engine.sequence import BlockId, Sequence

_BLOCK = blake2b(digest_size=32, person=b"block")
MOST_SIBLINGS = 16
"""Blocks behind one and the same prefix that are looked at for a beginning to copy: the newest."""


class PrefixCache:
    """Finds computed blocks again. Switched off it finds and keeps nothing."""

    def __init__(self, pool: BlockPool, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._pool = pool
        self._block_of: dict[bytes, BlockId] = {}
        self._digest_of: dict[BlockId, bytes] = {}
        self._texts: dict[bytes, dict[BlockId, NDArray[np.int64]]] = {}
        """Token ids of blocks of text by the digest before them."""
        self._before: dict[BlockId, bytes] = {}
        pool.on_forget = self._forget

    def __len__(self) -> int:
        return len(self._block_of)

    def find(self, sequence: Sequence) -> list[BlockId]:
        """Blocks that hold the start of the sequence; its last token is never among them, so it can be sampled from.

        Takes no reference: share the blocks before anything else is allocated.
        """
        if not self.enabled:
            return []
        found: list[BlockId] = []
        digests = sequence.digests
        for index in range((len(sequence) - 1) // self._pool.block_size):
            block = self._block_of.get(digests[index] if index < len(digests) else self.digest(sequence, index))
            if block is None:
                break
            found.append(block)
        return found

    def register(self, sequence: Sequence) -> None:
        """Offer the sequence's computed full blocks. Of two blocks with equal content the first stays on offer."""
        if not self.enabled:
            return
        num_full = sequence.num_computed // self._pool.block_size
        for index in range(sequence.num_registered, num_full):
            block, digest = sequence.blocks[index], self.digest(sequence, index)
            if digest not in self._block_of:
                self._block_of[digest] = block
                self._digest_of[block] = digest
                self._pool.keep(block)
                self._offer_text(sequence, index)
        sequence.num_registered = max(sequence.num_registered, num_full)

    def beginning(self, sequence: Sequence) -> tuple[BlockId, int] | None:
        """A block that begins with what the sequence computes next, and how many of its tokens are the same; None if no
        block does. Asked before the first chunk, when whole blocks have been found; the last token is never among them.
        """
        size = self._pool.block_size
        start = sequence.num_computed
        end = min(start + size, len(sequence) - 1)
        for picture in sequence.prompt.pictures:
            if picture.start + picture.num_tokens > start:
                end = min(end, picture.start)
        if not self.enabled or end <= start:
            return None
        wanted = sequence.ids(start, end)
        best: tuple[BlockId, int] | None = None
        texts = self._texts.get(self._digest_before(sequence, start // size), {})
        for block in reversed(texts):
            differs = np.flatnonzero(texts[block][: len(wanted)] != wanted)
            count = int(differs[0]) if len(differs) else len(wanted)
            if count > (best[1] if best else 0):
                best = (block, count)
            if count == len(wanted):
                break
        return best

    def prepare(self, chunks: Iterable[Chunk]) -> None:
        """Hash the blocks that chunks of prompts are about to fill, while the device fills them: `register` finds them
        then, and the token that they lead to is published the sooner."""
        if self.enabled:
            for chunk in chunks:
                if num_full := chunk.end // self._pool.block_size:
                    self.digest(chunk.sequence, num_full - 1)

    def digest(self, sequence: Sequence, index: int) -> bytes:
        """Hash of the sequence's full block `index`; made once, as the tokens before its end never change."""
        if len(sequence.digests) <= index:
            self._hash_up_to(sequence, index + 1)
        return sequence.digests[index]

    def _hash_up_to(self, sequence: Sequence, num_blocks: int) -> None:
        """Hash all blocks that are not yet in one go: a first token waits for it."""
        size, digests = self._pool.block_size, sequence.digests
        opened, before = len(digests) * size, self._digest_before(sequence, len(digests))
        assert num_blocks * size <= len(sequence)
        ids = sequence.ids(opened, num_blocks * size).astype("<i8", copy=False).tobytes()
        pictures = [(p.start, p.start + p.num_tokens, p.key.encode()) for p in sequence.prompt.pictures]
        for start in range(opened, num_blocks * size, size):
            end, at = start + size, 8 * (start - opened)
            content = _BLOCK.copy()
            content.update(before + ids[at : at + 8 * size])
            for begins, ends, key in pictures:
                if begins < end and start < ends:
                    first, last = max(start, begins), min(end, ends)
                    content.update(b"|%d+%d@%d:%b" % (first - start, last - first, first - begins, key))
            before = content.digest()
            digests.append(before)

    @staticmethod
    def _digest_before(sequence: Sequence, index: int) -> bytes:
        return sequence.digests[index - 1] if index else blake2b(sequence.salt, digest_size=32, person=b"salt").digest()

    def _offer_text(self, sequence: Sequence, index: int) -> None:
        """Let the beginning of a block be copied, if it holds no part of a picture."""
        start, end = index * self._pool.block_size, (index + 1) * self._pool.block_size
        if sequence.picture_slices(start, end):
            return
        block, before = sequence.blocks[index], self._digest_before(sequence, index)
        texts = self._texts.setdefault(before, {})
        texts[block], self._before[block] = np.array(sequence.ids(start, end)), before
        if len(texts) > MOST_SIBLINGS:
            self._forget_text(next(iter(texts)))

    def _forget_text(self, block: BlockId) -> None:
        before = self._before.pop(block, None)
        if before is not None:
            texts = self._texts[before]
            del texts[block]
            if not texts:
                del self._texts[before]

    def _forget(self, block: BlockId) -> None:
        del self._block_of[self._digest_of.pop(block)]
        self._forget_text(block)

    def check(self) -> None:
        """Assert that both directions agree."""
        assert len(self._block_of) == len(self._digest_of)
        assert all(self._block_of[digest] == block for block, digest in self._digest_of.items())
        assert {block for texts in self._texts.values() for block in texts} == set(self._before)
        assert self._before.keys() <= self._digest_of.keys()
        assert all(self._texts.values()), "an empty row is left"
