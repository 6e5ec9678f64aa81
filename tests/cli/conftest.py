"""Commands run as a person runs them: in a process of their own, in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a command left: its exit status and its words."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs flashsight in one folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLASHSIGHT_")}
        state = str(self.folder / ".flashsight")
        return clean | {"PYTHONPATH": str(ROOT / "src"), "FLASHSIGHT_STATE": state, "COLUMNS": "200", "NO_COLOR": "1"}

    def run(self, *words: str, stdin: bytes = b"", **variables: str) -> Said:
        ended = subprocess.run(
            [sys.executable, "-m", "flashsight", *words],
            cwd=self.folder,
            env=self.environment | variables,
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def red_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "red.png"
    Image.new("RGB", (112, 84), (200, 20, 30)).save(path)
    return path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[str]:
    """The address of a background service over the tiny checkpoint."""
    shell = Shell(tmp_path_factory.mktemp("service"))
    started = shell.run("serve", "--background", "--port", "0", "--model-path", str(tiny_checkpoint))
    assert started.status == 0, started.err + shell.run("logs").out
    try:
        yield str(json.loads(shell.run("status", "--json").out)["service"]["url"])
    finally:
        assert shell.run("stop").status == 0
