"""`flashsight bench batch` answers every picture both ways and tells the memory of the run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Shell


def test_a_run_and_the_engine_are_told_side_by_side(shell: Shell, tiny_checkpoint: Path) -> None:
    words = ("--pictures", "8", "--rounds", "2", "--size", "56", "--tokens", "2", "--json", "rounds.json")
    said = shell.run("bench", "batch", "--model-path", str(tiny_checkpoint), *words)
    assert said.status == 0, said.err
    rounds = json.loads((shell.folder / "rounds.json").read_text())
    assert len(rounds) == 2
    assert said.out.count("pictures/s") == 4
    direct, run = (sum(one[name] for one in rounds) for name in ("direct_per_second", "run_per_second"))
    assert f"run / engine {run / direct:.3f}" in said.out
    assert all(one["end_bytes"] >= 1 << 20 and one["quarter_bytes"] >= 1 << 20 for one in rounds)
