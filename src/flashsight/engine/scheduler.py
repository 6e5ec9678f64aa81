"""Decides what runs next: reads sequences, returns a plan. Touches no tensor, no text and no thread.

A step is either decodes and prefill chunks, or decodes and one encoder batch; the two take turns, so a decode never
waits for more than one of them. Room for a whole prompt is taken when a sequence is admitted; a decode that finds no
block takes it from the youngest, which comes back later with the tokens it has generated. The oldest never gives way,
so everything that was admitted ends. Guesses at the next tokens take only what is left over: while every sequence
decodes, in rows and blocks that nobody else needs.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Line
from dataclasses import replace

from flashsight.core.errors import FlashSightError, Overloaded, PromptTooLong
from flashsight.core.types import PictureInput, PictureKey
from flashsight.engine.ahead import Following, decodes_behind, may_be_followed
from flashsight.engine.blocks import BlockPool
from flashsight.engine.drafts import Drafter, may_draft
from flashsight.engine.feed import PictureFeed
from flashsight.engine.pictures import PictureCache, PictureState, Recalled
from flashsight.engine.plan import Chunk, Limits, Plan, Snapshot
from flashsight.engine.prefill import Prefill
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.queue import WaitingQueue
from flashsight.engine.sequence import Kind, Phase, Sequence, SequenceId
from flashsight.engine.tally import Tally
from flashsight.engine.turns import Turns


class Scheduler:
    """Continuous batching with chunked prefill over paged blocks. One thread calls it.

    The round: `plan()`, run it, `picture_encoded` for each of its encodes, `commit(plan, sampled)`. Between two rounds,
    in any order: `add`, `abort`, `picture_decoded`, `picture_failed`. Between `plan` and `commit`, `welcome`, `joined`
    and `plan_after` may say what runs behind it: commit both in their order before the next `plan`. `clock`: seconds.
    """

    def __init__(
        self,
        limits: Limits,
        pool: BlockPool,
        prefix: PrefixCache,
        pictures: PictureCache,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.limits = limits
        self.pool = pool
        self.prefix = prefix
        self.pictures = pictures
        self._clock = clock
        self._max_running = min(limits.max_sequences, limits.step_tokens)
        self.queue = WaitingQueue()
        self._running: list[Sequence] = []
        self._by_id: dict[SequenceId, Sequence] = {}
        self._num_added = 0
        self._feed = PictureFeed(limits, pictures)
        self.tally = Tally()
        self._turns = Turns()
        self._prefill = Prefill(pool, prefix, pictures, self._feed, self._turns, self.tally)

    # --- in and out ------------------------------------------------------------------------------------------

    def add(self, sequence: Sequence) -> Sequence | None:
        """Queue a new sequence. Where the line is full, it takes the place of one whose caller has far more in line.

        That one is returned; it has ended with Overloaded as its error. Raises PromptTooLong or PictureError if the new
        one could never fit, Overloaded if too many wait already.
        """
        assert sequence.id not in self._by_id
        self._refuse_if_too_long(sequence)
        for picture in sequence.prompt.pictures:
            self.pictures.refuse_if_too_large(picture)
        displaced = self._displace_if_full(sequence)
        self._num_added += 1
        sequence.number = self._num_added
        sequence.arrived_at = self._clock()
        wanted = sequence.num_prompt + (sequence.sampling.max_tokens if sequence.kind is Kind.ANSWER else 0)
        sequence.max_length = min(wanted, self._longest)
        if self.limits.draft_tokens and sequence.kind is Kind.ANSWER and may_draft(sequence.sampling):
            sequence.drafter = Drafter(sequence.prompt, longest=self.limits.draft_tokens)
        self._by_id[sequence.id] = sequence
        self.queue.push(sequence)
        return displaced

    @property
    def _longest(self) -> int:
        return min(self.limits.context_tokens, self.pool.num_blocks * self.pool.block_size)

    def _refuse_if_too_long(self, sequence: Sequence) -> None:
        most = self._longest - (1 if sequence.kind is Kind.ANSWER else 0)
        if sequence.num_prompt > most:
            num_picture_tokens = sum(picture.num_tokens for picture in sequence.prompt.pictures)
            of_pictures = f" ({num_picture_tokens} of them are pictures)" if num_picture_tokens else ""
            raise PromptTooLong(
                f"prompt has {sequence.num_prompt} tokens{of_pictures}, the limit is {most}; "
                "send smaller or fewer pictures or a shorter prompt"
            )

    def _displace_if_full(self, newcomer: Sequence) -> Sequence | None:
        num_waiting = self.queue.count(newcomer.kind)
        if num_waiting < self.limits.max_waiting:
            return None
        self.tally.add("refused")
        seconds = self.tally.seconds_until_served(num_waiting, num_served_at_once=len(self._running))
        error = Overloaded(
            f"{num_waiting} requests are waiting, the limit is {self.limits.max_waiting}; "
            f"try again in about {seconds:.0f} s",
            retry_after_seconds=seconds,
        )
        displaced = self.queue.last_of_greediest(newcomer.salt) if newcomer.kind is Kind.ANSWER else None
        if displaced is None:
            raise error
        displaced.error = error
        self._retire(displaced)
        return displaced

    def abort(self, sequence_id: SequenceId) -> Sequence | None:
        """Drop a sequence at any phase and free all it holds. None if it is not here (any more)."""
        sequence = self._by_id.get(sequence_id)
        if sequence is not None:
            self.tally.add("aborted")
            self._retire(sequence)
        return sequence

    def picture_decoded(self, key: PictureKey, pixels: object) -> None:
        """Take the pixels that a decode request asked for, or the Recalled features that make them needless.

        They are dropped if nobody waits for them any more.
        """
        if isinstance(pixels, Recalled):
            for sequence in self.waiting_for(key):
                if sequence.levels.get(key) == "none":
                    sequence.levels[key] = pixels.level
        self.pictures.decoded(key, pixels)

    def picture_encoded(self, key: PictureKey, features: object) -> None:
        """Take the features of one picture of the plan; they must own their memory."""
        is_recalled = isinstance(self.pictures.pixels(key), Recalled)
        self.pictures.encoded(key, features)
        self.tally.add("pictures_recalled" if is_recalled else "pictures_encoded")

    def picture_failed(self, key: PictureKey, error: FlashSightError) -> tuple[Sequence, ...]:
        """End every sequence that needs a picture that could not be decoded or encoded; they carry the error."""
        failed = tuple(self._by_id[sequence_id] for sequence_id in self.pictures.failed(key))
        for sequence in failed:
            sequence.error = error
            self.tally.add("failed")
            self._retire(sequence)
        return failed

    def waiting_for(self, key: PictureKey) -> tuple[Sequence, ...]:
        """Sequences that need the picture; empty means that decoding it has become pointless."""
        return tuple(self._by_id[sequence_id] for sequence_id in self.pictures.wanted_by(key))

    @property
    def is_idle(self) -> bool:
        """True when no sequence is here."""
        return not self._by_id

    # --- one step --------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Say what to run now. Commit it before asking again."""
        decodes = self._plan_decodes()
        self._admit()
        reading = self._turns.order(self._running)
        encodes, prefills = self._prefill.step(reading, self.limits.step_tokens, len(decodes))
        decodes = self._draft(decodes)
        return Plan(
            chunks=(*decodes, *prefills),
            num_decodes=len(decodes),
            encodes=encodes,
            decode_requests=self._feed.decode_requests(reading),
        )

    def welcome(self) -> tuple[PictureInput, ...]:
        """Let in whoever finds room while a plan runs; return the pictures to decode meanwhile."""
        self._admit()
        return self._feed.decode_requests(self._turns.order(self._running))

    def joined(self, plan: Plan) -> Plan:
        """Return a plan that runs, with the pictures that are ready now if it only decodes; they are encoded behind."""
        if plan.encodes or len(plan.chunks) > plan.num_decodes:
            return plan
        encodes = self._prefill.encodes(self._turns.order(self._running))
        return replace(plan, encodes=encodes) if encodes else plan

    def plan_after(self, plan: Plan) -> Following | None:
        """Say what may run behind a plan before its tokens are known; None where that depends on what it brings."""
        if not may_be_followed(plan, self._running) or not (behind := decodes_behind(plan, self.pool)):
            return None
        decodes, rows = zip(*behind, strict=True)
        drawing = {chunk.sequence.id for chunk in plan.chunks if chunk.samples}
        reading = [sequence for sequence in self._turns.order(self._running) if sequence.id not in drawing]
        under_way = plan.chunks[plan.num_decodes :]
        encodes, prefills = self._prefill.step(reading, self.limits.step_tokens, len(decodes), under_way)
        return Following(Plan(chunks=(*decodes, *prefills), num_decodes=len(decodes), encodes=encodes), rows)

    def commit(
        self, plan: Plan, sampled: Mapping[SequenceId, Line[int]], complete: Collection[SequenceId] = ()
    ) -> tuple[Sequence, ...]:
        """Enter what a plan computed; return who has finished. `sampled` has the new tokens of each chunk that samples:

        one, and one more for each guess that held. The answers of `complete` end with the last of them: nothing but the
        end could follow. A sequence that was aborted in the meantime is passed over. A stop id is not appended to what
        was generated, and nothing that follows the end is.
        """
        finished = []
        for chunk in plan.chunks:
            sequence = chunk.sequence
            if sequence.phase is Phase.FINISHED:
                continue
            assert sequence.num_computed == chunk.start or (sequence.num_computed == chunk.end and not chunk.samples)
            sequence.num_computed = chunk.end - len(chunk.drafts)
            self._feed.leave(sequence)
            if chunk.samples:
                sequence.phase = Phase.DECODE
                self._take_tokens(chunk, sampled[sequence.id], is_complete=sequence.id in complete)
            self.prefix.register(sequence)
            if sequence.finish is not None or (sequence.kind is Kind.PREWARM and chunk.end == len(sequence)):
                self._retire(sequence)
                self.tally.record_finish(sequence, self._clock())
                finished.append(sequence)
        return tuple(finished)

    # --- decode ----------------------------------------------------------------------------------------------

    def _plan_decodes(self) -> list[Chunk]:
        decoding = [sequence for sequence in self._running if sequence.phase is Phase.DECODE]
        # The list above is complete before the first preemption; whoever is sent away has lost its phase when met.
        return [
            Chunk(sequence, sequence.num_computed, len(sequence), samples=True)
            for sequence in decoding
            if sequence.phase is Phase.DECODE and self._extend(sequence)
        ]

    def _draft(self, decodes: list[Chunk]) -> list[Chunk]:
        """Lengthen decodes by guesses: those without one first. Only if nothing else wants the step.

        Every guess takes a row of the logits, and the memory plan has one for each sequence that may run.
        """
        num_free = self._max_running - len(decodes)
        if not self.limits.draft_tokens or len(decodes) < len(self._running):
            return decodes
        plain: list[Chunk] = []
        drafted: list[Chunk] = []
        for chunk in decodes:
            drafts = self._drafts_of(chunk, num_free)
            num_free -= len(drafts)
            longer = replace(chunk, end=chunk.end + len(drafts), drafts=drafts)
            (drafted if drafts else plain).append(longer)
        return plain + drafted

    def _drafts_of(self, chunk: Chunk, most: int) -> tuple[int, ...]:
        """Guesses for the sequence, with blocks for them; the last token it may have is never worth one."""
        sequence = chunk.sequence
        if sequence.drafter is None:
            return ()
        room = len(sequence.blocks) * self.pool.block_size - chunk.end
        room += self.pool.num_available * self.pool.block_size
        drafts = sequence.drafter.guess(min(most, room, sequence.max_length - len(sequence) - 1))
        wanted = self.pool.num_blocks_for(chunk.end + len(drafts))
        sequence.blocks += self.pool.allocate(wanted - len(sequence.blocks))
        self.tally.add("drafts_made", len(drafts))
        return drafts

    def _take_tokens(self, chunk: Chunk, tokens: Line[int], *, is_complete: bool) -> None:
        """Append what was sampled; keys and values of guesses that did not hold are left to be overwritten."""
        sequence = chunk.sequence
        for place, token in enumerate(tokens):
            sequence.take(token, is_complete=is_complete and place == len(tokens) - 1)
            if sequence.finish is not None:
                break
        num_held = len(tokens) - 1
        if chunk.drafts:
            sequence.num_computed = min(sequence.num_computed + num_held, len(sequence))
            self.tally.add("drafts_held", num_held)
            surplus = sequence.blocks[self.pool.num_blocks_for(len(sequence)) :]
            del sequence.blocks[len(sequence.blocks) - len(surplus) :]
            self.pool.release(surplus)
        if sequence.drafter is not None:
            sequence.drafter.follow(tokens)
            if chunk.drafts:
                sequence.drafter.learn(len(chunk.drafts), num_held)

    def _extend(self, sequence: Sequence) -> bool:
        """Give the sequence the block of its next token. False if it was itself the youngest and had to go."""
        if self.pool.num_blocks_for(len(sequence)) <= len(sequence.blocks):
            return True
        while not self.pool.num_available:
            victim = self._running[-1]
            self._preempt(victim)
            if victim is sequence:
                return False
        sequence.blocks += self.pool.allocate(1)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self._free(sequence)
        sequence.phase = Phase.WAITING
        sequence.num_preempted += 1
        self.tally.add("preemptions")
        self.queue.push(sequence)

    # --- admission -------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        while (head := self.queue.head()) is not None and self._make_room(head):
            self._start(self.queue.pop())

    def _make_room(self, head: Sequence) -> bool:
        """See whether the head fits, sending prewarming sequences away if it is an answer."""
        while len(self._running) >= self._max_running or not self._fits(head):
            youngest = self._running[-1] if self._running else None
            if youngest is None or youngest.kind <= head.kind:
                return False
            self._preempt(youngest)
        return True

    def _fits(self, head: Sequence) -> bool:
        """Blocks for all its tokens, and one more for each running sequence so that it is not sent away at once."""
        in_use = sum(self.pool.is_used(block) for block in self.prefix.find(head))
        return self.pool.num_blocks_for(len(head)) - in_use + len(self._running) <= self.pool.num_available

    def _start(self, sequence: Sequence) -> None:
        found = self.prefix.find(sequence)
        self.pool.share(found)
        fresh = self.pool.allocate(self.pool.num_blocks_for(len(sequence)) - len(found))
        sequence.blocks = found + fresh
        sequence.phase = Phase.PREFILL
        sequence.num_registered = len(found)
        sequence.num_cached = sequence.num_computed = len(found) * self.pool.block_size
        insort(self._running, sequence, key=_rank)
        states = self._feed.enter(sequence)
        if sequence.admitted_at is None:
            sequence.admitted_at = self._clock()
            for picture, state in zip(sequence.pending_pictures(), states, strict=True):
                sequence.levels[picture.key] = "device" if state is PictureState.ENCODED else "none"
            self.tally.record_pictures(states)

    # --- the end ---------------------------------------------------------------------------------------------

    def _free(self, sequence: Sequence) -> None:
        self.pool.release(sequence.blocks)
        sequence.blocks = []
        self._feed.leave_all(sequence)
        sequence.num_cached = sequence.num_computed = sequence.num_registered = 0

    def _retire(self, sequence: Sequence) -> None:
        if sequence.phase is Phase.WAITING:
            self.queue.remove(sequence)
        else:
            self._running.remove(sequence)
        self._free(sequence)
        sequence.phase = Phase.FINISHED
        del self._by_id[sequence.id]

    # --- the books -------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Counts for metrics, at this moment."""
        num_prewarming = sum(sequence.kind is Kind.PREWARM for sequence in self._running)
        return Snapshot(
            num_waiting=self.queue.count(Kind.ANSWER),
            num_running=len(self._running) - num_prewarming,
            num_prewarming=num_prewarming + self.queue.count(Kind.PREWARM),
            blocks_used=self.pool.num_used,
            blocks_cached=self.pool.num_reusable,
            blocks_total=self.pool.num_blocks,
            picture_bytes_used=self.pictures.used_bytes,
            picture_bytes_total=self.pictures.capacity_bytes,
            num_pictures_cached=self.pictures.num_encoded,
            totals=self.tally.totals(),
        )

    def check(self) -> None:
        """Assert that all books balance: blocks, prefixes, pictures, lines. For tests and for the loop when idle."""
        self.pool.check([sequence.blocks for sequence in self._running])
        self.prefix.check()
        self.pictures.check()
        waiting = list(self.queue)
        assert {s.id for s in waiting + self._running} == set(self._by_id)
        assert len(waiting) + len(self._running) == len(self._by_id)
        assert self._running == sorted(self._running, key=_rank)
        assert len(self._running) <= self._max_running
        assert all(sequence.phase is Phase.WAITING for sequence in waiting)
        for sequence in waiting + self._running:
            sequence.check(self.pool.block_size)
            assert all(sequence.id in self.pictures.wanted_by(key) for key in sequence.wanted)


def _rank(sequence: Sequence) -> tuple[int, int]:
    return sequence.rank
