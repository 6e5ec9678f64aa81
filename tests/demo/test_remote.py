"""The road of a GPU machine: what is carried away, what a look says, and which of two checkpoints is kept."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from flashsight.core.errors import CheckpointError
from flashsight.demo import commands, remote
from flashsight.demo.export import checkpoint_tensors, write_compact
from flashsight.demo.generate import Answerer
from flashsight.demo.history import TrainingRun, between, read_history, write_history
from flashsight.demo.history import told as history_in_words
from flashsight.demo.legibility import legibility
from flashsight.demo.material import Material
from flashsight.demo.optimise import Optimiser
from flashsight.demo.rate import drawing_rates
from flashsight.demo.sample import Sample
from flashsight.demo.scenes import SCENES
from flashsight.demo.train import ALONE, build
from flashsight.demo.watch import LOG, OUTPUT, PID, is_alive, seen
from flashsight.models.storage import verify_files
from tests.demo import small
from tests.demo.test_export import documents

PROGRESS = {"step": 7.0, "seconds": 60.0, "pictures": 900.0, "devices": 2.0}
BEFORE = TrainingRun(pictures=100, seconds=30.0, steps=2, devices=1)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a tiny model that was started from a checkpoint with a history."""
    nano = documents(tmp_path / "nano")
    monkeypatch.setattr(commands, "NANO", nano)
    run = tmp_path / "run"
    run.mkdir()
    objective = build(small.config(), small.CLASSES, 2, 0, torch.device("cpu"))
    optimiser = Optimiser(objective, ALONE)
    optimiser.save(run / "state.safetensors", PROGRESS)
    write_compact(tmp_path / "old", checkpoint_tensors(optimiser.masters, small.config()), nano)
    write_history(run, [BEFORE])
    (run / LOG).write_text("{}\n")
    return run


@pytest.mark.parametrize("part", ["house=3", "chart", "chart=much", "chart=-1", "chart=nan"])
def test_a_mix_that_cannot_be_drawn_is_refused_in_words(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", str(tmp_path / "run"), str(tmp_path), "--seconds", "1"]
    with pytest.raises(SystemExit):
        remote.main([*train, "--mix", "icon=2", part])
    assert ("is no kind of picture" in capsys.readouterr().err) == (part == "house=3")
    assert not (tmp_path / "run").exists()


def test_an_encoder_that_nobody_has_cannot_be_kept(tmp_path: Path) -> None:
    train = ["train", str(tmp_path / "run"), str(tmp_path), "--seconds", "1", "--keep-encoder"]
    with pytest.raises(SystemExit, match="name a checkpoint with --weights"):
        remote.main(train)
    assert not (tmp_path / "run").exists()


def test_export_carries_weights_history_and_log_away(run: Path, tmp_path: Path) -> None:
    remote.main(["export", str(run), str(tmp_path / "out")])
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == ["log.jsonl", "model.safetensors", "training.json"]
    assert read_history(tmp_path / "out") == [
        BEFORE,
        TrainingRun(pictures=900, seconds=60.0, steps=7, devices=2),
    ]


def test_evaluate_measures_both_and_names_the_better(
    run: Path, tmp_path: Path, material: Material, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    against = ["--against", str(tmp_path / "old"), "--answers", "1"]
    remote.main(["evaluate", str(run), str(material.folder), str(out), *against, "--full"])
    assert len(list(out.iterdir())) <= 8
    with zipfile.ZipFile(out / "evaluation.zip") as bundle:
        names = set(bundle.namelist())
        reports = [json.loads(bundle.read(f"{which}/report.json")) for which in ("new", "old", "full")]
    assert {f"{which}/{name}" for which in ("new", "old") for name in ("table.md", "MODEL_CARD.md")} <= names
    assert reports[0]["rows"] == reports[1]["rows"]  # the same weights
    assert reports[2]["weights"] != reports[0]["weights"]
    assert (run / "full" / "model.safetensors").stat().st_size > 3 * (out / "model.safetensors").stat().st_size
    assert capsys.readouterr().out.strip().endswith("better on the whole is the old one: leave it as it is")


def test_the_suite_is_asked_at_other_sizes_of_pictures(
    run: Path, tmp_path: Path, material: Material, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[int] = []

    def encode(self: Answerer, samples: Sequence[Sample]) -> torch.Tensor:
        sizes = [picture.shape[:2] for sample in samples for picture in sample.pictures]
        shown.extend(height * width for height, width in sizes)
        return torch.zeros(sum(height * width // 28**2 for height, width in sizes), 64)

    monkeypatch.setattr(Answerer, "_encode", encode)
    sizes = ["--least", "260000", "--most", "300000", "--drawn", "501760", "--answers", "1"]
    remote.main(["shown", str(tmp_path / "old"), str(material.folder), *sizes])
    assert 260_000 <= min(shown) <= max(shown) <= 300_000
    said = capsys.readouterr().out
    assert "| measured |" in said
    assert "over all rows." in said


def test_rates_are_told_for_every_kind_of_picture(material: Material) -> None:
    table = drawing_rates(material, small.packer_of_all_skills(), 3).splitlines()
    assert [row.split(" | ")[0].strip("| ") for row in table[2:]] == [*SCENES, "batches of the mix"]


def test_lines_are_read_by_kind_and_condition(material: Material) -> None:
    class Reader:
        """Reads small letters as capitals and everything else as it stands."""

        def answers(self, samples: Sequence[Sample]) -> dict[tuple[int, int], str]:
            return {
                (number, place): pair.answer.upper()
                for number, sample in enumerate(samples)
                for place, pair in enumerate(sample.pairs)
            }

    table = legibility(Reader(), material, 1).splitlines()  # type: ignore[arg-type]
    cells = {row.split(" | ")[0].strip("| "): row.split(" | ")[1:] for row in table[2:]}
    assert set(cells["random small letters"]) == {"1.000", "1.000 |"}
    assert set(cells["numbers"]) == {"0.000", "0.000 |"}


def test_a_run_without_a_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"state\.safetensors is missing"):
        remote.main(["export", str(tmp_path), str(tmp_path / "out")])


def line(step: int, **changes: object) -> str:
    said = {
        "step": step, "seconds": step / 10, "rate": 1e-3, "answer_loss": 1.0, "patch_loss": 0.5,
        "token_accuracy": 0.9, "by_skill": {"read": 0.9}, "by_patch": {"char": 0.8},
        "pictures_per_second": 960.0, "waited_share": 0.01, **changes,
    }  # fmt: skip
    return json.dumps(said) + "\n"


def test_a_look_shows_how_far_a_run_is_and_warns(tmp_path: Path) -> None:
    (tmp_path / PID).write_text("999999999")
    (tmp_path / OUTPUT).write_text("RuntimeError: no memory\n")
    assert "not running" in seen(tmp_path, 0.0)
    log = tmp_path / LOG
    log.write_text("".join(line(step) for step in range(50, 1000, 50)))
    said = seen(tmp_path, log.stat().st_mtime)
    assert "step 950" in said
    assert "960 pictures/s" in said
    assert "RuntimeError: no memory" in said
    assert "!" not in said
    log.write_text(log.read_text() + line(2000, waited_share=0.4, token_accuracy=0.4, answer_loss=2.0) + '{"step": 20')
    warned = seen(tmp_path, log.stat().st_mtime)
    assert all(words in warned for words in ("40% of the time", "nothing is read", "risen by a third"))


def test_a_process_counts_as_running_until_it_ends(tmp_path: Path) -> None:
    assert not is_alive(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / PID).write_text(str(process.pid))
    assert is_alive(tmp_path)
    assert "compile for a minute" in seen(tmp_path, 0.0)
    process.communicate(b"\n")
    assert not is_alive(tmp_path)


def test_a_run_is_packaged_into_a_folder_of_its_own(run: Path, tmp_path: Path) -> None:
    remote.main(["export", str(run), str(tmp_path / "out")])
    card = tmp_path / "CARD.md"
    card.write_text("# a card\n")
    folder = tmp_path / "new" / "checkpoint"
    assert commands.package(tmp_path / "out", card, folder) == (folder / "model.safetensors").stat().st_size > 0
    assert verify_files(folder) == []
    assert (folder / "MODEL_CARD.md").read_text() == "# a card\n"
    assert [each.steps for each in read_history(folder)] == [2, 7]


def test_weights_between_two_checkpoints_tell_how_much_of_the_last_run_they_keep(run: Path, tmp_path: Path) -> None:
    remote.main(["export", str(run), str(tmp_path / "out")])
    card = tmp_path / "CARD.md"
    card.write_text("# a card\n")
    commands.package(tmp_path / "out", card, tmp_path / "new")
    write_history(tmp_path / "old", [BEFORE])
    remote.main(["blend", str(tmp_path / "old"), str(tmp_path / "new"), str(tmp_path / "between"), "--share", "0.35"])
    history = read_history(tmp_path / "between")
    assert [run.kept for run in history] == [1.0, 0.35]
    assert "1 minutes on two GPUs (7 steps), of whose change 35% is kept" in history_in_words(history)
    assert verify_files(tmp_path / "between") == []


def test_weights_between_branches_keep_of_each_run_what_both_keep_in_their_shares() -> None:
    left, right = (TrainingRun(pictures=9, seconds=60.0, steps=steps, devices=1) for steps in (3, 4))
    mean = between([BEFORE, left], [BEFORE, right], 0.35)
    assert mean == [BEFORE, replace(left, kept=0.65), replace(right, kept=0.35)]
    assert between([BEFORE], mean, 0.5) == [BEFORE, replace(left, kept=0.325), replace(right, kept=0.175)]
    assert between([BEFORE, left], [BEFORE, right], 0.0) == [BEFORE, left]
    assert between([BEFORE, left], [BEFORE, right], 1.0) == [BEFORE, right]


def test_a_run_on_a_cpu_that_kept_the_encoder_is_told_as_such() -> None:
    run = TrainingRun(pictures=9000, seconds=4080.0, steps=1200, devices=0, kept_encoder=True)
    assert "68 minutes on a CPU (1,200 steps), which left the encoder as it was." in history_in_words([BEFORE, run])
