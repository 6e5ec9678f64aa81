"""A run's folder reads back as it was written, also while it is being written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from flashsight.workbench.records import (
    Case,
    CasePicture,
    Fault,
    Manifest,
    ModelRecord,
    Result,
    RunError,
    SourceRecord,
    Timing,
    Tokens,
    open_run,
    to_line,
)

MANIFEST = Manifest(
    created="2026-11-23T06:00:00Z",
    model=ModelRecord(name="nano", weights_id="abc", precision="float32", device="cpu"),
    source=SourceRecord(path="/pictures", root="/pictures"),
    num_cases=2,
    prompt="说说这个商品",
    prompt_sha256="0" * 64,
    schema={"type": "object"},
    schema_sha256="1" * 64,
    sampling={"temperature": 0.0, "max_tokens": 64},
)
PICTURE = CasePicture(path="杯子.jpg", sha256="f" * 64)
GOOD = Result(
    id="杯子.jpg",
    pictures=(PICTURE,),
    answer='{"color":"红"}',
    parsed={"color": "红"},
    finish="stop",
    tokens=Tokens(prompt=40, picture=30, completion=9),
    boxes=({"picture": 0, "left": 1, "top": 2, "right": 3, "bottom": 4, "label": None},),
    columns={"group": "页面文字"},
    picture_hashes=("00ff00ff00ff00ff",),
)
BAD = Result(id="x", pictures=(), error=Fault(code="image_unreadable", message="no picture"), looks_like=("杯子.jpg",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(asdict(MANIFEST)), encoding="utf-8")
    return tmp_path


def test_a_finished_run_reads_back_as_it_was_written(folder: Path) -> None:
    case = Case(id="杯子.jpg", pictures=(PICTURE,), prompt="?", columns={"a": "b"})
    (folder / "cases.jsonl").write_text(to_line(case), encoding="utf-8")
    (folder / "results.jsonl").write_text(to_line(GOOD) + to_line(BAD), encoding="utf-8")
    (folder / "timings.jsonl").write_text(to_line(Timing(id="x", total_ms=2.5)), encoding="utf-8")
    run = open_run(folder)
    assert run.manifest == MANIFEST
    assert run.is_complete
    assert list(run.cases()) == [case]
    assert list(run.results()) == [GOOD, BAD]
    assert list(run.timings()) == [Timing(id="x", total_ms=2.5)]
    assert run.picture_file(PICTURE) == Path("/pictures/杯子.jpg")


def test_a_run_under_way_shows_what_is_done_and_hides_a_torn_line(folder: Path) -> None:
    whole = to_line({"result": GOOD, "timing": Timing(id=GOOD.id, total_ms=1.0)})
    (folder / "journal.jsonl").write_text(whole + whole[:30], encoding="utf-8")
    run = open_run(folder)
    assert not run.is_complete
    assert list(run.results()) == [GOOD]
    assert [timing.id for timing in run.timings()] == [GOOD.id]


def test_a_run_that_has_just_begun_has_no_result(folder: Path) -> None:
    assert list(open_run(folder).results()) == []


def test_fields_of_a_later_version_are_ignored(folder: Path) -> None:
    row = json.loads(to_line(GOOD)) | {"from_the_future": 1}
    (folder / "results.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert list(open_run(folder).results()) == [GOOD]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=str(tmp_path)):
        open_run(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no manifest\.json"):
        open_run(tmp_path)


def test_a_damaged_line_is_named(folder: Path) -> None:
    (folder / "results.jsonl").write_text(to_line(GOOD) + "{\n", encoding="utf-8")
    with pytest.raises(RunError, match="line 2"):
        list(open_run(folder).results())
