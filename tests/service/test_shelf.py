"""The shelf against books kept by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.types import Caller, Media, Salt
from flashsight.service.shelf import ENTRY_BYTES, Shelf, StoredFile

OWNERS = [Caller(name=name, salt=Salt(name.encode())) for name in ("a", "b", "c")]


def file_of(owner: Caller, number: int, num_bytes: int = 10) -> StoredFile:
    media = Media(content=bytes(num_bytes), sha256=str(number), format="png", width=2, height=2)
    return StoredFile(
        id=f"file-{number}",
        filename="x.png",
        purpose="vision",
        media=media,
        owner=owner,
        created_at=number,
        expires_at=1e9,
    )


def test_a_file_is_seen_by_its_owner_only():
    shelf = Shelf(10 * ENTRY_BYTES)
    shelf.put(file_of(OWNERS[0], 1))
    assert shelf.get(OWNERS[0], "file-1") is not None
    assert shelf.get(OWNERS[1], "file-1") is None
    assert list(shelf.of(OWNERS[1])) == []


def test_who_holds_the_most_gives_way_with_what_was_longest_unused():
    shelf = Shelf(4 * (ENTRY_BYTES + 10))
    greedy, modest = OWNERS[:2]
    for number in range(3):
        shelf.put(file_of(greedy, number))
    shelf.put(file_of(modest, 3))
    shelf.get(greedy, "file-0")
    assert [file.id for file in shelf.put(file_of(greedy, 4))] == ["file-1"]
    assert [file.id for file in shelf.put(file_of(modest, 5))] == ["file-2"]
    assert shelf.get(modest, "file-3") is not None


def test_very_many_tiny_files_are_bounded_too():
    shelf = Shelf(10 * ENTRY_BYTES)
    for number in range(1000):
        shelf.put(file_of(OWNERS[0], number, num_bytes=1))
    assert len(shelf) <= 10


@given(
    st.lists(st.tuples(st.sampled_from(["put", "get", "remove"]), st.integers(0, 2), st.integers(0, 9)), max_size=60)
)
def test_the_books_balance_whatever_happens(steps: list[tuple[str, int, int]]):
    shelf = Shelf(5 * ENTRY_BYTES)
    kept: dict[tuple[int, str], StoredFile] = {}
    for number, (step, who, which) in enumerate(steps):
        owner = OWNERS[who]
        if step == "put":
            file = file_of(owner, number, num_bytes=which * 4000)
            for gone in shelf.put(file):
                del kept[OWNERS.index(gone.owner), gone.id]
            kept[who, file.id] = file
        elif kept:
            (holder, file_id), file = sorted(kept.items())[which % len(kept)]
            if step == "remove":
                shelf.remove(file)
                shelf.remove(file)
                del kept[holder, file_id]
            else:
                assert shelf.get(OWNERS[holder], file_id) is file
                assert holder == who or shelf.get(owner, file_id) is None
        shelf.check()
        assert {file.id for owner in OWNERS for file in shelf.of(owner)} == {file_id for _, file_id in kept}
