"""What it took to train a checkpoint, run after run: training.json beside its weights. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HISTORY = "training.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """One run: pictures seen, seconds, steps and GPUs, 0 on a CPU. is_about: the numbers are rounded.

    kept: the share of what the run changed that the weights have, 1 unless they lie between before and after.
    kept_encoder: the run left the encoder's blocks as they were.
    """

    pictures: int
    seconds: float
    steps: int
    devices: int
    is_about: bool = False
    kept: float = 1.0
    kept_encoder: bool = False


def read_history(folder: Path) -> list[TrainingRun]:
    """The runs that a checkpoint's folder tells of; none where it tells nothing."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    return [TrainingRun(**run) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]


def write_history(folder: Path, runs: Sequence[TrainingRun]) -> None:
    """Write training.json into a folder."""
    content = {"runs": [asdict(run) for run in runs]}
    (folder / HISTORY).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def between(one: Sequence[TrainingRun], other: Sequence[TrainingRun], share: float) -> list[TrainingRun]:
    """The runs behind weights that lie between two checkpoints, share 0 the one's, 1 the other's.

    Of what a run changed they keep what both keep, in those shares; one keeps nothing of a run that it does not know.
    """
    shares: dict[TrainingRun, float] = {}
    for runs, part in ((one, 1 - share), (other, share)):
        for run in runs:
            whole = replace(run, kept=1.0)
            shares[whole] = shares.get(whole, 0.0) + part * run.kept
    return [replace(run, kept=round(kept, 4)) for run, kept in shares.items() if kept > 0]


def told(runs: Sequence[TrainingRun]) -> str:
    """The runs in words: how many pictures, how long, on what."""
    if not runs:
        return "How long it was trained is not known."
    count = sum(run.pictures for run in runs)
    counted = f"About {round(count, -5):,}" if any(run.is_about for run in runs) else f"{count:,}"
    pictures = f"{counted} drawn pictures with several questions each"
    spans = [
        f"{run.seconds / 60:.0f} minutes on {_devices(run.devices)} ({'about ' * run.is_about}{run.steps:,} steps)"
        + ", which left the encoder as it was" * run.kept_encoder
        + (f", of whose change {run.kept:.0%} is kept" if run.kept < 1 else "")
        for run in runs
    ]
    if len(runs) == 1:
        return f"{pictures}, seen once, in {spans[0]}."
    return (
        f"{pictures}, seen once, in {len(runs)} runs, {_together(runs)} in all, "
        f"each from weights that earlier ones left: {'; '.join(spans)}."
    )


def _together(runs: Sequence[TrainingRun]) -> str:
    """How long all runs lasted, by what they ran on."""
    on_gpus = sum(run.seconds for run in runs if run.devices) / 60
    on_cpu = sum(run.seconds for run in runs if not run.devices) / 60
    parts = [f"{on_gpus:.0f} minutes on GPUs"] * (on_gpus > 0) + [f"{on_cpu:.0f} on a CPU"] * (on_cpu > 0)
    return " and ".join(parts)


def _devices(count: int) -> str:
    return {0: "a CPU", 1: "one GPU", 2: "two GPUs", 3: "three GPUs", 4: "four GPUs"}.get(count, f"{count} GPUs")
