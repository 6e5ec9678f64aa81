"""The commands say on the terminal what the figures are, and where a person has to look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.workbench.runs import write_run
from tests.workbench.test_evaluate import ANSWERS, gold_file


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    write_run(tmp_path / "run", ANSWERS, milliseconds=[100] * 6)
    gold_file(tmp_path)
    return Shell(tmp_path)


def test_evaluate_prints_figures_and_says_when_they_are_too_few(shell: Shell) -> None:
    said = shell.run("evaluate", "run", "--gold", "gold.csv")
    assert said.status == 0, said.err
    assert "2 of 5" in said.out
    assert "too few pictures to tell 图片太少,无法判断" in said.out
    assert "金标多出的列: 备注" in said.err
    assert "金标里没有的图片: new.jpg" in said.err


def test_evaluate_prints_json_and_nothing_else_on_request(shell: Shell) -> None:
    told = json.loads(shell.run("evaluate", "run", "--gold", "gold.csv", "--json").out)
    assert told["overall"]["fields"]["color"]["accuracy"]["hits"] == 2
    assert [case["id"] for case in told["cases"]] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("evaluate", "no-run", "--gold", "gold.csv"), "is no run"),
        (("evaluate", "run", "--gold", "no.csv"), "does not exist"),
        (("evaluate", "run"), "--gold"),
    ],
)
def test_what_is_missing_is_one_sentence(shell: Shell, words: tuple[str, ...], complaint: str) -> None:
    said = shell.run(*words)
    assert said.status == 2
    assert complaint in said.err
    assert "Traceback" not in said.err
