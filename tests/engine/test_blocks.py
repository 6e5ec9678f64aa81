"""The block pool against a plain model: a dict of counts and a list in the order of last use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.engine.blocks import BlockPool
from flashsight.engine.sequence import BlockId

ACTIONS = st.lists(
    st.tuples(st.sampled_from(["allocate", "share", "release", "keep"]), st.integers(0, 9), st.integers(1, 3)),
    max_size=60,
)


@given(ACTIONS)
def test_whatever_happens_the_books_balance(actions: list[tuple[str, int, int]]) -> None:
    pool = BlockPool(8, block_size=4)
    forgotten: list[BlockId] = []
    pool.on_forget = forgotten.append
    tables: list[list[BlockId]] = []
    kept: list[BlockId] = []
    for action, which, count in actions:
        if action == "allocate" and count <= pool.num_available:
            taken = pool.allocate(count)
            assert not set(taken) & {block for table in tables for block in table}, "a used block was given away"
            tables.append(taken)
        elif tables and action == "share":
            table = list(tables[which % len(tables)])
            pool.share(table)
            tables.append(table)
        elif tables and action == "release":
            pool.release(tables.pop(which % len(tables)))
        elif tables and action == "keep":
            block = tables[which % len(tables)][0]
            pool.keep(block)
            kept.append(block)
        pool.check(tables)
        assert pool.num_used == len({block for table in tables for block in table})
        assert pool.num_used + pool.num_available == 8
    assert set(forgotten) <= set(kept)


def test_a_kept_block_survives_until_no_free_one_is_left() -> None:
    pool = BlockPool(3, block_size=4)
    forgotten: list[BlockId] = []
    pool.on_forget = forgotten.append
    (kept,) = pool.allocate(1)
    pool.keep(kept)
    pool.release([kept])
    others = pool.allocate(2)
    assert kept not in others
    assert forgotten == []
    assert pool.num_reusable == 1
    assert pool.allocate(1) == [kept]
    assert forgotten == [kept]
    assert pool.num_reusable == 0


def test_the_longest_unused_goes_first_and_the_end_of_a_table_before_its_start() -> None:
    pool = BlockPool(4, block_size=4)
    old, new = pool.allocate(2), pool.allocate(2)
    for block in old + new:
        pool.keep(block)
    pool.release(old)
    pool.release(new)
    pool.share([old[0]])
    pool.release([old[0]])
    assert pool.allocate(4) == [old[1], new[1], new[0], old[0]]


def test_tokens_fill_blocks_to_the_brim() -> None:
    pool = BlockPool(4, block_size=4)
    assert [pool.num_blocks_for(n) for n in (0, 1, 4, 5, 8, 9)] == [0, 1, 1, 2, 2, 3]


def test_the_check_finds_a_leak_a_double_use_and_a_forgotten_owner() -> None:
    pool = BlockPool(4, block_size=4)
    table = pool.allocate(2)
    pool.check([table])
    with pytest.raises(AssertionError, match="references"):
        pool.check([])
    with pytest.raises(AssertionError, match="references"):
        pool.check([table, table])
