"""`flashsight batch` as a person runs it, over the tiny checkpoint and against a server."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from flashsight.workbench.records import open_run
from flashsight.workbench.schema import read_schema
from tests.cli.conftest import Shell

SCHEMA = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "blue", "green"]}},
    "required": ["color"],
    "additionalProperties": False,
}


@pytest.fixture
def goods(shell: Shell) -> Path:
    folder = shell.folder / "goods"
    folder.mkdir()
    for number in range(6):
        colours = np.random.default_rng(number).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((56, 56)).save(folder / f"p_{number}.png")
    (shell.folder / "schema.json").write_text(json.dumps(SCHEMA))
    return folder


def words(tiny: Path, *more: str) -> tuple[str, ...]:
    return ("batch", "goods", "--schema", "schema.json", "--model-path", str(tiny), *more)


def test_a_folder_becomes_a_run_and_another_server_answers_the_same(
    shell: Shell, goods: Path, tiny_checkpoint: Path, service: str
) -> None:
    (goods / "bad.jpg").write_bytes(b"no picture")
    here = shell.run(*words(tiny_checkpoint, "--out", "here", "--mode", "sequential", "--excel"))
    there = shell.run("batch", "goods", "--schema", "schema.json", "--out", "there", "--url", service)
    assert here.status == there.status == 0, here.err + there.err
    assert "6 answered · 1 failed" in here.err
    ours, theirs = (list(open_run(shell.folder / name).results()) for name in ("here", "there"))
    assert [result.parsed for result in ours] == [result.parsed for result in theirs]
    for result in ours[1:]:
        jsonschema.validate(result.parsed, SCHEMA)
    assert ours[0].error is not None
    manifest = open_run(shell.folder / "here").manifest
    assert manifest.model.weights_id
    assert (manifest.model.precision, manifest.model.device) == ("float32", "cpu")
    with (shell.folder / "here" / "results.csv").open(encoding="utf-8-sig") as file:
        assert [row["color"] for row in csv.DictReader(file)][1:] == [result.parsed["color"] for result in ours[1:]]  # type: ignore[index]
    again = shell.run("batch", "--from", "here", "--out", "again", "--mode", "sequential")
    assert again.status == 0, again.err
    results = [(shell.folder / name / "results.jsonl").read_bytes() for name in ("here", "again")]
    assert results[0] == results[1]
    assert open_run(shell.folder / "again").manifest.model.path == str(tiny_checkpoint)


def test_a_killed_run_goes_on_to_the_same_files(shell: Shell, goods: Path, tiny_checkpoint: Path) -> None:
    command = words(tiny_checkpoint, "--mode", "sequential", "--max-tokens", "60", "--prompt", "描述")
    command = tuple(word for word in command if word not in ("--schema", "schema.json"))
    for number in range(6, 40):
        shutil.copy(goods / f"p_{number % 6}.png", goods / f"p_{number}.png")
        with (goods / f"p_{number}.png").open("ab") as file:
            file.write(bytes([number]))
    going = subprocess.Popen(
        [sys.executable, "-m", "flashsight", *command, "--out", "killed"],
        cwd=shell.folder,
        env=shell.environment,
        stderr=subprocess.DEVNULL,
    )
    journal = shell.folder / "killed" / "journal.jsonl"
    deadline = time.monotonic() + 100
    while not (journal.is_file() and journal.read_bytes().count(b"\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(going.pid, signal.SIGKILL)
    going.wait()
    kept = journal.read_bytes().count(b"\n")
    assert 3 <= kept < 40
    assert shell.run(*command, "--out", "killed").status == 0
    assert shell.run(*command, "--out", "whole").status == 0
    killed, whole = ((shell.folder / name / "results.jsonl").read_bytes() for name in ("killed", "whole"))
    assert killed == whole


def test_ctrl_c_says_that_the_answers_are_kept(shell: Shell, goods: Path, tiny_checkpoint: Path) -> None:
    command = ("batch", "goods", "--model-path", str(tiny_checkpoint), "--out", "run", "--max-tokens", "2000")
    going = subprocess.Popen(
        [sys.executable, "-m", "flashsight", *command, "--mode", "sequential"],
        cwd=shell.folder,
        env=shell.environment,
        stderr=subprocess.PIPE,
    )
    journal = shell.folder / "run" / "journal.jsonl"
    deadline = time.monotonic() + 100
    while not journal.is_file() and time.monotonic() < deadline:
        time.sleep(0.001)
    going.send_signal(signal.SIGINT)
    said = going.communicate(timeout=60)[1].decode()
    assert going.returncode == 130, said
    assert "the same command goes on" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("goods", "--from", "x", "--out", "y"), "x is no run"),
        (("--out", "y"), "name a folder or a table"),
        (("empty", "--out", "y"), "there is no picture in empty"),
        (("goods", "--out", "y", "--schema", "nothing"), "no preset of that name has one"),
        (("goods", "--out", "y", "--preset", "prodct"), "did you mean product?"),
        (("goods", "--out", "y", "--language", "en"), "add --preset"),
        (("goods", "--out", "y", "--prompt", " "), "the prompt is empty"),
        (("goods", "--out", "y", "--url", "http://127.0.0.1:9", "--device", "cpu"), "drop one"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_loaded(
    shell: Shell, goods: Path, more: tuple[str, ...], message: str
) -> None:
    (shell.folder / "empty").mkdir()
    said = shell.run("batch", *more)
    assert said.status == 2, said.err
    assert message in said.err
    assert not (shell.folder / "y").exists()


def test_asking_once_about_what_looks_the_same_belongs_to_the_run(
    shell: Shell, goods: Path, tiny_checkpoint: Path
) -> None:
    with Image.open(goods / "p_0.png") as image:
        image.resize((112, 112)).save(goods / "p_6.png")
    said = shell.run(*words(tiny_checkpoint, "--out", "run", "--near-once"))
    assert said.status == 0, said.err
    *_, last = open_run(shell.folder / "run").results()
    assert (last.id, last.duplicate_of) == ("p_6.png", "p_0.png")
    assert shell.run(*words(tiny_checkpoint, "--out", "run", "--near-once")).status == 0
    other = shell.run(*words(tiny_checkpoint, "--out", "run"))
    assert other.status == 2
    assert "a run with another near_once" in other.err


def test_a_server_that_is_not_there_says_how_to_go_on(shell: Shell, goods: Path) -> None:
    said = shell.run("batch", "goods", "--out", "run", "--url", "http://127.0.0.1:9")
    assert said.status == 4
    assert "0 of 6 cases are saved in run; the same command goes on from there" in said.err


def test_the_built_in_schema_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema("product"))
