"""Pictures that look the same are asked about once where that is wished, and stay so after a stop."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from flashsight.core.config import MediaConfig
from flashsight.processing.media import MediaGate
from flashsight.workbench.near import with_likeness
from flashsight.workbench.records import Case, CasePicture, open_run
from flashsight.workbench.run import BatchRun, begin, plan_work
from tests.workbench.house import Backend, asker_of, draw, new_run


def case(name: str, prompt: str | None = None) -> Case:
    return Case(id=name, pictures=(CasePicture(path=name),), prompt=prompt)


async def likened(folder: Path, cases: list[Case]) -> dict[str, str | None]:
    found = await with_likeness(cases, folder, MediaGate(MediaConfig()), max_bytes=1 << 20)
    return {one.id: one.same_as for one in found}


async def test_a_copy_in_another_size_is_like_the_first_and_nothing_else_is(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "other.png", 2)
    with Image.open(tmp_path / "a.png") as image:
        image.resize((112, 112)).save(tmp_path / "b.png")
        image.save(tmp_path / "c.jpg", quality=92)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = ["a.png", "other.png", "b.png", "c.jpg", "bad.png", "missing.png"]
    expected = dict.fromkeys(names) | {"b.png": "a.png", "c.jpg": "a.png"}
    assert await likened(tmp_path, [case(name) for name in names]) == expected
    assert await likened(tmp_path, [case("a.png"), case("b.png", "another question")]) == {
        "a.png": None,
        "b.png": None,
    }


async def test_the_others_take_the_answer_of_the_first(tmp_path: Path) -> None:
    draw(tmp_path / "goods" / "a.png", 1)
    with Image.open(tmp_path / "goods" / "a.png") as image:
        image.resize((112, 112)).save(tmp_path / "goods" / "b.png")
    asked_twice = new_run(tmp_path / "goods", tmp_path / "twice")
    cases = await with_likeness(
        list(asked_twice.cases()), tmp_path / "goods", MediaGate(MediaConfig()), max_bytes=1 << 20
    )
    run = begin(tmp_path / "once", asked_twice.manifest, cases)
    backend = Backend()
    await BatchRun(run).go(asker_of(run, backend), in_flight=2)
    first, second = open_run(run.folder).results()
    assert sum(backend.asked.values()) == 1
    assert (second.duplicate_of, second.answer, second.looks_like) == ("a.png", first.answer, ())
    assert plan_work(tuple(open_run(run.folder).cases())).first_of == {"b.png": "a.png"}
