"""Training on a GPU machine that has no network and only torch, numpy, pillow, tokenizers and safetensors.

    python -m torch.distributed.run --nproc-per-node 2 -m flashsight.demo.remote train RUN MATERIAL --seconds 1080
    python -m flashsight.demo.remote report RUN MATERIAL OUT

`train` runs in a session of its own (setsid), writes RUN/log.jsonl and saves its state every two minutes, so that short
commands can look at it and carry away what `report` writes: shards of at most 15 MiB, the log, scores, failures and the
model card. They become the built-in checkpoint by `flashsight demo package OUT --card OUT/MODEL_CARD.md`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from flashsight.demo.card import write_card
from flashsight.demo.commands import Training, evaluate_checkpoint, export_state, num_parameters, train_nano

LOG = "log.jsonl"


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="flashsight.demo.remote", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.set_defaults(do=_train)
    train.add_argument("run", type=Path)
    train.add_argument("material", type=Path)
    train.add_argument("--seconds", type=float, required=True)
    train.add_argument("--workers", type=int, default=14, help="drawing processes of each device")
    train.add_argument("--patches", type=int, default=96 * 1024, help="patches of a batch of each device")
    train.add_argument("--peak", type=float, default=1e-3)
    train.add_argument(
        "--decay-share", type=float, default=0.35, help="last share of the seconds, in which the rate falls"
    )
    train.add_argument("--weights", type=Path, help="a checkpoint folder to go on from, when RUN holds no state")
    train.add_argument("--seed", type=int, default=0, help="another seed draws other pictures")
    train.add_argument("--log-steps", type=int, default=50)
    report = commands.add_parser("report")
    report.set_defaults(do=_report)
    report.add_argument("run", type=Path)
    report.add_argument("material", type=Path)
    report.add_argument("out", type=Path)
    report.add_argument("--answers", type=int, default=150, help="answers wanted for each row; 0: only the shards")
    chosen = parser.parse_args(arguments)
    chosen.do(chosen)


def _train(chosen: argparse.Namespace) -> None:
    chosen.run.mkdir(parents=True, exist_ok=True)
    training = Training(
        material=chosen.material,
        folder=chosen.run,
        seconds=chosen.seconds,
        num_workers=chosen.workers,
        num_patches=chosen.patches,
        peak=chosen.peak,
        decay_share=chosen.decay_share,
        start=chosen.weights,
        seed=chosen.seed,
        log_steps=chosen.log_steps,
    )
    with (chosen.run / LOG).open("a", encoding="utf-8", buffering=1) as log:
        train_nano(training, lambda line: log.write(line + "\n"))


def _report(chosen: argparse.Namespace) -> None:
    """Write the shards first: they are what must not be lost."""
    shards = chosen.run / "shards"
    export_state(chosen.run, shards)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for path in (*shards.glob("*.safetensors"), chosen.run / LOG):
        shutil.copyfile(path, chosen.out / path.name)
    if chosen.answers:
        evaluate_checkpoint(str(shards), chosen.material, chosen.out, num_answers=chosen.answers)
        write_card(chosen.out, chosen.run / LOG, num_parameters(shards))


if __name__ == "__main__":
    main()
