"""The file of a run's ratings: one current rating a rater and item, nothing lost, every fault in words."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsight.core.errors import FlashSightError, RequestError
from flashsight.workbench import rating_store
from flashsight.workbench.rating_records import RatingError, RatingRow, Said, checked, checked_rater, tag_name
from flashsight.workbench.rating_store import RatingStore
from flashsight.workbench.ratings import RATINGS_FILE, picture_hash, prompt_hash, read_ratings, run_id, store_of
from flashsight.workbench.records import Case, CasePicture, Run
from flashsight.workbench.usable import ratings_of, usable_share
from tests.workbench.runs import write_run

ONE, OTHER = "a" * 16, "b" * 16
NOBODY = 65534


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "run", {"1.jpg": {"color": "红"}, "2.jpg": {"color": "蓝"}})


def say(store: RatingStore, said: Said, *, item: str = "1.jpg", rater: str = ONE, turn: int | None = None) -> RatingRow:
    return store.add(
        item=item, picture_sha256="p", prompt_sha256="q", rater=rater, said=said, edit_distance=None, turn=turn
    )


def scores(run: Run) -> dict[tuple[str, str], int | None]:
    return {(row.item, row.rater): row.said.score for row in read_ratings(run)}


def test_a_run_that_nobody_rated_has_no_ratings_and_no_file(run: Run):
    assert read_ratings(run) == []
    assert not (run.folder / RATINGS_FILE).exists()


def test_each_rater_has_one_current_rating_an_item_and_the_earlier_ones_are_kept(run: Run):
    store = store_of(run)
    say(store, Said(score=2))
    say(store, Said(score=4, tags=("wrong_color",), corrected="好"))
    say(store, Said(score=5), rater=OTHER)
    assert scores(run) == {("1.jpg", ONE): 4, ("1.jpg", OTHER): 5}
    assert [row.said.score for row in store.history()] == [2, 4, 5]
    first = read_ratings(run)[0]
    assert (first.run, first.picture_sha256, first.prompt_sha256) == (run_id(run), "p", "q")
    assert first.said == Said(score=4, tags=("wrong_color",), corrected="好")
    assert first.at.endswith("Z")


def test_saying_the_same_again_changes_nothing_and_undo_goes_past_it(run: Run):
    store = store_of(run)
    for score in (2, 4, 4, 4):
        say(store, Said(score=score))
    say(store, Said(score=4), rater=OTHER)
    assert [(row.rater, row.said.score) for row in store.history()] == [(ONE, 2), (ONE, 4), (OTHER, 4)]
    store.undo(ONE)
    assert scores(run) == {("1.jpg", ONE): 2, ("1.jpg", OTHER): 4}


def test_undo_goes_back_step_by_step_and_touches_nobody_else(run: Run):
    store = store_of(run)
    say(store, Said(score=2))
    say(store, Said(score=4))
    say(store, Said(score=1), item="2.jpg")
    say(store, Said(score=5), rater=OTHER)
    assert store.undo(ONE) == ("2.jpg", None)
    item, row = store.undo(ONE) or ("", None)
    assert (item, row and row.said.score) == ("1.jpg", 2)
    say(store, Said(score=3))
    assert (store.undo(ONE) or ("", None))[1].said.score == 2  # type: ignore[union-attr]
    assert store.undo(ONE) == ("1.jpg", None)
    assert store.undo(ONE) is None
    assert scores(run) == {("1.jpg", OTHER): 5}
    assert len(store.history()) == 9


@given(st.permutations(range(1, 6)), st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_overtakes_what_on_its_way_the_word_of_the_latest_turn_holds(turns: list[int], data: st.DataObject):
    """Each word has its turn for a score, and some arrive twice."""
    arriving = turns + data.draw(st.lists(st.sampled_from(turns), max_size=3))
    with TemporaryDirectory() as folder:
        store = RatingStore(Path(folder) / RATINGS_FILE, "r")
        for at, turn in enumerate(arriving):
            assert say(store, Said(score=turn), turn=turn).said.score == max(arriving[: at + 1])
            store.choose("s", "1.jpg", ONE, "first" if turn == 5 else "second", turn=turn)
        assert [row.said.score for row in store.current()] == [5]
        assert store.choices("s") == {("1.jpg", ONE): "first"}


def test_what_was_overtaken_touches_neither_another_item_nor_another_rater_nor_words_without_a_turn(run: Run):
    store = store_of(run)
    say(store, Said(score=5), turn=8)
    say(store, Said(score=4), turn=7, item="2.jpg")
    say(store, Said(score=3), turn=7, rater=OTHER)
    assert scores(run) == {("1.jpg", ONE): 5, ("2.jpg", ONE): 4, ("1.jpg", OTHER): 3}
    say(store, Said(score=1))
    assert scores(run)["1.jpg", ONE] == 1


def test_an_undo_is_not_undone_by_the_word_it_took_back_and_takes_back_nothing_later(run: Run):
    store = store_of(run)
    say(store, Said(score=2), turn=1)
    assert store.undo(ONE, turn=3) == ("1.jpg", None)
    say(store, Said(score=2), turn=2)
    assert read_ratings(run) == []
    say(store, Said(score=4), turn=5)
    assert store.undo(ONE, turn=4) is None
    assert scores(run) == {("1.jpg", ONE): 4}


def test_a_file_of_before_there_were_turns_goes_on(run: Run):
    store = store_of(run)
    say(store, Said(score=2))
    with closing(sqlite3.connect(run.folder / RATINGS_FILE)) as book:
        book.execute("DROP TABLE turn")
        book.commit()
    assert scores(run) == {("1.jpg", ONE): 2}
    say(store, Said(score=4), turn=2)
    say(store, Said(score=3), turn=1)
    assert scores(run) == {("1.jpg", ONE): 4}


def test_taking_everything_back_by_hand_leaves_no_rating(run: Run):
    say(store_of(run), Said(score=2))
    say(store_of(run), Said())
    assert read_ratings(run) == []


def test_many_raters_write_at_once_and_no_line_is_lost(run: Run):
    store, counted = store_of(run), dict[str, int]()

    def rate(rater: str) -> None:
        for at in range(10):
            say(store, Said(score=1 + at % 5), item=f"{at}", rater=rater)
            counted[rater] = len(store.current(rater))

    threads = [threading.Thread(target=rate, args=(f"{at:016x}",)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counted.values()) == {10}
    assert len(counted) == 6
    assert len(read_ratings(run)) == 60
    assert [row.number for row in store.history()] == list(range(1, 61))


def test_what_was_said_survives_the_death_of_the_process_that_wrote_it(run: Run):
    code = (
        "import os, sys; from pathlib import Path; from flashsight.workbench.ratings import store_of; "
        "from flashsight.workbench.records import open_run; from flashsight.workbench.rating_records import Said; "
        "store_of(open_run(Path(sys.argv[1]))).add(item='1.jpg', picture_sha256='p', prompt_sha256='q', "
        f"rater='{ONE}', said=Said(score=3), edit_distance=None); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(rating_store.__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", code, str(run.folder)], env=environment, check=False)
    assert ended.returncode == -9
    assert scores(run) == {("1.jpg", ONE): 3}


def test_sides_stay_as_they_were_drawn_and_the_last_choice_holds(run: Run):
    store = store_of(run)
    assert store.side("other", "1.jpg", ONE, drawn=True) is True
    assert store.side("other", "1.jpg", ONE, drawn=False) is True
    assert store.side("other", "1.jpg", OTHER, drawn=False) is False
    store.choose("other", "1.jpg", ONE, "first")
    store.choose("other", "1.jpg", ONE, "second")
    store.choose("other", "1.jpg", OTHER, "same")
    store.choose("third", "1.jpg", ONE, "first")
    assert store.choices("other") == {("1.jpg", ONE): "second", ("1.jpg", OTHER): "same"}
    store.choose("other", "1.jpg", ONE, None)
    assert store.choices("other") == {("1.jpg", OTHER): "same"}


def test_a_locked_file_is_told_as_one(run: Run, monkeypatch: pytest.MonkeyPatch):
    say(store_of(run), Said(score=1))
    monkeypatch.setattr(rating_store, "PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(run.folder / RATINGS_FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RatingError, match="locked by another program") as told:
            say(store_of(run), Said(score=2))
    assert told.value.code == "ratings_locked"
    assert scores(run) == {("1.jpg", ONE): 1}


def test_a_full_disk_is_told_as_one_and_keeps_what_was_there(run: Run, monkeypatch: pytest.MonkeyPatch):
    say(store_of(run), Said(score=1))
    opened = RatingStore._open

    def small(self: RatingStore, mode: str) -> sqlite3.Connection:
        book = opened(self, mode)
        book.execute("PRAGMA max_page_count = 8")
        return book

    monkeypatch.setattr(RatingStore, "_open", small)
    with pytest.raises(RatingError, match="the disk is full") as told:
        say(store_of(run), Said(corrected="长" * 30_000))
    assert told.value.code == "disk_full"
    assert scores(run) == {("1.jpg", ONE): 1}


def no_database(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 100)


def of_another_program(file: Path) -> None:
    with closing(sqlite3.connect(file)) as book:
        book.execute("CREATE TABLE theirs (one)")


def of_a_later_version(file: Path) -> None:
    say(RatingStore(file, "x"), Said(score=1))
    with closing(sqlite3.connect(file)) as book:
        book.execute("PRAGMA user_version = 99")


def of_another_run(file: Path) -> None:
    say(RatingStore(file, "another"), Said(score=1))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_database, "damaged"),
        (of_another_program, "another program's"),
        (of_a_later_version, "version 99"),
        (of_another_run, "ratings of another run"),
    ],
)
def test_a_file_that_is_not_this_runs_is_refused_and_left_alone(run: Run, damage: object, words: str):
    file = run.folder / RATINGS_FILE
    assert callable(damage)
    damage(file)
    before = file.read_bytes()
    with pytest.raises(RatingError, match=words):
        read_ratings(run)
    with pytest.raises(RatingError, match=words):
        say(store_of(run), Said(score=1))
    assert file.read_bytes()[100:] == before[100:]


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Where `folder` may be read and not written, even where the tests run as the superuser."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield folder
        finally:
            folder.chmod(0o700)
        return
    with TemporaryDirectory() as parent:  # pytest's own folders let nobody else through
        Path(parent).chmod(0o755)
        copied = Path(shutil.copytree(folder, Path(parent) / "run"))
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield copied
        finally:
            os.setresuid(0, 0, 0)


def test_a_folder_that_may_only_be_read_is_read(run: Run) -> None:
    say(store_of(run), Said(score=1))
    with read_only(run.folder) as folder:
        with pytest.raises(PermissionError):
            (folder / "new").touch()
        assert scores(Run(folder, run.manifest)) == {("1.jpg", ONE): 1}


def test_a_run_keeps_its_name_when_its_folder_moves(run: Run, tmp_path: Path):
    before = run_id(run)
    run.folder.rename(tmp_path / "moved")
    assert run_id(Run(tmp_path / "moved", run.manifest)) == before


def test_tags_are_spelled_once_under_the_name_that_is_offered():
    told = checked(Said(tags=(" 颜色写错", "wrong color", "自定 义", "自定 义 ", "")))
    assert told.tags == ("wrong_color", "自定 义")
    assert tag_name("wrong_color") == "颜色写错 wrong color"
    assert tag_name("自定") == "自定"


@pytest.mark.parametrize(
    ("said", "param"),
    [
        (Said(score=0), "score"),
        (Said(score=6), "score"),
        (Said(tags=("长" * 41,)), "tags"),
        (Said(tags=tuple(map(str, range(21)))), "tags"),
        (Said(corrected="长" * 8001), "corrected"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(said: Said, param: str):
    with pytest.raises(RequestError) as told:
        checked(said)
    assert told.value.param == param


@pytest.mark.parametrize("rater", ["", "A" * 16, "a" * 15, "'; DROP TABLE rating; --", "../../etc"])
def test_a_rater_is_sixteen_hex_digits(rater: str):
    with pytest.raises(FlashSightError):
        checked_rater(rater)


def test_the_hashes_name_pictures_and_question(run: Run):
    shown = Case(id="x", pictures=(CasePicture(path="a", sha256="1"), CasePicture(path="b")), prompt=None)
    assert picture_hash(shown) == "1+-"
    assert prompt_hash(run, shown) == run.manifest.prompt_sha256
    asked = Case(id="x", pictures=(), prompt="别的")
    assert len(prompt_hash(run, asked)) == 64


def test_ratings_of_the_page_make_the_usable_copy_rate(tmp_path: Path):
    written = {f"shop/{at}.jpg": {"marketing_copy": f"文案{at}"} for at in range(5)}
    run = write_run(tmp_path / "rated", written)
    store = store_of(run)
    said = [
        Said(score=4),
        Said(score=3),
        Said(score=2, is_accepted=True),
        Said(is_accepted=True, corrected="另一个"),
        Said(score=5, corrected="改过"),
    ]
    for item, one in zip(written, said, strict=True):
        say(store, one, item=item)
    say(store, Said(score=2), item="shop/0.jpg", rater=OTHER)
    results = {result.id: result for result in run.results()}
    told = usable_share(ratings_of(read_ratings(run)), results, ["marketing_copy"])
    # 0: median of 4 and 2 is 3. 2: accepted without a change. 3: accepted, but changed. 4: rated 5.
    assert (told.hits, told.num) == (2, 5)
