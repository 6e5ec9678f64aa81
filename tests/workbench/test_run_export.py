"""A finished run as tables, read back by other libraries."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fastexcel
import pillow_heif
import pytest
from PIL import ExifTags, Image

from flashsight.cli.batch_progress import line, summary
from flashsight.core.errors import ConfigError
from flashsight.workbench import whole
from flashsight.workbench.aigc import write_label
from flashsight.workbench.device import CpuMeter, DeviceUse, read_device_use, resident_bytes
from flashsight.workbench.export import write_csv, write_excel
from flashsight.workbench.progress import Progress
from flashsight.workbench.ratings import run_id
from flashsight.workbench.records import Run, RunError
from flashsight.workbench.run import BatchRun
from flashsight.workbench.thumbnails import small_picture
from tests.workbench.house import QUESTION, SCHEMA, Backend, asker_of, draw, new_run


async def finished(folder: Path, *, said: object = None) -> Run:
    for seed in (1, 2):
        draw(folder / f"{seed}.png", seed)
    rows = "id,picture,color,分组,note\n001,1.png,gold red,页面,=1+1\n002,2.png,,多图,\n003,gone.png,,,\n"
    (folder / "t.csv").write_text(rows, encoding="utf-8")
    run = new_run(folder / "t.csv", folder / "run")
    answers = {} if said is None else {case.pictures[0].sha256 or "": json.dumps(said) for case in run.cases()}
    await BatchRun(run).go(asker_of(run, Backend(said=answers)), in_flight=1)
    return run


@pytest.mark.anyio
async def test_a_csv_has_the_answer_beside_the_columns_of_the_users_own_table(tmp_path: Path) -> None:
    run = await finished(tmp_path, said={"color": "红", "copy": "=HYPERLINK(1)"})
    write_csv(run, tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    first, second, third = csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text(encoding="utf-8-sig")))
    assert (first["id"], first["color (table)"], first["color"], first["分组"]) == ("001", "gold red", "红", "页面")
    assert (first["copy"], first["note"]) == ("'=HYPERLINK(1)", "'=1+1")
    assert (second["color"], second["error"]) == ("红", "")
    assert third["error"].startswith("picture_missing: ")


@pytest.mark.anyio
async def test_an_excel_file_has_text_as_text_and_a_thumbnail_a_picture(tmp_path: Path) -> None:
    run = await finished(tmp_path, said={"color": "0012", "copy": "=1+1"})
    write_excel(run, tmp_path / "r.xlsx")
    frame = fastexcel.read_excel(tmp_path / "r.xlsx").load_sheet("results", dtypes="string").to_polars()
    assert frame["id"].to_list() == ["001", "002", "003"]
    assert frame["color"].to_list()[:2] == ["0012", "0012"]
    assert frame["copy"].to_list()[:2] == ["=1+1", "=1+1"]
    with zipfile.ZipFile(tmp_path / "r.xlsx") as parts:
        pictures = [name for name in parts.namelist() if name.startswith("xl/media/")]
        sizes = [Image.open(io.BytesIO(parts.read(name))).size for name in pictures]
        drawn = parts.read("xl/drawings/drawing1.xml").decode()
        cells = parts.read("xl/worksheets/sheet1.xml").decode()
    assert sizes == [(56, 56), (56, 56)]
    # Over their cells: a picture inside a cell is an error in every program that is not a recent Excel.
    assert drawn.count("<xdr:pic>") == 2
    assert 't="e"' not in cells
    assert not any(name.startswith("xl/richData") for name in pictures)


@pytest.mark.parametrize("turn", [1, 6])
def test_a_small_picture_is_what_a_person_sees(tmp_path: Path, turn: int) -> None:
    image = Image.new("RGB", (400, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = turn
    image.save(tmp_path / "a.jpg", exif=exif)
    pillow_heif.from_pillow(image).save(tmp_path / "a.heic")
    clear = Image.new("RGBA", (400, 200), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    for name in ("a.jpg", "a.heic") if turn == 1 else ("a.jpg",):
        small = small_picture(tmp_path / name, 100)
        assert small is not None
        assert small[1] == ((400, 200) if turn == 1 else (200, 400))
        assert max(small[0].size) == 100
        pixel = small[0].getpixel((25, 25))  # the left half, which a quarter turn makes the upper one
        assert pixel[0] > 200 > 60 > pixel[2]  # type: ignore[index]
    small = small_picture(tmp_path / "clear.png", 100)
    assert small is not None
    assert small[0].getpixel((50, 25)) == (255, 255, 255)
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert small_picture(tmp_path / "no.png", 100) is small_picture(tmp_path / "gone.png", 100) is None


@pytest.mark.anyio
async def test_a_text_answer_has_a_column_of_its_own(tmp_path: Path) -> None:
    draw(tmp_path / "p" / "1.png", 1)
    question = replace(QUESTION, schema=None)
    run = new_run(tmp_path / "p", tmp_path / "run", question)
    await BatchRun(run).go(asker_of(run, Backend(), question), in_flight=1)
    write_csv(run, tmp_path / "r.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text(encoding="utf-8-sig")))
    assert row["answer"] == next(run.results()).answer
    assert not set(SCHEMA["properties"]) & set(row)


def test_a_run_that_goes_on_has_no_table_yet(tmp_path: Path) -> None:
    draw(tmp_path / "p" / "1.png", 1)
    run = new_run(tmp_path / "p", tmp_path / "run")
    with pytest.raises(RunError, match="not complete"):
        write_csv(run, tmp_path / "r.csv")
    with pytest.raises(RunError, match="not complete"):
        write_excel(run, tmp_path / "r.xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p", "run"]


@pytest.mark.anyio
async def test_without_the_extra_excel_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await finished(tmp_path)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(ConfigError, match=r"flashsight\[workbench\]"):
        write_excel(run, tmp_path / "r.xlsx")


@pytest.mark.anyio
@pytest.mark.parametrize("write", [write_csv, write_excel])
async def test_a_full_disk_leaves_no_half_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Run, Path], None]
) -> None:
    run = await finished(tmp_path)
    write(run, tmp_path / "table")
    before = (tmp_path / "table").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(whole.os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full") as caught:
        write(run, tmp_path / "table")
    assert caught.value.code == "disk_full"
    assert (tmp_path / "table").read_bytes() == before
    assert not (tmp_path / "table.new").exists()


@pytest.mark.anyio
async def test_json_lines_and_csv_are_labelled_by_a_file_beside_them(tmp_path: Path) -> None:
    run = await finished(tmp_path)
    write_label(run)
    told = json.loads((run.folder / "aigc.json").read_text(encoding="utf-8"))
    assert (told["AIGC"]["Label"], told["AIGC"]["ProduceID"]) == ("1", run_id(run))
    assert set(told["files"]) == {"results.jsonl", "results.csv"}


@pytest.mark.anyio
async def test_the_end_says_what_came_of_it(tmp_path: Path) -> None:
    outcome = summary(await finished(tmp_path))
    assert outcome.num_answered == 2
    assert outcome.words == "2 answered · 1 failed"
    (reason,) = outcome.reasons
    assert re.match(r"  1 × picture_missing · 003: there is no file .*gone\.png", reason)


def test_on_a_cpu_the_line_tells_what_this_process_uses() -> None:
    meter, until = CpuMeter(), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert meter.read() > 0
    held = resident_bytes()
    assert held is not None
    assert 1 << 24 < held < 1 << 36


@pytest.mark.parametrize(("visible", "asked"), [("", 0), ("2,0", 2), ("GPU-7f", "GPU-7f"), (None, 0)])
def test_the_gpu_that_is_told_of_is_the_one_that_this_process_sees(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, asked: int | str
) -> None:
    driver = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetHandleByUUID=lambda name: name,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=3 << 30, total=24 << 30),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=91 if handle == asked else 0),
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert read_device_use() == DeviceUse(used_bytes=3 << 30, total_bytes=24 << 30, busy_percent=91)


def test_progress_reads_as_one_line() -> None:
    progress = Progress(
        num_cases=600,
        num_before=100,
        num_done=200,
        num_failed=3,
        num_asked=100,
        num_pictures=100,
        num_left_to_ask=400,
        seconds=20.0,
    )
    assert line(progress) == "200 of 600 done · 3 failed · 5.0 pictures/s · 1 min 20 s left"
