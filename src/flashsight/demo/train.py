"""Trains nano for a given number of seconds, wherever it was left. Knows no scene: samples come in as a stream.

On a CUDA device the model runs in bfloat16 with compiled blocks; on a CPU in float32, for tests and rehearsals, or in
bfloat16 where the encoder stays as it is: then an hour is enough to teach something.
"""

from __future__ import annotations

import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from flashsight.demo.augment import Handling
from flashsight.demo.objective import LABELS, Objective, Outcome, PatchHeads
from flashsight.demo.optimise import Optimiser, Schedule
from flashsight.demo.ring import Arrays, Ring
from flashsight.demo.together import Company
from flashsight.models.glm4v.config import Glm4vConfig
from flashsight.models.glm4v.model import Glm4v, set_dtype
from flashsight.models.glm4v.text import Block

ALONE = Company(0, 1)
AHEAD = 3
"""Batches that wait on the device."""

Report = Callable[[str], None]
Line = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """A training run. `folder` keeps the state and the log; a run finds what an earlier one left there.

    In the first `heads_alone_steps` steps the patch heads teach the encoder nothing.
    """

    folder: Path
    schedule: Schedule
    seed: int = 0
    heads_alone_steps: int = 0
    log_steps: int = 50
    save_seconds: float = 120.0
    max_steps: int | None = None
    augments: bool = True


def initialise(model: Glm4v, seed: int) -> None:
    """Draw starting weights: small matrices, embeddings that the norms after each block don't drown."""
    generator = torch.Generator().manual_seed(seed)
    num_blocks = model.config.text.num_layers
    depth = model.config.vision.depth
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                gain = (2 * num_blocks) ** -0.5 if "post_norm" in name else 1.0
                parameter.fill_(0.0 if name.endswith("bias") else gain)
                continue
            spread = parameter.shape[1] ** -0.5
            if name == "text.embedding.weight":
                spread = 0.3
            elif name in ("text.head.weight", "vision.position"):
                spread = 0.02
            elif name.startswith("vision.blocks") and name.endswith(("out.weight", "down.weight")):
                spread *= (2 * depth) ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)


def build(
    config: Glm4vConfig,
    num_classes: Mapping[str, int],
    num_skills: int,
    seed: int,
    device: torch.device,
    start: Mapping[str, Tensor] | None = None,
    *,
    keeps_encoder: bool = False,
    features_FC: Tensor | None = None,
) -> Objective:
    """Make a model with its objective on a device: untrained, or with the weights of `start`."""
    model = Glm4v(config)
    torch.manual_seed(seed)
    heads = PatchHeads(config.vision.hidden_size, num_classes)
    if start is None:
        initialise(model, seed)
    else:
        model.load_state_dict(dict(start))
        heads.clear()
    objective = Objective(model, heads, num_skills, keeps_encoder=keeps_encoder, features_FC=features_FC).to(device)
    return objective.train()


def make_fast(objective: Objective, device: torch.device) -> None:
    """Bring a module into the form that it is trained in, once its weights are kept in full."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # what is left in float32 handles pictures and needs no more
        set_dtype(objective, torch.bfloat16)
        compile_blocks(objective.model)
    elif objective.keeps_encoder:
        set_dtype(objective, torch.bfloat16)


def compile_blocks(model: Glm4v) -> None:
    """Compile the blocks for any number of patches and tokens; blocks of one kind share one compiled form.

    So no block may know its number: attention in training has no cache and needs none.
    """
    for block in model.text.blocks:
        assert isinstance(block, Block)
        block.layer = 0
    for block in (*model.text.blocks, *model.vision.blocks):
        block.compile(dynamic=True)


class Feed:
    """Batches of a ring on their way to the device, a few ahead of the step; counts the time that a step waits."""

    def __init__(self, ring: Ring, device: torch.device) -> None:
        self._ring, self._device = ring, device
        self._ready: queue.Queue[tuple[dict[str, Tensor], torch.cuda.Event | None] | Exception] = queue.Queue(AHEAD)
        self._is_closed = threading.Event()
        self.waited_seconds = 0.0
        self._thread = threading.Thread(target=self._fetch, name="feed", daemon=True)
        self._thread.start()

    def next(self) -> dict[str, Tensor]:
        """The next batch, on the device."""
        before = time.monotonic()
        ready = self._ready.get()
        self.waited_seconds += time.monotonic() - before
        if isinstance(ready, Exception):
            raise ready
        batch, arrived = ready
        if arrived is not None:
            torch.cuda.current_stream().wait_event(arrived)
            for tensor in batch.values():
                tensor.record_stream(torch.cuda.current_stream())
        return batch

    def close(self) -> None:
        """Stop fetching."""
        self._is_closed.set()
        while not self._ready.empty():
            self._ready.get_nowait()
        self._thread.join(timeout=10)

    def _fetch(self) -> None:
        try:
            stream = None
            if self._device.type == "cuda":
                torch.cuda.set_device(self._device)  # each thread has its own
                stream = torch.cuda.Stream()
            while not self._is_closed.is_set():
                with self._ring.next() as arrays:
                    batch = self._upload(arrays, stream)
                self._ready.put((batch, stream.record_event() if stream else None))
        except Exception as error:  # it belongs to whoever waits for the next batch
            self._ready.put(error)

    def _upload(self, arrays: Arrays, stream: torch.cuda.Stream | None) -> dict[str, Tensor]:
        if stream is None:
            return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        with torch.cuda.stream(stream):
            pinned = {name: torch.from_numpy(array).pin_memory() for name, array in arrays.items()}
            return {name: tensor.to(self._device, non_blocking=True) for name, tensor in pinned.items()}


class Tally:
    """Sums of outcomes on the device between two lines of the log; reading them is the only wait for the device."""

    def __init__(self, skills: Sequence[str]) -> None:
        self._skills = skills
        self._sums: list[Tensor] | None = None
        self._num_steps = 0

    def add(self, outcome: Outcome, norm: Tensor) -> None:
        """Take one step in."""
        values = [outcome.answer_loss, outcome.patch_loss, norm.detach(), outcome.tokens, outcome.patches]
        self._sums = values if self._sums is None else [old + new for old, new in zip(self._sums, values, strict=True)]
        self._num_steps += 1

    def line(self) -> Line:
        """Return means since the last line, and start anew."""
        assert self._sums is not None
        answer, patch, norm = (float(value) for value in self._sums[:3])
        (right, total), patches = self._sums[3].tolist(), self._sums[4].tolist()
        num, self._sums, self._num_steps = self._num_steps, None, 0
        return {
            "answer_loss": round(answer / num, 4),
            "patch_loss": round(patch / num, 4),
            "gradient_norm": round(norm / num, 3),
            "token_accuracy": round(sum(right) / max(1.0, sum(total)), 4),
            "by_skill": {s: round(r / t, 3) for s, r, t in zip(self._skills, right, total, strict=True) if t},
            "by_patch": {k: round(r / max(1.0, t), 3) for k, r, t in zip(LABELS, *patches, strict=True)},
        }


def train(
    objective: Objective,
    ring: Ring,
    skills: Sequence[str],
    settings: TrainSettings,
    report: Report,
    together: Company = ALONE,
) -> Optimiser:
    """Train until the schedule's seconds are spent; return the optimiser, which holds the float32 weights.

    The first of several processes reports and saves. Raises EngineFault when a drawing process fails and
    ArithmeticError when the loss is no longer a number.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    device = next(objective.parameters()).device
    optimiser, state = Optimiser(objective, together), settings.folder / "state.safetensors"
    make_fast(objective, device)
    progress = optimiser.load(state) if state.is_file() else {"step": 0.0, "seconds": 0.0, "pictures": 0.0}
    progress["devices"] = together.size if device.type == "cuda" else 0
    progress["kept_encoder"] = float(objective.keeps_encoder)
    handling = Handling(device, settings.seed + together.rank)
    run = _Run(objective, optimiser, handling, Tally(skills), settings, progress, together)
    feed = Feed(ring, device)
    try:
        for line in run.steps(feed):
            if together.rank == 0:
                report(json.dumps(line))
    finally:
        feed.close()
    run.save()
    return optimiser


class _Run:
    def __init__(
        self,
        objective: Objective,
        optimiser: Optimiser,
        handling: Handling,
        tally: Tally,
        settings: TrainSettings,
        progress: dict[str, float],
        together: Company,
    ) -> None:
        self.objective, self.optimiser, self.handling, self.tally = objective, optimiser, handling, tally
        self.settings, self.progress, self.together = settings, dict(progress), together
        self._began, self._before = time.monotonic(), progress["seconds"]
        self._saved = self._lined = self._began
        self._pictures = 0

    def steps(self, feed: Feed) -> Iterator[Line]:
        """Step until the time or the steps are up; yield the log's lines.

        The time is agreed on with each line, so that all processes go at one rate and end after the same step.
        """
        while not self._is_over():
            self._step(feed.next())
            if int(self.progress["step"]) % self.settings.log_steps == 0:
                yield self._line(feed)
        if self._pictures:
            yield self._line(feed)

    def save(self) -> None:
        """Write the state, if this process is the first."""
        if self.together.rank == 0:
            self.optimiser.save(self.settings.folder / "state.safetensors", self.progress)
        self._saved = time.monotonic()

    def _step(self, batch: dict[str, Tensor]) -> None:
        dtype = self.objective.model.dtype
        with torch.no_grad():
            pixels = self.handling.touch(batch["pixels"]) if self.settings.augments else batch["pixels"].float() / 255
            patches_PK = self.handling.patches(pixels).to(dtype)
        self.objective.heads_alone = self.progress["step"] < self.settings.heads_alone_steps
        outcome = self.objective(batch, patches_PK)
        outcome.loss.backward()
        rate = self.settings.schedule.rate(int(self.progress["step"]), self.progress["seconds"])
        self.tally.add(outcome, self.optimiser.step(rate))
        self._pictures += len(batch["pixels"])
        self.progress["pictures"] += len(batch["pixels"]) * self.together.size
        self.progress["step"] += 1

    def _is_over(self) -> bool:
        limit = self.settings.max_steps
        is_done = limit is not None and self.progress["step"] >= limit
        return is_done or self.progress["seconds"] >= self.settings.schedule.seconds

    def _line(self, feed: Feed) -> Line:
        means = self.tally.line()
        now = time.monotonic()
        self.progress["seconds"] = self.together.agree(self._before + now - self._began)
        took, self._lined = now - self._lined, now
        waited, feed.waited_seconds = feed.waited_seconds, 0.0
        pictures, self._pictures = self._pictures, 0
        if not math.isfinite(float(str(means["answer_loss"]))):
            raise ArithmeticError("the loss is no longer a number; lower the rate or start from an earlier state")
        if now - self._saved > self.settings.save_seconds:
            self.save()
        return {
            "step": int(self.progress["step"]),
            "seconds": round(self.progress["seconds"], 1),
            "rate": round(self.settings.schedule.rate(int(self.progress["step"]), self.progress["seconds"]), 7),
            **means,
            "pictures_per_second": round(pictures * self.together.size / took, 1),
            "waited_share": round(waited / took, 3),
            "pictures": int(self.progress["pictures"]),
        }
