"""An engine without a model: a scheduler, its books, and a memory of tags instead of keys and values.

The tag of a token stands for everything before it: the salt, all ids, all pictures and the places in them. It comes
from a trie of plain tuples, so it shares no code with the block hashes. A chunk may only run if every slot of its past
holds the tag that this very sequence has there. The next token is a function of the last tag, so the right answer of
every prompt is known without a scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence as Line
from typing import Any

import numpy as np

from flashsight.core.errors import PictureError
from flashsight.core.types import Grid, ModelInput, PictureInput, PictureKey, Salt, TokenSampling
from flashsight.engine.blocks import BlockPool
from flashsight.engine.pictures import PictureCache, PictureState
from flashsight.engine.plan import Chunk, Limits, Plan
from flashsight.engine.prefix import PrefixCache
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.sequence import Kind, Phase, Sequence, SequenceId

IMAGE_ID = 99
STOP_ID = 7
ENDLESS: frozenset[int] = frozenset()
BYTES_PER_TOKEN = 2


def never_loaded() -> Any:
    raise AssertionError("the scheduler decodes nothing itself")


def prompt_of(*parts: int | tuple[str, int]) -> ModelInput:
    """An int is a text token; (key, tokens) is a picture, of four patches a token."""
    ids: list[int] = []
    pictures = []
    for part in parts:
        if isinstance(part, int):
            ids.append(part)
        else:
            key, num_tokens = part
            grid = Grid(t=1, h=2, w=2 * num_tokens)
            picture = PictureInput(
                key=PictureKey(key),
                grid=grid,
                resized=(28, 28 * num_tokens),
                start=len(ids),
                num_tokens=num_tokens,
                load=never_loaded,
            )
            pictures.append(picture)
            ids += [IMAGE_ID] * num_tokens
    positions = np.broadcast_to(np.arange(len(ids), dtype=np.int64), (3, len(ids)))
    return ModelInput(ids=np.array(ids, dtype=np.int64), positions=positions, delta=0, pictures=tuple(pictures))


def limits_of(**changes: int) -> Limits:
    """Small budgets, some of them changed."""
    plain = {
        "step_tokens": 32,
        "encode_patches": 64,
        "max_sequences": 4,
        "max_waiting": 100,
        "context_tokens": 400,
        "decode_slots": 3,
    }
    return Limits(**(plain | changes))


class Trie:
    """Numbers every (salt, content...) prefix once."""

    def __init__(self) -> None:
        self._number: dict[tuple[Any, ...], int] = {}

    def extend(self, parent: Any, content: Any) -> int:
        return self._number.setdefault((parent, content), len(self._number))


class House:
    """Adds, plans, runs on tags, commits; asserts the rules after each step."""

    def __init__(
        self,
        *,
        num_blocks: int = 40,
        block_size: int = 4,
        picture_bytes: int = 1000,
        has_prefix_cache: bool = True,
        is_repetitive: bool = False,
        **limits: int,
    ) -> None:
        self.now = 0.0
        self.is_repetitive = is_repetitive
        self.pool = BlockPool(num_blocks, block_size)
        self.prefix = PrefixCache(self.pool, enabled=has_prefix_cache)
        self.pictures = PictureCache(picture_bytes, bytes_per_token=BYTES_PER_TOKEN)
        self.limits = limits_of(**limits)
        self.scheduler = Scheduler(self.limits, self.pool, self.prefix, self.pictures, clock=lambda: self.now)
        self.trie = Trie()
        self.slots: dict[int, int] = {}
        self.full_blocks: set[int] = set()
        self.in_blocks_of_text: set[int] = set()
        self.decoding: list[PictureInput] = []
        self.bad_pictures: set[str] = set()
        self.sequences: list[Sequence] = []
        self.encoded: list[str] = []
        self.plans: list[Plan] = []
        self.ended: list[Sequence] = []
        self.was_encoding = False

    # --- what a caller does ----------------------------------------------------------------------------------

    def add(
        self,
        *parts: int | tuple[str, int],
        salt: str = "a",
        max_tokens: int = 4,
        kind: Kind = Kind.ANSWER,
        stop_ids: frozenset[int] = frozenset({STOP_ID}),
    ) -> Sequence:
        sequence = Sequence(
            id=SequenceId(len(self.sequences)),
            prompt=prompt_of(*parts),
            sampling=TokenSampling(max_tokens=max_tokens, stop_ids=stop_ids),
            salt=Salt(salt.encode()),
            kind=kind,
        )
        displaced = self.scheduler.add(sequence)
        self.ended += [displaced] if displaced is not None else []
        self.sequences.append(sequence)
        return sequence

    def deliver(self, index: int = 0) -> None:
        """A decoding thread reports."""
        key = self.decoding.pop(index % len(self.decoding)).key
        if key in self.bad_pictures:
            error = PictureError("it is broken")
            failed = self.scheduler.picture_failed(key, error)
            assert all(sequence.error is error for sequence in failed)
            self.ended += failed
        else:
            self.scheduler.picture_decoded(key, f"pixels of {key}")
        self.scheduler.check()

    def abort(self, index: int) -> None:
        self.scheduler.abort(SequenceId(index))
        self.scheduler.check()

    def drain(self, most_plans: int = 5000) -> None:
        """Go on until everything has ended; nothing may wait for ever."""
        for _ in range(most_plans):
            if self.scheduler.is_idle:
                break
            plan = self.step()
            assert not plan.is_empty or self.decoding, "nothing runs and nothing will arrive"
            if self.decoding:
                self.deliver()
        assert self.scheduler.is_idle, "somebody starves"
        assert self.pool.num_used == 0
        assert self.pictures.num_slots_used == 0

    # --- one step --------------------------------------------------------------------------------------------

    def step(self, *, abort_inside: int | None = None) -> Plan:
        """Plan, run and commit. abort_inside: a sequence that leaves while the plan runs."""
        decoding_before = [s for s in self.sequences if s.phase is Phase.DECODE]
        plan = self.scheduler.plan()
        self.plans.append(plan)
        self.now += 1.0
        self._check_budgets(plan)
        self._check_decodes_first(plan, decoding_before)
        self.scheduler.check()
        self.decoding += plan.decode_requests
        self._copy(plan)
        for chunk in plan.chunks:
            self._compute(chunk)
        self._encode(plan)
        if abort_inside is not None:
            self.scheduler.abort(SequenceId(abort_inside))
        sampled = {chunk.sequence.id: self._next_tokens(chunk) for chunk in plan.chunks if chunk.samples}
        self.ended += self.scheduler.commit(plan, sampled)
        self.scheduler.check()
        return plan

    def _check_budgets(self, plan: Plan) -> None:
        assert plan.num_tokens <= self.limits.step_tokens
        assert plan.num_patches <= self.limits.encode_patches or len(plan.encodes) == 1
        assert not plan.encodes or len(plan.chunks) == plan.num_decodes, "decodes wait for a chunk and a batch"
        assert not (plan.encodes and self.was_encoding and self._could_prefill()), "prefill does not get its turn"
        self.was_encoding = bool(plan.encodes)
        assert len({chunk.sequence.id for chunk in plan.chunks}) == len(plan.chunks)

    def _could_prefill(self) -> bool:
        """True if a sequence could compute its whole rest, whatever pictures others wait for."""
        return any(
            sequence.phase in (Phase.PREFILL, Phase.PICTURES)
            and all(self.pictures.state(p.key) is PictureState.ENCODED for p in sequence.pending_pictures())
            for sequence in self.sequences
        )

    def _check_decodes_first(self, plan: Plan, decoding_before: Line[Sequence]) -> None:
        head = [chunk.sequence for chunk in plan.chunks[: plan.num_decodes]]
        drafted = [chunk for chunk in plan.chunks if chunk.drafts]
        assert all(chunk.num_tokens == 1 + len(chunk.drafts) for chunk in plan.chunks[: plan.num_decodes])
        assert [chunk for chunk in plan.chunks[: plan.num_decodes] if chunk.num_tokens > 1] == drafted
        assert [s.number for s in head] == sorted(
            (s.number for s in decoding_before if s.phase is Phase.DECODE),
            key=lambda number: (number in {chunk.sequence.number for chunk in drafted}, number),
        )
        assert not drafted or len(plan.chunks) == plan.num_decodes, "guesses hold up a prompt"
        assert sum(chunk.num_samples for chunk in plan.chunks) <= self.limits.max_sequences

    def _encode(self, plan: Plan) -> None:
        for encode in plan.encodes:
            key = encode.picture.key
            assert encode.pixels == f"pixels of {key}"
            self.encoded.append(key)
            self.scheduler.picture_encoded(key, f"features of {key}")

    # --- the tags --------------------------------------------------------------------------------------------

    def tags(self, salt: Salt, prompt: ModelInput, generated: Line[int]) -> list[int]:
        """One tag a token."""
        contents: list[Any] = [int(token) for token in prompt.ids] + list(generated)
        for picture in prompt.pictures:
            for place in range(picture.num_tokens):
                contents[picture.start + place] = (picture.key, place)
        tags: list[int] = []
        parent: Any = salt
        for content in contents:
            parent = self.trie.extend(parent, content)
            tags.append(parent)
        return tags

    def _slot(self, sequence: Sequence, index: int) -> int:
        size = self.pool.block_size
        return sequence.blocks[index // size] * size + index % size

    def _copy(self, plan: Plan) -> None:
        size = self.pool.block_size
        for chunk in plan.chunks:
            if chunk.copied_from is not None:
                to = chunk.sequence.blocks[chunk.start // size]
                assert chunk.start % size, "nothing of the copy is needed"
                for place in range(size):
                    self.slots[to * size + place] = self.slots[chunk.copied_from * size + place]

    def _compute(self, chunk: Chunk) -> None:
        sequence, size = chunk.sequence, self.pool.block_size
        tags = self.tags(sequence.salt, sequence.prompt, [*sequence.generated, *chunk.drafts])
        for index in range(chunk.start):
            assert self.slots[self._slot(sequence, index)] == tags[index], "a block holds another prefix"
        for part in sequence.picture_slices(chunk.start, chunk.end):
            assert self.pictures.features(part.picture.key) == f"features of {part.picture.key}"
        others = {block for s in self.sequences if s is not sequence for block in s.blocks}
        for index in range(chunk.start, chunk.end):
            assert sequence.blocks[index // size] not in others, "a shared block is written"
            self.slots[self._slot(sequence, index)] = tags[index]
            if index % size == size - 1:
                self.full_blocks.add(tags[index])
                first = index + 1 - size
                if not sequence.picture_slices(first, index + 1):
                    self.in_blocks_of_text.update(tags[first : index + 1])

    def num_known(self, sequence: Sequence) -> int:
        """Tokens of whole blocks, short of the last token, that were ever computed for this salt and prefix; and those
        that a block of text began with after them.
        """
        size = self.pool.block_size
        tags = self.tags(sequence.salt, sequence.prompt, sequence.generated)
        count = 0
        while count + size < len(tags) and tags[count + size - 1] in self.full_blocks:
            count += size
        end = min(count + size, len(tags) - 1)
        while count < end and tags[count] in self.in_blocks_of_text:
            count += 1
        return count

    def _next_tokens(self, chunk: Chunk) -> list[int]:
        """What follows, for as long as the guesses hold: the token after the last known one, and after each guess."""
        sequence = chunk.sequence
        tokens: list[int] = []
        for draft in (*chunk.drafts, None):
            tokens.append(self._token_after(self.tags(sequence.salt, sequence.prompt, [*sequence.generated, *tokens])))
            if tokens[-1] != draft or draft in sequence.sampling.stop_ids:
                break
        return tokens

    def right_answer(self, sequence: Sequence) -> list[int]:
        """What the sequence must generate, computed alone."""
        answer: list[int] = []
        while sequence.num_prompt + len(answer) < sequence.max_length:
            token = self._token_after(self.tags(sequence.salt, sequence.prompt, answer))
            if token in sequence.sampling.stop_ids:
                break
            answer.append(token)
        return answer

    def _token_after(self, tags: Line[int]) -> int:
        """Of an even hand, or of one that says the same six tokens over and over but for a slip now and then."""
        drawn = (tags[-1] * 2654435761 >> 7) % 23
        return 30 + len(tags) % 6 if self.is_repetitive and drawn != STOP_ID else drawn
