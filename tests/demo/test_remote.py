"""The road of a GPU machine: what `report` carries away is the log, the shards and, if asked for, the scores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from flashsight.core.errors import CheckpointError
from flashsight.demo import commands, remote
from flashsight.demo.optimise import Optimiser
from flashsight.demo.train import ALONE, build
from tests.demo import small
from tests.demo.test_export import documents


def test_report_carries_shards_and_log_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "NANO", documents(tmp_path / "nano"))
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    objective = build(small.config(), small.CLASSES, 2, 0, torch.device("cpu"))
    Optimiser(objective, ALONE).save(run / "state.safetensors", {"step": 7.0})
    (run / remote.LOG).write_text("{}\n")
    remote.main(["report", str(run), str(tmp_path), str(out), "--answers", "0"])
    assert sorted(path.name for path in out.iterdir()) == ["log.jsonl", "model.safetensors"]
    assert commands.num_parameters(tmp_path / "nano") == sum(p.numel() for p in objective.model.parameters())


def test_a_run_without_a_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"state\.safetensors is missing"):
        remote.main(["report", str(tmp_path), str(tmp_path), str(tmp_path / "out")])
