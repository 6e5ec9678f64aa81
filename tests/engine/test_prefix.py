"""The prefix cache against a dict from the whole prefix (salt, ids, picture keys and places) to a block."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.house import prompt_of

from flashsight.core.types import Salt, TokenSampling
from flashsight.engine.blocks import BlockPool
from flashsight.engine.plan import Chunk
from flashsight.engine.prefix import MOST_SIBLINGS, PrefixCache
from flashsight.engine.sequence import Sequence, SequenceId

BLOCK = 4


def sequence_of(*parts: int | tuple[str, int], salt: str = "a") -> Sequence:
    return Sequence(id=SequenceId(0), prompt=prompt_of(*parts), sampling=TokenSampling(), salt=Salt(salt.encode()))


class Shelf:
    """A prefix cache with room for everything, and the naive one beside it."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.pool = BlockPool(1000, BLOCK)
        self.cache = PrefixCache(self.pool, enabled=enabled)
        self.naive: dict[tuple[object, ...], int] = {}

    def compute(self, sequence: Sequence) -> None:
        """Compute the whole sequence from nothing, then let go of its blocks."""
        sequence.blocks = self.pool.allocate(self.pool.num_blocks_for(len(sequence)))
        sequence.num_computed = len(sequence)
        self.cache.register(sequence)
        self.cache.check()
        for index, block in enumerate(sequence.blocks[: len(sequence) // BLOCK]):
            self.naive.setdefault(whole_prefix(sequence, (index + 1) * BLOCK), block)
        self.pool.release(sequence.blocks)

    def expected(self, sequence: Sequence) -> list[int]:
        found = []
        for end in range(BLOCK, len(sequence), BLOCK):
            block = self.naive.get(whole_prefix(sequence, end))
            if block is None:
                break
            found.append(block)
        return found


def whole_prefix(sequence: Sequence, end: int) -> tuple[object, ...]:
    contents: list[object] = [*sequence.prompt.ids.tolist(), *sequence.generated]
    for picture in sequence.prompt.pictures:
        for place in range(picture.num_tokens):
            contents[picture.start + place] = (picture.key, place)
    return (sequence.salt, *contents[:end])


parts = st.lists(
    st.one_of(st.integers(1, 2), st.sampled_from([(1,) * 5, ("p", 3), ("q", 3), ("p", 9), ("q", 9)])),
    min_size=1,
    max_size=6,
)


def flat(items: list[int | tuple[int, ...] | tuple[str, int]]) -> list[int | tuple[str, int]]:
    out: list[int | tuple[str, int]] = []
    for item in items:
        out += item if isinstance(item, tuple) and item[0] == 1 else [item]  # type: ignore[list-item]
    return out


@given(st.lists(st.tuples(parts, st.sampled_from("ab"), st.lists(st.integers(1, 2), max_size=6)), max_size=12))
def test_exactly_the_blocks_of_an_equal_whole_prefix_are_found(requests: list[tuple]) -> None:  # type: ignore[type-arg]
    shelf = Shelf()
    for items, salt, generated in requests:
        sequence = sequence_of(*flat(items), salt=salt)
        assert shelf.cache.find(sequence) == shelf.expected(sequence)
        sequence.generated = generated
        shelf.compute(sequence)


def common(one: tuple[object, ...], other: tuple[object, ...]) -> int:
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


@given(st.lists(st.tuples(parts, st.sampled_from("ab"), st.lists(st.integers(1, 2), max_size=6)), max_size=12))
def test_the_longest_beginning_of_a_block_of_text_behind_the_same_prefix_is_found(requests: list[tuple]) -> None:  # type: ignore[type-arg]
    shelf = Shelf()
    texts: list[tuple[object, ...]] = []
    for items, salt, generated in requests:
        sequence = sequence_of(*flat(items), salt=salt)
        start = len(shelf.cache.find(sequence)) * BLOCK
        sequence.num_computed = start
        found = shelf.cache.beginning(sequence)
        mine = whole_prefix(sequence, min(start + BLOCK, len(sequence) - 1))
        alike = [common(mine, text) for text in texts if len(text) == start + BLOCK + 1]
        assert (found[1] if found else 0) == max([*alike, start + 1]) - start - 1
        sequence.generated = generated
        shelf.compute(sequence)
        ends = range(BLOCK, len(sequence) + 1, BLOCK)
        texts += [whole_prefix(sequence, end) for end in ends if not sequence.picture_slices(end - BLOCK, end)]


def test_beginnings_are_looked_for_in_the_newest_blocks_only_and_never_in_one_given_away() -> None:
    shelf = Shelf()
    for number in range(MOST_SIBLINGS + 3):
        shelf.compute(sequence_of(1, 2, 3, 4, 50 + number, 6, 7, 8))
    old, new = (sequence_of(1, 2, 3, 4, 50 + number, 6, 9) for number in (0, MOST_SIBLINGS + 2))
    for sequence, wanted in ((old, None), (new, 2)):
        sequence.num_computed = BLOCK * len(shelf.cache.find(sequence))
        found = shelf.cache.beginning(sequence)
        assert (found[1] if found else None) == wanted
    shelf.pool.allocate(shelf.pool.num_available)
    shelf.cache.check()
    assert shelf.cache.beginning(new) is None


def found_after(first: Sequence, second: Sequence) -> int:
    shelf = Shelf()
    shelf.compute(first)
    return len(shelf.cache.find(second)) * BLOCK


def test_another_salt_finds_nothing() -> None:
    assert found_after(sequence_of(*[1] * 20), sequence_of(*[1] * 20, salt="b")) == 0


def test_another_picture_in_the_same_place_is_another_prefix_from_its_first_token_on() -> None:
    assert found_after(sequence_of(1, 2, 3, 4, 5, ("p", 9), 6), sequence_of(1, 2, 3, 4, 5, ("q", 9), 6)) == 4


def test_the_same_picture_shifted_by_one_token_is_another_prefix() -> None:
    assert found_after(sequence_of(99, ("p", 15), 1), sequence_of(("p", 16), 1)) == 0


def test_a_picture_split_in_two_is_another_prefix() -> None:
    assert found_after(sequence_of(("p", 16), 1), sequence_of(("p", 8), ("p", 8), 1)) == 8


def test_the_last_token_is_always_left_to_compute() -> None:
    assert found_after(sequence_of(*[1] * 16), sequence_of(*[1] * 16)) == 12
    assert found_after(sequence_of(*[1] * 16), sequence_of(*[1] * 17)) == 16


def test_an_answer_is_found_when_it_comes_back_as_part_of_the_next_prompt() -> None:
    first = sequence_of(1, 2, 3)
    first.generated = [4, 5, 6, 7, 8]
    assert found_after(first, sequence_of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) == 8


def test_a_block_given_away_is_found_no_more() -> None:
    shelf = Shelf()
    first = sequence_of(*[1] * 16)
    shelf.compute(first)
    assert len(shelf.cache) == 4
    shelf.pool.allocate(1000 - 2)
    shelf.cache.check()
    assert len(shelf.cache) == len(shelf.cache.find(first)) == 2


def test_switched_off_it_finds_and_keeps_nothing() -> None:
    shelf = Shelf(enabled=False)
    first = sequence_of(*[1] * 16)
    shelf.compute(first)
    assert shelf.cache.find(first) == []
    assert shelf.pool.num_reusable == len(shelf.cache) == 0


def test_blocks_that_a_chunk_fills_are_hashed_before_it_is_entered() -> None:
    shelf, sequence = Shelf(), sequence_of(*range(5 * BLOCK + 1))
    shelf.cache.prepare([Chunk(sequence, 0, 2 * BLOCK + 1, samples=False)])
    assert len(sequence.digests) == 2, "no more than the chunk fills"
    shelf.cache.prepare([Chunk(sequence, 2 * BLOCK + 1, 5 * BLOCK + 1, samples=True)])
    prepared = list(sequence.digests)
    assert len(prepared) == 5
    shelf.compute(sequence)
    assert sequence.digests == prepared
    other = sequence_of(*range(5 * BLOCK + 1))
    assert shelf.cache.find(other) == shelf.expected(other)


def test_a_cache_that_is_off_hashes_nothing() -> None:
    sequence = sequence_of(*range(2 * BLOCK))
    Shelf(enabled=False).cache.prepare([Chunk(sequence, 0, 2 * BLOCK, samples=True)])
    assert not sequence.digests
