"""Decides what prompts do in a step: pictures are encoded, or each goes on up to the budget, its end, or a picture that
is not there yet; the two take turns.

Before its first chunk a sequence takes over blocks that others have computed, and copies the beginning of one more; one
whose beginning is being computed in this very step waits for it. Touches no tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Line

from flashsight.engine.blocks import BlockPool
from flashsight.engine.feed import PictureFeed
from flashsight.engine.pictures import PictureCache, PictureState, Recalled
from flashsight.engine.plan import Chunk, Encode
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.sequence import Kind, Phase, Sequence
from flashsight.engine.tally import Tally
from flashsight.engine.turns import Turns

SHORTEST_CUT = 64
"""A pass over fewer tokens costs about as much as one over this many, since it reads all weights. So a head shorter
than this waits for the picture behind it, and a prefix this long that another sequence computes now is waited for."""

BESIDE_TOKENS = 416
"""So many tokens of prompts at most go into a step that decodes too, and a longer prompt in equal parts: decodes wait
less and ride along with more steps. So many tokens keep a GPU busy; what decodes beside them costs next to nothing."""


class Prefill:
    """Plans the chunks of prompts over the same books as the scheduler, which calls it once a step."""

    def __init__(
        self,
        pool: BlockPool,
        prefix: PrefixCache,
        pictures: PictureCache,
        feed: PictureFeed,
        turns: Turns,
        tally: Tally,
    ) -> None:
        self._pool = pool
        self._prefix = prefix
        self._pictures = pictures
        self._feed = feed
        self._turns = turns
        self._tally = tally
        self._has_just_encoded = False

    def step(
        self, line: Line[Sequence], step_tokens: int, num_decodes: int, under_way: Line[Chunk] = ()
    ) -> tuple[tuple[Encode, ...], list[Chunk]]:
        """Pictures to encode, or else chunks for the sequences of the line in its order, of a step that holds
        step_tokens, num_decodes of them taken. under_way: chunks of the step before, if they are not in the books yet;
        those whose prompts go on are entered now, for whatever is launched from here on comes behind them.
        """
        for chunk in under_way:
            if not chunk.samples and chunk.sequence.phase is Phase.PREFILL:
                chunk.sequence.num_computed = chunk.end
                self._feed.leave(chunk.sequence)
        budget = step_tokens - num_decodes
        if num_decodes:
            budget = min(budget, BESIDE_TOKENS)
        encodes = () if self._has_just_encoded else self._feed.encodes(line)
        chunks = [] if encodes else self._chunks(line, budget, under_way, in_parts=num_decodes > 0)
        self._turns.note(chunks)
        if self._has_just_encoded and not chunks:
            encodes = self._feed.encodes(line)
        self._note_encodes(encodes)
        return encodes, chunks

    def encodes(self, line: Line[Sequence]) -> tuple[Encode, ...]:
        """Pictures to encode for the sequences of the line, if it is their turn, in a step that only decodes so far."""
        if self._has_just_encoded:
            return ()
        encodes = self._feed.encodes(line)
        self._note_encodes(encodes)
        return encodes

    def _note_encodes(self, encodes: tuple[Encode, ...]) -> None:
        self._has_just_encoded = bool(encodes)
        self._tally.add("encoder_calls", not all(isinstance(encode.pixels, Recalled) for encode in encodes))

    def _chunks(self, line: Line[Sequence], budget: int, under_way: Line[Chunk], *, in_parts: bool) -> list[Chunk]:
        chunks: list[Chunk] = []
        in_flight: set[bytes] = set()
        for chunk in under_way:
            in_flight.update(self._full_digests(chunk.sequence, chunk.start, chunk.end))
        for sequence in line:
            if budget == 0:
                break
            self._adopt(sequence)
            if self._should_wait_for(in_flight, sequence):
                continue
            end = self._reach(sequence, min(budget, _part(sequence)) if in_parts else budget)
            sequence.phase = Phase.PREFILL if end > sequence.num_computed else Phase.PICTURES
            if end > sequence.num_computed:
                chunk = self._chunk(sequence, end)
                chunks.append(chunk)
                in_flight.update(self._full_digests(sequence, chunk.start, end))
                budget -= chunk.num_tokens
        return chunks

    def _chunk(self, sequence: Sequence, end: int) -> Chunk:
        copied_from = None
        if sequence.num_computed == sequence.num_cached and (beginning := self._prefix.beginning(sequence)):
            block, count = beginning
            if sequence.num_computed + count < end:
                copied_from = block
                sequence.num_cached = sequence.num_computed = sequence.num_computed + count
        self._note_first_chunk(sequence)
        samples = end == len(sequence) and sequence.kind is Kind.ANSWER
        return Chunk(sequence, sequence.num_computed, end, samples, copied_from=copied_from)

    def _note_first_chunk(self, sequence: Sequence) -> None:
        if not sequence.has_started:
            sequence.has_started = True
            sequence.num_prompt_cached = sequence.num_cached
            self._tally.record_prefix(sequence)

    def _reach(self, sequence: Sequence, budget: int) -> int:
        """How far the next chunk goes: to the budget, the end, or the first picture whose features are not there."""
        start = sequence.num_computed
        end = min(len(sequence), start + budget)
        for index, picture in enumerate(sequence.pending_pictures()):
            if picture.start >= end:
                break
            if self._pictures.state(picture.key) is not PictureState.ENCODED:
                # Behind a picture that is there nothing is held back: it may sit in the room that this one needs.
                cut = max(start, picture.start)
                return cut if index > 0 or cut - start >= SHORTEST_CUT else start
        return end

    def _adopt(self, sequence: Sequence) -> None:
        """Before its first chunk, take over blocks that others have computed since it was admitted."""
        if sequence.num_computed > sequence.num_cached:
            return
        size = self._pool.block_size
        found = self._prefix.find(sequence)
        first = sequence.num_cached // size
        if len(found) <= first:
            return
        self._pool.share(found[first:])
        self._pool.release(sequence.blocks[first : len(found)])
        sequence.blocks[first : len(found)] = found[first:]
        sequence.num_registered = len(found)
        sequence.num_cached = sequence.num_computed = len(found) * size
        self._feed.leave(sequence)

    def _should_wait_for(self, in_flight: set[bytes], sequence: Sequence) -> bool:
        """True if this very step, or one under way, computes a long enough piece of what the sequence needs next."""
        if not in_flight or sequence.num_computed > sequence.num_cached:
            return False
        num_shared = 0
        for digest in self._full_digests(sequence, sequence.num_computed, len(sequence) - 1):
            if digest not in in_flight or num_shared >= SHORTEST_CUT:
                break
            num_shared += self._pool.block_size
        return num_shared >= SHORTEST_CUT

    def _full_digests(self, sequence: Sequence, start: int, end: int) -> Iterator[bytes]:
        if self._prefix.enabled:
            for index in range(start // self._pool.block_size, end // self._pool.block_size):
                yield self._prefix.digest(sequence, index)


def _part(sequence: Sequence) -> int:
    """Tokens of the next of the fewest equal parts of what is left, none longer than BESIDE_TOKENS."""
    num_left = len(sequence) - sequence.num_computed
    return -(-num_left // -(-num_left // BESIDE_TOKENS))
