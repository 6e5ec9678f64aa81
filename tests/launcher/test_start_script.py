"""start.sh as a person uses it: from another folder, with spaces in its path, twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Said


class Copy:
    """A copy of the product in a folder whose name has spaces, sharing this test run's environment."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a copy with spaces"
        self.root.mkdir()
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        shutil.copytree(ROOT / "src", self.root / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("start.sh", "1键推理.sh", "constraints.txt", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.root / name, follow_symlinks=False)

    def run(self, *words: str, script: str = "start.sh", **variables: str) -> Said:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLASHSIGHT_")}
        clean.pop("PYTHONPATH", None)
        ended = subprocess.run(
            [str(self.root / script), *words],
            cwd=self.elsewhere,
            env=clean | {"FLASHSIGHT_VENV": sys.prefix} | variables,
            capture_output=True,
            timeout=180,
            check=False,
        )
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_set_up_shows_its_steps_and_changes_nothing_where_all_is_there(copy: Copy) -> None:
    for _ in range(2):
        said = copy.run("--setup")
        assert said.status == 0, said.err
        assert [line[:5] for line in said.err.splitlines() if line.startswith("[")] == ["[1/5]", "[2/5]", "[3/5]"]
    assert not (copy.root / ".venv").exists()


def test_a_whole_round_start_start_again_status_logs_stop(copy: Copy, tiny_checkpoint: Path) -> None:
    first = copy.run("--port", "0", "--model-path", str(tiny_checkpoint), script="1键推理.sh")
    assert first.status == 0, first.err
    assert [line[:5] for line in first.err.splitlines() if line.startswith("[")] == [f"[{n}/5]" for n in range(1, 6)]
    known = json.loads((copy.root / ".flashsight" / "service.json").read_text())
    try:
        assert known["url"] in first.err
        assert "already running" in copy.run().err
        assert str(known["pid"]) in copy.run("status").out
        assert "ready" in copy.run("logs").out
    finally:
        assert str(known["pid"]) in copy.run("stop").out
    assert copy.run("status").status == 1


def test_help_and_unknown_words(copy: Copy) -> None:
    said = copy.run("--help")
    assert said.status == 0
    for word in ("--setup", "--foreground", "status", "stop", "logs", "FLASHSIGHT_VENV", "停止"):
        assert word in said.out
    refused = copy.run("dance")
    assert refused.status == 1
    assert "dance" in refused.err


def test_without_a_new_enough_python_the_fix_is_told_in_both_languages(copy: Copy, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    said = copy.run("--setup", FLASHSIGHT_VENV=str(tmp_path / "none"), FLASHSIGHT_PYTHON=str(old))
    assert said.status == 1
    assert "Python 3.11" in said.err
    assert "apt-get install python3" in said.err
    assert "解决" in said.err


def test_a_bad_flag_is_refused_by_the_service(copy: Copy) -> None:
    said = copy.run("--prot", "1")
    assert said.status == 2
    assert "--prot" in said.err
