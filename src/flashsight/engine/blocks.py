"""Who holds which KV block. Counts references; knows neither sequences nor what a block contains.

A block is free (never given out, or forgotten), used (referenced), or reusable (referenced by nobody, content kept).
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

from flashsight.engine.sequence import BlockId


class BlockPool:
    """A fixed number of blocks. Reusable ones are given out last, the longest unused first."""

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self.on_forget: Callable[[BlockId], None] | None = None
        """Called with a kept block just before its content is given away."""
        self._num_refs = [0] * num_blocks
        self._kept: set[BlockId] = set()
        self._free: deque[BlockId] = deque(BlockId(i) for i in range(num_blocks))
        self._reusable: OrderedDict[BlockId, None] = OrderedDict()

    @property
    def num_available(self) -> int:
        """Blocks that `allocate` can give now."""
        return len(self._free) + len(self._reusable)

    @property
    def num_used(self) -> int:
        """Blocks that somebody references."""
        return self.num_blocks - self.num_available

    @property
    def num_reusable(self) -> int:
        """Blocks that nobody references but whose content is kept."""
        return len(self._reusable)

    def num_blocks_for(self, num_tokens: int) -> int:
        """Blocks that hold so many tokens."""
        return -(-num_tokens // self.block_size)

    def is_used(self, block: BlockId) -> bool:
        """True while somebody references the block."""
        return self._num_refs[block] > 0

    def allocate(self, count: int) -> list[BlockId]:
        """Give `count` blocks with one reference each; the caller has seen num_available."""
        assert 0 <= count <= self.num_available
        return [self._take() for _ in range(count)]

    def _take(self) -> BlockId:
        if self._free:
            block = self._free.popleft()
        else:
            block, _ = self._reusable.popitem(last=False)
            self._kept.discard(block)
            if self.on_forget is not None:
                self.on_forget(block)
        self._num_refs[block] = 1
        return block

    def share(self, blocks: Iterable[BlockId]) -> None:
        """Add a reference to each; a reusable block becomes used again."""
        for block in blocks:
            assert self._num_refs[block] > 0 or block in self._reusable
            self._reusable.pop(block, None)
            self._num_refs[block] += 1

    def keep(self, block: BlockId) -> None:
        """Make the content of a used block outlive its references, until the room is needed."""
        assert self._num_refs[block] > 0
        self._kept.add(block)

    def release(self, blocks: Sequence[BlockId]) -> None:
        """Drop one reference of each. The end of a table is forgotten before its start, as prefixes are worth more."""
        for block in reversed(blocks):
            assert self._num_refs[block] > 0
            self._num_refs[block] -= 1
            if self._num_refs[block] == 0:
                if block in self._kept:
                    self._reusable[block] = None
                else:
                    self._free.append(block)

    def check(self, tables: Iterable[Sequence[BlockId]]) -> None:
        """Assert that the books balance, given the block tables of everyone who holds references."""
        held = Counter(block for table in tables for block in table)
        assert all(self._num_refs[i] == held[BlockId(i)] for i in range(self.num_blocks)), "references do not balance"
        free, reusable = set(self._free), set(self._reusable)
        assert len(free) == len(self._free), "a block is free twice"
        assert not free & reusable
        assert not (free | reusable) & set(held), "a used block is on offer"
        assert len(free) + len(reusable) + len(held) == self.num_blocks, "a block leaked"
        assert reusable <= self._kept <= reusable | set(held)
