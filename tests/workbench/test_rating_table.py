"""Ratings as figures and tables: read back by other libraries and by `evaluate`, and told by the command."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import fastexcel
import pytest

from flashsight.workbench.preference import preference
from flashsight.workbench.rating_records import Said
from flashsight.workbench.rating_table import summarise, write_ratings
from flashsight.workbench.ratings import read_ratings, run_id, store_of
from flashsight.workbench.records import Run, RunError
from flashsight.workbench.rules import read_rules
from flashsight.workbench.sheets import TableError
from flashsight.workbench.usable import ratings_of
from flashsight.workbench.usable import read_ratings as read_table
from tests.cli.conftest import Shell
from tests.workbench.runs import write_run

RATERS = ("a" * 16, "b" * 16)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = write_run(tmp_path / "run", {f"{at}.jpg": {"marketing_copy": "好"} for at in range(20)})
    store = store_of(run)
    for at in range(20):
        for number, rater in enumerate(RATERS):
            said = Said(score=1 + (at + number * (at % 4 == 0)) % 5, tags=("wrong_color",) if at < 3 else ())
            if at == 5:
                said = Said(score=2, is_accepted=True, corrected="=1+1")
            store.add(
                item=f"{at}.jpg",
                picture_sha256="p",
                prompt_sha256="q",
                rater=rater,
                said=said,
                edit_distance=4 if at == 5 else None,
            )
    store.undo(RATERS[1])
    return run


def test_the_summary_counts_people_items_and_tags(run: Run):
    told = summarise(read_ratings(run))
    assert (told.num_items, told.num_raters, told.num_ratings) == (20, 2, 39)
    assert told.tags == (("wrong_color", 3),)
    assert told.edits.value == 4.0
    assert told.alpha.num == 19
    assert told.kappa is not None
    assert told.kappa.num == 19
    assert told.kappa.value is not None
    assert told.alpha.value is not None
    assert 0 < told.alpha.value < 1
    alone = summarise([row for row in read_ratings(run) if row.rater == RATERS[0]])
    assert alone.kappa is None
    assert alone.alpha.value is None
    assert "无法判断" in alone.reliance


@pytest.mark.parametrize("name", ["said.csv", "said.xlsx"])
def test_a_written_table_is_read_back_as_the_same_ratings(run: Run, tmp_path: Path, name: str):
    rows = [row for row in read_ratings(run) if row.item != "5.jpg"]
    write_ratings(rows, tmp_path / name)
    assert read_table(tmp_path / name, read_rules()) == ratings_of(rows)


def test_no_cell_of_a_csv_is_a_formula_and_excel_keeps_the_text(run: Run, tmp_path: Path):
    write_ratings(read_ratings(run), tmp_path / "said.csv")
    with (tmp_path / "said.csv").open(encoding="utf-8-sig") as file:
        assert {row["corrected_copy"] for row in csv.DictReader(file)} == {"", "'=1+1"}
    write_ratings(read_ratings(run), tmp_path / "said.xlsx")
    frame = fastexcel.read_excel(tmp_path / "said.xlsx").load_sheet("ratings").to_polars()
    assert set(frame["corrected_copy"].to_list()) == {None, "=1+1"}
    assert frame["tags"].to_list()[0] == "颜色写错 wrong color"


def test_the_history_tells_what_was_taken_back(run: Run, tmp_path: Path):
    write_ratings(store_of(run).history(), tmp_path / "all.csv", with_history=True)
    with (tmp_path / "all.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 41
    assert (rows[-1]["undoes"], rows[-1]["rating"]) == ("40", "")


def test_other_endings_and_folders_that_are_not_there_are_refused(run: Run, tmp_path: Path):
    with pytest.raises(TableError, match="must end in"):
        write_ratings([], tmp_path / "said.txt")
    with pytest.raises(RunError, match="cannot be written"):
        write_ratings([], tmp_path / "no folder" / "said.csv")


def test_an_item_counts_once_for_the_round_that_more_of_its_raters_prefer():
    choices = {("1", "a"): "second", ("1", "b"): "second", ("1", "c"): "first", ("2", "a"): "same"}
    choices |= {("3", "a"): "first", ("3", "b"): "second"}
    told = preference(choices)
    assert (told.num_items, told.num_raters, told.num_choices, told.num_even) == (3, 3, 6, 2)
    assert (told.second.hits, told.second.num) == (1, 1)
    assert told.winner is None


def test_a_clear_preference_has_a_winner_and_an_even_one_has_not():
    clear = preference({(str(at), "a"): "second" if at % 8 else "first" for at in range(40)})
    assert clear.winner == "second"
    assert preference({(str(at), "a"): "first" for at in range(40)}).winner == "first"
    assert preference({(str(at), "a"): ("first", "second")[at % 2] for at in range(40)}).winner is None


@pytest.fixture
def shell(run: Run) -> Shell:
    return Shell(run.folder.parent)


def test_the_command_tells_agreement_writes_the_table_and_names_the_preferred_round(shell: Shell, run: Run):
    second = write_run(shell.folder / "other", {f"{at}.jpg": {"marketing_copy": "新"} for at in range(20)}, prompt="x")
    for at in range(20):
        store_of(run).choose(run_id(second), f"{at}.jpg", RATERS[0], "second")
    said = shell.run("ratings", "run", "other", "--out", "said.xlsx")
    assert said.status == 0, said.err
    assert "Krippendorff" in said.out
    assert "后者更好" in said.out
    assert (shell.folder / "said.xlsx").is_file()
    told = json.loads(shell.run("ratings", "run", "--json").out)
    assert (told["raters"], told["preferred"]) == (2, None)


def test_the_command_says_when_nobody_has_rated_and_what_makes_no_sense(shell: Shell):
    write_run(shell.folder / "fresh", {"1.jpg": {"marketing_copy": "好"}})
    said = shell.run("ratings", "fresh")
    assert (said.status, said.out) == (0, "")
    assert "flashsight workbench fresh" in said.err
    assert shell.run("ratings", "fresh", "--history").status == 2
    assert "is no run" in shell.run("workbench", "nowhere").err


def test_the_page_is_served_until_ctrl_c(shell: Shell):
    words = [sys.executable, "-m", "flashsight", "workbench", "run", "--port", "0"]
    going = subprocess.Popen(words, cwd=shell.folder, env=shell.environment, stderr=subprocess.PIPE, text=True)
    assert going.stderr is not None
    try:
        address = next(word for line in going.stderr for word in line.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(address) as page:
            assert b"FlashSight" in page.read()
        with urllib.request.urlopen(f"{address}/api/run") as told:
            assert json.load(told)["num_items"] == 20
        going.send_signal(signal.SIGINT)
        assert going.wait(30) in (0, 130)
        assert "Traceback" not in going.stderr.read()
    finally:
        going.kill()
        going.wait()
        going.stderr.close()
