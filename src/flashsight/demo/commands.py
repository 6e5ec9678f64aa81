"""The demo's commands as plain functions: tokenizer, train, evaluate, export. `cli` wires them; none of them prints.

A run on a GPU machine: `train` in a process of its own (it saves its state as it goes), `export_state` beside it for
what shall be carried away, `evaluate` on that.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

import flashsight
from flashsight.core.config import ModelConfig
from flashsight.core.errors import CheckpointError
from flashsight.demo.batches import BatchSize, Collator
from flashsight.demo.card import brief, model_card, read_report
from flashsight.demo.evaluation import Evaluation, Told
from flashsight.demo.export import checkpoint_tensors, copy_documents, join_shards, write_compact, write_documents
from flashsight.demo.history import TrainingRun, read_history, write_history
from flashsight.demo.material import Material
from flashsight.demo.optimise import Schedule
from flashsight.demo.packing import Packer
from flashsight.demo.recipe import PATCH
from flashsight.demo.ring import Parts, Ring
from flashsight.demo.sample import LEADING, LEVELS, SKILLS, Sample, Split
from flashsight.demo.scenes import draw_sample
from flashsight.demo.scenes.mix import TAUGHT, Mix
from flashsight.demo.showing import as_shown
from flashsight.demo.together import company
from flashsight.demo.tokenizer import build_tokenizer
from flashsight.demo.train import Report, TrainSettings, build, train
from flashsight.demo.vocabulary import COLOURS, CONCEPTS
from flashsight.models.glm4v.config import read_config
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model
from flashsight.models.storage import write_manifest
from flashsight.processing.resize import PictureSettings
from flashsight.processing.tokenizer import Tokenizer

NANO = Path(flashsight.__file__).parent / "assets" / "nano"
STATE = "state.safetensors"
TOKENIZER_SAMPLES = 3000
HEADS_ALONE_STEPS = 300  # of a run that goes on from a checkpoint, which has no patch heads


def drawn(material: Material, split: Split, seed: str, mix: Mix | None = None) -> Iterator[Sample]:
    """Samples without end. Equal seeds and material give equal samples; the split keeps its own fonts and concepts.

    A picture that a scene cannot draw is passed over, since one in a million must not end a run of millions; when more
    than one in a thousand fails, the scene's own error goes through.
    """
    chance = random.Random(f"{split} {seed}")
    num_failed = 0
    for number in count(1):
        try:
            sample = draw_sample(chance, material, split, mix=mix)
        except (ArithmeticError, LookupError, ValueError):
            num_failed += 1
            if num_failed > 3 + number / 1000:
                raise
            continue
        yield sample


def make_tokenizer(material: Path, out: Path = NANO) -> int:
    """Build the tokenizer from the material's strings and drawn questions; write nano's documents; return its size."""
    opened = Material(material)
    texts = list(opened.texts())
    samples = drawn(opened, "train", "tokenizer")
    for _ in range(TOKENIZER_SAMPLES):
        for pair in next(samples).pairs:
            texts += (pair.question, pair.answer)
    tokenizer = build_tokenizer(texts)
    write_documents(out, tokenizer.to_str())
    return int(tokenizer.get_vocab_size())


def nano_packer() -> Packer:
    """What lays questions and answers out for nano."""
    return Packer(Tokenizer(NANO), SKILLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What `train_nano` is given: folders, planned seconds, processes that draw, patches of one batch.

    keeps_encoder: only what answers learns. mix: weights of scenes by name in place of the usual ones.
    """

    material: Path
    folder: Path
    seconds: float
    num_workers: int
    num_patches: int = 128 * 1024
    peak: float = 1e-3
    warmup_steps: int = 200
    decay_share: float = 0.6
    start: Path | None = None
    seed: int = 0
    max_steps: int | None = None
    log_steps: int = 50
    keeps_encoder: bool = False
    mix: Mapping[str, float] | None = None


def train_nano(training: Training, report: Report) -> None:
    """Train nano from the state that the folder holds, else from the checkpoint `start`, else from scratch.

    Pictures are shown as nano's processor shows them. Lines of the log go to `report`. A checkpoint carries no moments
    and no patch heads: the rate warms up again.
    """
    size = BatchSize(num_patches=training.num_patches)
    material = Material(training.material)
    packer, sizes = nano_packer(), PictureSettings.load(NANO)

    mix = {TAUGHT[name]: weight for name, weight in training.mix.items()} if training.mix else None
    num_done = _steps_done(training.folder)  # a run that goes on draws other pictures

    def batches(worker: int) -> Iterator[Parts]:
        seed = f"{num_done} {training.seed} {together.rank} {worker}"
        return Collator(packer, size, seed=abs(hash((training.seed, together.rank, worker)))).batches(
            as_shown(sample, sizes) for sample in drawn(material, "train", seed, mix)
        )

    together = company()
    training.folder.mkdir(parents=True, exist_ok=True)
    if training.start and together.rank == 0:
        write_history(training.folder, read_history(training.start))
    slot_bytes = int(training.num_patches * PATCH * PATCH * 3 * 1.2) + (16 << 20)
    with Ring(batches, num_workers=training.num_workers, slot_bytes=slot_bytes) as ring:
        classes = {
            "char": len(material.characters),
            "icon": len(CONCEPTS) + 1,
            "colour": len(COLOURS) + 1,
            "level": LEVELS + 1,
            "value": 10**LEADING,
        }
        together.open()
        start = _weights(training.start) if training.start else None
        objective = build(
            read_config(NANO),
            classes,
            len(SKILLS),
            training.seed,
            together.device,
            start,
            keeps_encoder=training.keeps_encoder,
            features_FC=None if material.features is None else torch.from_numpy(material.features),
        )
        settings = TrainSettings(
            folder=training.folder,
            schedule=Schedule(
                seconds=training.seconds,
                peak=training.peak,
                warmup_steps=training.warmup_steps,
                decay_share=training.decay_share,
            ),
            seed=training.seed,
            heads_alone_steps=HEADS_ALONE_STEPS if start else 0,
            max_steps=training.max_steps,
            log_steps=training.log_steps,
        )
        train(objective, ring, SKILLS, settings, report, together)
    together.close()


def _steps_done(folder: Path) -> int:
    if not (folder / STATE).is_file():
        return 0
    with safe_open(folder / STATE, framework="np") as file:
        return int(json.loads(file.metadata()["progress"])["step"])


def _weights(checkpoint: Path) -> Mapping[str, Tensor]:
    loaded = load_model(ModelConfig(path=str(checkpoint), device="cpu", dtype="float32"))
    return loaded.model.state_dict()


def export_state(folder: Path, out: Path, *, int8: bool = True) -> dict[str, float]:
    """Write the saved state of a training run as int8 shards of at most 15 MiB; return how far it had come.

    int8 False: as the float32 numbers that they were trained as.
    """
    path = folder / STATE
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; a training run saves it every few minutes")
    with safe_open(path, framework="pt", device="cpu") as file:
        progress: dict[str, float] = json.loads(file.metadata()["progress"])
        names = [name for name in file.keys() if name.startswith("master.")]  # noqa: SIM118
        masters = {name.removeprefix("master."): file.get_tensor(name) for name in names}
    write_compact(out, checkpoint_tensors(masters, read_config(NANO)), NANO, int8=int8)
    run = TrainingRun(
        pictures=int(progress["pictures"]),
        seconds=progress["seconds"],
        steps=int(progress["step"]),
        devices=int(progress.get("devices", 1)),
        kept_encoder=bool(progress.get("kept_encoder", 0)),
    )
    write_history(out, [*read_history(folder), run])
    return progress


def evaluate_checkpoint(
    path: str, material: Path, out: Path, told: Told, *, num_answers: int = 150, seed: int = 0
) -> str:
    """Measure every promise over so many answers each, on pictures kept from training; return the table.

    Writes report.json, table.md, failures.json and a gallery of failures (nano-failures.md with its pictures).
    """
    evaluation = Evaluation.for_checkpoint(path, material, num_answers, seed)
    return evaluation.write(out, evaluation.of(path, told))


def write_card(evaluation: Path, folder: Path = NANO) -> str:
    """Write MODEL_CARD.md of a checkpoint from an evaluation of it; return the same figures in a few lines."""
    report = read_report(evaluation)
    card = model_card(report, read_history(folder), num_parameters(folder))
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_manifest(folder)
    return brief(report)


def num_parameters(folder: Path) -> int:
    """How many numbers a checkpoint's model holds."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Glm4v(read_config(folder)).parameters())


def package(shards: Path, card: Path, out: Path = NANO) -> int:
    """Make a travelled checkpoint the built-in one, or one in a folder of its own; return the bytes of its weights."""
    if not (out / "config.json").is_file():
        copy_documents(NANO, out)
        shutil.copyfile(NANO / "config.json", out / "config.json")
    if read_history(shards) and shards.resolve() != out.resolve():
        write_history(out, read_history(shards))
    join_shards(shards, out, card.read_text(encoding="utf-8"))
    return (out / "model.safetensors").stat().st_size
