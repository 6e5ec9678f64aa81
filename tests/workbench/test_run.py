"""A run over doubles: what it asks, what it keeps, and that stopping it changes nothing."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import weakref
from dataclasses import fields, replace
from pathlib import Path

import pytest
from PIL import Image

from flashsight.core.config import MediaConfig
from flashsight.core.errors import EngineFault, KeyRequired, Overloaded, PromptTooLong, SchemaError
from flashsight.core.types import Media
from flashsight.processing.media import MediaGate
from flashsight.service.upstream import Unreachable
from flashsight.workbench import journal as journal_module
from flashsight.workbench.export import write_csv
from flashsight.workbench.journal import Journal
from flashsight.workbench.progress import Progress
from flashsight.workbench.records import Case, CasePicture, Result, RunError, Timing, open_run
from flashsight.workbench.run import BatchRun, RunStopped, begin, plan_work, resume
from tests.workbench.house import QUESTION, Backend, CountingGate, asker_of, draw, new_run

pytestmark = pytest.mark.anyio

WRITTEN = ("manifest.json", "cases.jsonl", "results.jsonl", "timings.jsonl", "parts.jsonl")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for seed in range(12):
        draw(tmp_path / "pictures" / f"p_{seed}.png", seed)
    return tmp_path / "pictures"


async def test_every_picture_has_its_answer_in_the_order_of_the_folder(pictures: Path, tmp_path: Path) -> None:
    run = new_run(pictures, tmp_path / "run")
    await BatchRun(run).go(asker_of(run, Backend()), in_flight=5)
    results = list(open_run(run.folder).results())
    assert [result.id for result in results] == [f"p_{seed}.png" for seed in range(12)]
    for result in results:
        assert result.pictures[0].sha256 is not None
        assert result.parsed == {"color": result.pictures[0].sha256[:8]}
        assert json.loads(result.answer or "") == result.parsed
    timings = list(run.timings())
    assert [timing.id for timing in timings] == [result.id for result in results]
    assert timings[0].prefill_ms == 3.0
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(WRITTEN)


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_no_more_are_asked_at_a_time_than_was_said(pictures: Path, tmp_path: Path, in_flight: int) -> None:
    run, backend = new_run(pictures, tmp_path / "run"), Backend(wait_for=in_flight)
    await BatchRun(run).go(asker_of(run, backend), in_flight=in_flight)
    assert backend.most_open == in_flight


async def test_a_stopped_run_ends_in_the_files_of_an_uninterrupted_one(pictures: Path, tmp_path: Path) -> None:
    whole, torn = new_run(pictures, tmp_path / "whole"), new_run(pictures, tmp_path / "torn")
    await BatchRun(whole).go(asker_of(whole, Backend()), in_flight=1)
    first = Backend()
    some = asyncio.Event()

    def notice(progress: Progress) -> None:
        if progress.num_done >= 4:
            some.set()

    going = asyncio.create_task(BatchRun(torn).go(asker_of(torn, first), in_flight=3, watch=notice))
    await some.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    with (torn.folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"result":{"id":"p_7')
    kept = len(list(torn.results()))
    assert 0 < kept < 12
    second = Backend()
    await BatchRun(resume(open_run(torn.folder), torn.manifest)).go(asker_of(torn, second), in_flight=2)
    assert second.asked.total() == 12 - kept
    assert (torn.folder / "results.jsonl").read_bytes() == (whole.folder / "results.jsonl").read_bytes()


async def test_a_bad_picture_costs_its_own_row_only(pictures: Path, tmp_path: Path) -> None:
    (pictures / "p_3.png").write_bytes(b"no picture at all")
    (pictures / "p_4.png").write_bytes(b"")
    cut = (pictures / "p_5.png").read_bytes()
    (pictures / "p_5.png").write_bytes(cut[: len(cut) // 2])
    run = new_run(pictures, tmp_path / "run")
    (pictures / "p_6.png").unlink()
    draw(pictures / "p_8.png", 99)
    await BatchRun(run).go(asker_of(run, Backend()), in_flight=3)
    errors = {result.id: result.error.code for result in run.results() if result.error}
    assert set(errors) == {"p_3.png", "p_4.png", "p_5.png", "p_6.png", "p_8.png"}
    assert errors["p_4.png"] == "image_empty"
    assert errors["p_6.png"] == "picture_missing"
    assert errors["p_8.png"] == "picture_changed"


async def test_a_name_that_is_no_utf_8_is_asked_about_like_any_other(pictures: Path, tmp_path: Path) -> None:
    name = os.fsdecode("红色.png".encode("gb18030"))
    (pictures / "p_1.png").rename(pictures / name)
    run = new_run(pictures, tmp_path / "run")
    (pictures / "p_3.png").rename(pictures / os.fsdecode(b"\xff.png"))
    await BatchRun(run).go(asker_of(run, Backend()), in_flight=3)
    results = {result.id: result for result in open_run(run.folder).results()}
    assert results["红色.png"].pictures[0].path == name
    assert results["红色.png"].parsed is not None
    for file in ("cases.jsonl", "results.jsonl"):
        (run.folder / file).read_text(encoding="utf-8")
    write_csv(run, run.folder / "results.csv")
    assert "红色.png" in (run.folder / "results.csv").read_text(encoding="utf-8-sig")


async def test_a_file_too_large_is_told_by_its_own_size(pictures: Path, tmp_path: Path) -> None:
    limit = MediaConfig().max_bytes
    with (pictures / "p_2.png").open("r+b") as file:
        file.truncate(3 * limit)
    run = new_run(pictures, tmp_path / "run")
    await BatchRun(run).go(asker_of(run, Backend()), in_flight=3)
    (error,) = (result.error for result in run.results() if result.error)
    assert error.code == "image_too_large"
    assert f"{3 * limit} bytes, the limit is {limit}" in error.message


async def test_the_same_bytes_are_asked_about_once(pictures: Path, tmp_path: Path) -> None:
    shutil.copy(pictures / "p_1.png", pictures / "z_again.png")
    run, backend, gate = new_run(pictures, tmp_path / "run"), Backend(), CountingGate(MediaConfig())
    await BatchRun(run).go(asker_of(run, backend, gate=gate), in_flight=4)
    assert gate.num_admitted == backend.asked.total() == 12
    results = {result.id: result for result in run.results()}
    assert results["z_again.png"].duplicate_of == "p_1.png"
    assert results["z_again.png"].parsed == results["p_1.png"].parsed
    assert {timing.id: timing.attempts for timing in run.timings()}["z_again.png"] == 0


async def test_pictures_that_look_the_same_and_are_answered_otherwise_name_each_other(
    pictures: Path, tmp_path: Path
) -> None:
    with Image.open(pictures / "p_1.png") as image:
        image.convert("RGB").resize((90, 90), Image.Resampling.BICUBIC).save(pictures / "p_1_copy.jpg", quality=85)
    run = new_run(pictures, tmp_path / "run")
    await BatchRun(run).go(asker_of(run, Backend()), in_flight=4)
    flagged = {result.id: result.looks_like for result in run.results() if result.looks_like}
    assert flagged == {"p_1.png": ("p_1_copy.jpg",), "p_1_copy.jpg": ("p_1.png",)}


async def test_wording_is_no_disagreement(pictures: Path, tmp_path: Path) -> None:
    with Image.open(pictures / "p_1.png") as image:
        image.save(pictures / "p_1_copy.bmp")
    run = new_run(pictures, tmp_path / "run")
    said = {
        case.pictures[0].sha256 or "": json.dumps({"color": "red", "copy": f"{number} " + "long words " * 5})
        for number, case in enumerate(run.cases())
    }
    await BatchRun(run).go(asker_of(run, Backend(said=said)), in_flight=4)
    assert [result.id for result in run.results() if result.looks_like] == []


@pytest.mark.parametrize(
    ("said", "finish", "code"), [('{"color": "r', "length", "answer_cut"), ("red", "stop", "answer_not_json")]
)
async def test_an_answer_that_is_no_json_is_kept_with_its_reason(
    pictures: Path, tmp_path: Path, said: str, finish: str, code: str
) -> None:
    run = new_run(pictures, tmp_path / "run")
    first = next(run.cases())
    backend = Backend(said={first.pictures[0].sha256 or "": said}, finish=finish)
    await BatchRun(run).go(asker_of(run, backend), in_flight=1)
    result = next(run.results())
    assert (result.answer, result.parsed) == (said, None)
    assert result.error is not None
    assert result.error.code == code


async def test_without_a_schema_the_text_is_the_answer(pictures: Path, tmp_path: Path) -> None:
    question = replace(QUESTION, schema=None)
    run, backend = new_run(pictures, tmp_path / "run", question), Backend()
    await BatchRun(run).go(asker_of(run, backend, question), in_flight=1)
    assert all(result.parsed is None and result.error is None for result in run.results())


async def test_a_full_server_is_waited_for_and_a_stumbling_one_asked_again(pictures: Path, tmp_path: Path) -> None:
    run = new_run(pictures, tmp_path / "run")
    faults = [Overloaded("full", retry_after_seconds=1), EngineFault("oh"), Unreachable("gone"), PromptTooLong("long")]
    await BatchRun(run).go(asker_of(run, Backend(faults=faults)), in_flight=1)
    errors = [result.error.code for result in run.results() if result.error]
    assert errors == ["context_length_exceeded"]
    assert next(run.timings()).attempts == 4


async def test_a_server_that_always_fails_at_one_case_does_not_end_the_run(pictures: Path, tmp_path: Path) -> None:
    run = new_run(pictures, tmp_path / "run")
    await BatchRun(run).go(asker_of(run, Backend(faults=[EngineFault("oh")] * 3)), in_flight=1)
    assert [result.id for result in run.results() if result.error] == ["p_0.png"]


@pytest.mark.parametrize("fault", [Unreachable("gone"), KeyRequired("no"), SchemaError("bad")])
async def test_what_would_stop_every_case_stops_the_run_and_says_how_to_go_on(
    pictures: Path, tmp_path: Path, fault: Exception
) -> None:
    run, backend = new_run(pictures, tmp_path / "run"), Backend()
    asker = asker_of(run, backend)

    def pull_the_plug(progress: Progress) -> None:
        if progress.num_done == 5:
            backend.faults = [fault] * 3  # type: ignore[list-item]

    with pytest.raises(RunStopped, match=r"5 of 12 cases are saved in .*the same command goes on"):
        await BatchRun(run).go(asker, in_flight=1, watch=pull_the_plug)
    backend.faults = []
    await BatchRun(run).go(asker, in_flight=1)
    assert open_run(run.folder).is_complete


async def test_a_full_disk_stops_the_run_and_keeps_what_was_whole(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, num_written = new_run(pictures, tmp_path / "run"), 0
    write = os.pwrite

    def small_disk(handle: int, line: bytes, place: int) -> int:
        nonlocal num_written
        num_written += 1
        if num_written > 4:
            write(handle, line[:10], place)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, line, place)

    monkeypatch.setattr(journal_module.os, "pwrite", small_disk)
    with pytest.raises(RunStopped, match=r"the disk is full .* 4 of 12 cases are saved") as caught:
        await BatchRun(run).go(asker_of(run, Backend()), in_flight=2)
    assert caught.value.code == "disk_full"
    assert (run.folder / "journal.jsonl").read_bytes().endswith(b"}\n")
    assert len(list(run.results())) == 4


async def test_progress_counts_up_to_the_end(pictures: Path, tmp_path: Path) -> None:
    shutil.copy(pictures / "p_1.png", pictures / "z_again.png")
    run, seen = new_run(pictures, tmp_path / "run"), list[Progress]()
    ticks = iter(range(1000))
    await BatchRun(run, clock=lambda: float(next(ticks))).go(asker_of(run, Backend()), in_flight=1, watch=seen.append)
    assert [progress.num_done for progress in seen] == sorted(progress.num_done for progress in seen)
    assert (seen[0].num_done, seen[0].left_seconds) == (0, None)
    assert (seen[-1].num_done, seen[-1].num_cases, seen[-1].left_seconds) == (13, 13, 0.0)
    middle = seen[6]
    assert middle.left_seconds == pytest.approx((12 - middle.num_asked) / middle.pictures_per_second)


class Followed(Media):
    """A picture that tells when it is gone."""

    __slots__ = ("__weakref__",)


class FollowingGate(MediaGate):
    """Counts the pictures that are alive."""

    num_alive = most_alive = 0

    async def admit_bytes(self, content: bytes, *, param: str = "file") -> Media:
        media = await super().admit_bytes(content, param=param)
        followed = Followed(**{each.name: getattr(media, each.name) for each in fields(media)})
        self.num_alive += 1
        self.most_alive = max(self.most_alive, self.num_alive)
        weakref.finalize(followed, self._forget)
        return followed

    def _forget(self) -> None:
        self.num_alive -= 1


async def test_pictures_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    for seed in range(300):
        draw(tmp_path / "many" / f"{seed}.png", seed)
    run, gate = new_run(tmp_path / "many", tmp_path / "run"), FollowingGate(MediaConfig())
    await BatchRun(run).go(asker_of(run, Backend(), gate=gate), in_flight=8)
    assert 0 < gate.most_alive <= 2 * 8
    assert len(list(run.results())) == 300


def test_a_run_of_something_else_is_not_gone_on_with(pictures: Path, tmp_path: Path) -> None:
    run = new_run(pictures, tmp_path / "run")
    other = replace(run.manifest, prompt="other", schema_sha256="0", num_cases=3)
    with pytest.raises(RunError, match=r"another prompt, schema, number of cases \(12, now 3\)"):
        resume(run, other)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, pictures: Path) -> None:
    run = new_run(pictures, tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="holds other files"):
        begin(tmp_path / "mine", run.manifest, run.cases())
    with pytest.raises(RunError, match="is a file"):
        begin(tmp_path / "mine" / "thesis.txt", run.manifest, run.cases())


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(RunError, match="another process"):
        Journal(tmp_path / "journal.jsonl")
    journal.close()
    Journal(tmp_path / "journal.jsonl").close()


@pytest.mark.parametrize("torn", ["", "x", '{"result":', "y" * 200_000])
def test_a_journal_is_whole_again_after_any_death(tmp_path: Path, torn: str) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file)
    kept = [Result(id=f"案例{number}", pictures=()) for number in range(5)]
    for result in kept:
        journal.append(result, Timing(id=result.id, total_ms=1.0))
    journal.close()
    with file.open("a") as end:
        end.write(torn)
    again = Journal(file)
    again.append(Result(id="new", pictures=()), Timing(id="new", total_ms=2.0))
    assert len(again) == 6
    assert [again.read(result.id)[0] for result in kept] == kept
    assert again.read("new")[1].total_ms == 2.0
    again.close()


def test_cases_of_one_picture_are_asked_side_by_side() -> None:
    def case(name: str, sha256: str, prompt: str | None = None) -> Case:
        return Case(id=name, pictures=(CasePicture(path=name, sha256=sha256),), prompt=prompt)

    work = plan_work([case("a", "1"), case("b", "2"), case("c", "1", "why?"), case("d", "2"), case("e", "3")])
    assert [each.id for each in work.asked] == ["a", "c", "b", "e"]
    assert work.first_of == {"d": "b"}
