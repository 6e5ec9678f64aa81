"""Training on a GPU machine that has no network and only torch, numpy, pillow, tokenizers and safetensors.

    python -m flashsight.demo.remote rate MATERIAL                                       pictures a second on one core
    python -m flashsight.demo.remote train RUN MATERIAL --seconds 1200 --weights NANO    goes on by itself
    python -m flashsight.demo.remote look RUN                                            how far, how fast, how well
    python -m flashsight.demo.remote export RUN OUT                                      the weights so far
    python -m flashsight.demo.remote evaluate RUN MATERIAL OUT --against NANO            both measured; the better one
    python -m flashsight.demo.remote blend NANO OTHER OUT --share 0.5                    weights between two checkpoints
    python -m flashsight.demo.remote read CHECKPOINT MATERIAL                            what is read, and how well
    python -m flashsight.demo.remote reword CHECKPOINT MATERIAL --answers 20             the suite in other words
    python -m flashsight.demo.remote shown NANO MATERIAL --least 283024 --most 501760    the suite at other sizes

`train` starts one process on each GPU in a session of its own and returns; given again, it goes on where RUN stands.
OUT holds at most eight files of at most 15 MiB: shards of the weights, training.json, the log, and evaluation.zip with
report, table, failures and model card. docs/nano.md tells when to do what.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from flashsight.core.config import ModelConfig
from flashsight.demo.card import model_card
from flashsight.demo.commands import NANO, STATE, Training, export_state, nano_packer, num_parameters, train_nano
from flashsight.demo.evaluate import table
from flashsight.demo.evaluation import Evaluated, Evaluation, answerer_for
from flashsight.demo.export import blend
from flashsight.demo.history import HISTORY, between, read_history, write_history
from flashsight.demo.legibility import legibility
from flashsight.demo.material import Material
from flashsight.demo.rate import drawing_rates
from flashsight.demo.scenes.mix import TAUGHT
from flashsight.demo.suite import reworded
from flashsight.demo.watch import LOG, OUTPUT, PID, is_alive, seen
from flashsight.models.loading import load_model
from flashsight.processing.resize import PictureSettings

STARTED_SECONDS = 20.0  # a run that fails at once has failed by then


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(
        prog="flashsight.demo.remote", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    _add_train(commands.add_parser("train"))
    rate = commands.add_parser("rate")
    rate.set_defaults(do=lambda chosen: _say(drawing_rates(Material(chosen.material), nano_packer(), chosen.count)))
    rate.add_argument("material", type=Path)
    rate.add_argument("--count", type=int, default=300, help="pictures of each kind")
    look = commands.add_parser("look")
    look.set_defaults(do=lambda chosen: _say(seen(chosen.run, time.time())))
    look.add_argument("run", type=Path)
    export = commands.add_parser("export")
    export.set_defaults(do=_export)
    export.add_argument("run", type=Path)
    export.add_argument("out", type=Path)
    between = commands.add_parser("blend")
    between.set_defaults(do=_blend)
    between.add_argument("one", type=Path, help="a checkpoint's folder")
    between.add_argument("other", type=Path, help="another's, which was trained on from it")
    between.add_argument("out", type=Path)
    between.add_argument("--share", type=float, default=0.5, help="0: the one, 1: the other")
    read = commands.add_parser("read")
    read.set_defaults(do=_read)
    read.add_argument("checkpoint", help="its folder, or nano")
    read.add_argument("material", type=Path)
    read.add_argument("--pictures", type=int, default=6, help="pictures of five lines for each cell of the table")
    reword = commands.add_parser("reword")
    reword.set_defaults(do=_reword)
    reword.add_argument("checkpoint", help="its folder, or nano")
    reword.add_argument("material", type=Path)
    reword.add_argument("--answers", type=int, default=20, help="answers wanted for each row of the table")
    reword.add_argument("--seed", type=int, default=0)
    shown = commands.add_parser("shown")
    shown.set_defaults(do=_shown)
    shown.add_argument("checkpoint", help="its folder, or nano")
    shown.add_argument("material", type=Path)
    shown.add_argument("--least", type=int, required=True, help="pixels that a picture is enlarged to")
    shown.add_argument("--most", type=int, required=True, help="pixels that a picture is shrunk to")
    shown.add_argument("--drawn", type=int, help="pixels of the largest picture that is drawn; default: as --most")
    shown.add_argument("--answers", type=int, default=100, help="answers wanted for each row of the table")
    shown.add_argument("--seed", type=int, default=0)
    evaluate = commands.add_parser("evaluate")
    evaluate.set_defaults(do=_evaluate)
    evaluate.add_argument("run", type=Path)
    evaluate.add_argument("material", type=Path)
    evaluate.add_argument("out", type=Path)
    evaluate.add_argument("--against", type=Path, help="a checkpoint folder to compare with; default: the built-in one")
    evaluate.add_argument("--answers", type=int, default=200, help="answers wanted for each row of the table")
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.add_argument("--full", action="store_true", help="also the weights before they are rounded to int8")
    chosen = parser.parse_args(arguments)
    chosen.do(chosen)


def _add_train(train: argparse.ArgumentParser) -> None:
    train.set_defaults(do=_train)
    train.add_argument("run", type=Path)
    train.add_argument("material", type=Path)
    train.add_argument(
        "--seconds", type=float, required=True, help="planned length of the whole run, over all its parts"
    )
    train.add_argument("--devices", type=int, help="default: every GPU there is")
    train.add_argument("--workers", type=int, help="drawing processes of each device; default: the cores but two")
    train.add_argument("--patches", type=int, default=96 * 1024, help="patches of a batch of each device")
    train.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    train.add_argument("--warmup-steps", type=int, default=200, help="steps in which the rate rises")
    train.add_argument("--decay-share", type=float, default=0.6, help="last share of the seconds: the rate falls")
    train.add_argument("--weights", type=Path, help="a checkpoint folder to go on from, when RUN holds no state")
    train.add_argument("--seed", type=int, default=0, help="another seed draws other pictures")
    train.add_argument("--keep-encoder", action="store_true", help="only what answers learns; a CPU suffices")
    train.add_argument(
        "--mix", nargs="+", type=_share, metavar="SCENE=WEIGHT", help="these pictures only, as often as they weigh"
    )
    train.add_argument("--log-steps", type=int, default=50)
    train.add_argument("--here", action="store_true", help="train in this process instead of in sessions of their own")


def _share(text: str) -> tuple[str, float]:
    """What one part of --mix says."""
    name, _, weight = text.partition("=")
    if name not in TAUGHT:
        raise argparse.ArgumentTypeError(f"{name!r} is no kind of picture; there are {', '.join(TAUGHT)}")
    try:
        share = float(weight)
    except ValueError:
        share = 0.0
    if not 0 < share < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} has no weight above 0; write for example {name}=3")
    return name, share


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _train(chosen: argparse.Namespace) -> None:
    if chosen.keep_encoder and chosen.weights is None and not (chosen.run / STATE).is_file():
        sys.exit(f"there is no encoder to keep: {chosen.run} holds no state; name a checkpoint with --weights")
    chosen.run.mkdir(parents=True, exist_ok=True)
    if not chosen.here:
        _start(chosen)
        return
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # as torch.distributed.run says
    workers = chosen.workers or max(1, (os.cpu_count() or 2) // beside - 2)
    training = Training(
        material=chosen.material,
        folder=chosen.run,
        seconds=chosen.seconds,
        num_workers=workers,
        num_patches=chosen.patches,
        peak=chosen.peak,
        warmup_steps=chosen.warmup_steps,
        decay_share=chosen.decay_share,
        start=chosen.weights,
        seed=chosen.seed,
        log_steps=chosen.log_steps,
        keeps_encoder=chosen.keep_encoder,
        mix=dict(chosen.mix) if chosen.mix else None,
    )
    with (chosen.run / LOG).open("a", encoding="utf-8", buffering=1) as log:
        train_nano(training, lambda line: log.write(line + "\n"))


def _start(chosen: argparse.Namespace) -> None:
    """Start one process on each device that outlive this one; say whether they still run after a while."""
    if is_alive(chosen.run):
        _say(f"{chosen.run} is being trained already, as process {(chosen.run / PID).read_text()}")
        return
    given = [argument for argument in sys.argv[1:] if argument != "--here"]
    program = ["-m", "flashsight.demo.remote", *given, "--here"]
    devices = chosen.devices or torch.cuda.device_count()
    if devices > 1:
        program = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}", *program]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    with (chosen.run / OUTPUT).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *program], stdout=output, stderr=output, start_new_session=True, env=environment
        )
    (chosen.run / PID).write_text(str(process.pid))
    try:
        process.wait(STARTED_SECONDS)
    except subprocess.TimeoutExpired:
        _say(
            f"training in {chosen.run} as process {process.pid}; see python -m flashsight.demo.remote look {chosen.run}"
        )
        return
    _say(seen(chosen.run, time.time()))
    if process.returncode:
        sys.exit(process.returncode)


def _export(chosen: argparse.Namespace) -> None:
    """Carry the weights so far, their history and the log to where they are fetched from."""
    shards = chosen.run / "shards"
    progress = export_state(chosen.run, shards)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for path in (*shards.glob("*.safetensors"), shards / HISTORY, chosen.run / LOG):
        shutil.copyfile(path, chosen.out / path.name)
    _say(f"weights after {progress['step']:.0f} steps and {progress['seconds']:.0f} s in {chosen.out}")


def _blend(chosen: argparse.Namespace) -> None:
    """Weights that lie between two checkpoints, as shards, with the runs of both."""
    blend(str(chosen.one), str(chosen.other), chosen.share, chosen.out)
    write_history(chosen.out, between(read_history(chosen.one), read_history(chosen.other), chosen.share))
    _say(f"weights between {chosen.one} and {chosen.other} in {chosen.out}")


def _evaluate(chosen: argparse.Namespace) -> None:
    """Export first: the weights are what must not be lost. Then measure the run and what it is to replace."""
    _export(chosen)
    shards, against = chosen.run / "shards", chosen.against or NANO
    evaluation = Evaluation.for_checkpoint(str(against), chosen.material, chosen.answers, chosen.seed)
    folder = chosen.run / "evaluation"

    def measured(name: str, checkpoint: Path) -> Evaluated:
        found = evaluation.of(str(checkpoint), _say)
        _keep(evaluation, found, checkpoint, folder / name)
        _bundle(folder, chosen.out)  # at once: what is measured is not lost where time runs out
        _say(f"{name}:\n{table(found.report)}")
        return found

    new = measured("new", shards)
    if chosen.full:
        full = chosen.run / "full"
        export_state(chosen.run, full, int8=False)
        measured("full", full)
    old = measured("old", against)
    better = "the new one: package it" if new.overall > old.overall else "the old one: leave it as it is"
    _say(f"better on the whole is {better}")


def _read(chosen: argparse.Namespace) -> None:
    _say(
        legibility(
            answerer_for(load_model(ModelConfig(path=chosen.checkpoint))), Material(chosen.material), chosen.pictures
        )
    )


def _reword(chosen: argparse.Namespace) -> None:
    """The suite asked in words that validation never uses."""
    evaluation = Evaluation.for_checkpoint(chosen.checkpoint, chosen.material, chosen.answers, chosen.seed)
    evaluation.cases = reworded(evaluation.cases, chosen.seed + 1)
    found = evaluation.of(chosen.checkpoint, _say)
    _say(table(found.report))


def _shown(chosen: argparse.Namespace) -> None:
    """The suite with pictures shown at other sizes than the checkpoint's processor shows them."""
    own = PictureSettings.load(load_model(ModelConfig(path=chosen.checkpoint)).files)
    sizes = replace(own, min_pixels=own.frames * chosen.least, max_pixels=own.frames * chosen.most)
    evaluation = Evaluation(chosen.material, chosen.answers, chosen.seed, chosen.drawn or chosen.most)
    found = evaluation.of(chosen.checkpoint, _say, sizes)
    _say(table(found.report))


def _keep(evaluation: Evaluation, evaluated: Evaluated, checkpoint: Path, folder: Path) -> None:
    evaluation.write(folder, evaluated)
    card = model_card(evaluated.report, read_history(checkpoint), num_parameters(checkpoint))
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def _bundle(folder: Path, out: Path) -> None:
    with zipfile.ZipFile(out / "evaluation.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                bundle.write(path, path.relative_to(folder))


if __name__ == "__main__":
    main()
