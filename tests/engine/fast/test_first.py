"""The recording that a first answer's tokens come from, before our own kernels have proved themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engine.fast.tape import Tape, recorder_of
from tests.support.caches import cache_of
from tests.support.prompts import Prompt, model_input, pixel_path
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from flashsight.core.config import ModelConfig
from flashsight.core.types import Salt, TokenSampling
from flashsight.engine import takeover as takeover_module
from flashsight.engine.graphs import Recorder, StepGraphs
from flashsight.engine.plan import Chunk
from flashsight.engine.runner import Runner
from flashsight.engine.sampler import Sampler
from flashsight.engine.sequence import BlockId, Sequence, SequenceId
from flashsight.engine.takeover import Takeover
from flashsight.models.attention.layout import StepForm
from flashsight.models.attention.sdpa import SdpaBackend, SdpaDecodes
from flashsight.models.glm4v.config import read_config
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

BLOCK_SIZE, NUM_BLOCKS = 4, 40
SCATTERED = (7, 30, 2, 19, 11, 3, 25, 8)
"""Blocks of one sequence, none beside the next."""


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Glm4v:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_model(ModelConfig(path=str(tiny_checkpoint), dtype="float32", device=device)).model


@pytest.fixture
def warm(model: Glm4v) -> Callable[[Recorder | None], tuple[Runner, Takeover]]:
    """Makes a runner as it is when the first question comes."""

    def made(recorder: Recorder | None) -> tuple[Runner, Takeover]:
        cache = cache_of(model, num_blocks=NUM_BLOCKS, block_size=BLOCK_SIZE)
        takeover = Takeover(model, cache, recorder, max_sequences=3, step_tokens=16)
        runner = Runner(
            model=model, backend=SdpaBackend(), cache=cache, pixel_path=pixel_path, step_tokens=16, takeover=takeover
        )
        runner.warm_up(Sampler(vocab_size=model.shape.vocab_size, max_sequences=3, device=model.device))
        return runner, takeover

    return made


def told(runner: Runner, reference: Any, num_tokens: int) -> list[Tensor]:
    """The logits of every step of a greedy answer."""
    prompt = model_input(Prompt(([9, 10, 11, 12, 13],)), reference)
    sequence = Sequence(id=SequenceId(0), prompt=prompt, sampling=TokenSampling(), salt=Salt(b""))
    sequence.blocks = [BlockId(block) for block in SCATTERED]
    start, found = 0, []
    while len(sequence.generated) < num_tokens:
        logits = runner.logits([Chunk(sequence, start, len(sequence), samples=True)], lambda key: torch.empty(0))
        assert logits is not None
        found.append(logits.clone())
        start = len(sequence)
        sequence.generated.append(int(logits.argmax()))
    return found


def test_a_first_answer_is_replayed_and_says_what_the_reference_says(
    warm: Callable[[Recorder | None], tuple[Runner, Takeover]], model: Glm4v, tiny_reference: Any
) -> None:
    plain, _ = warm(None)
    runner, takeover = warm(recorder_of(model))
    assert takeover.backend is None
    assert takeover.progress.num_recorded == 1
    expected, found = told(plain, tiny_reference, 20), told(runner, tiny_reference, 20)
    assert takeover.graphs is not None
    assert takeover.graphs.num_replays == 19, "every step but the prompt's"
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).abs().max()) < 1e-5


def test_a_context_that_is_longer_than_the_recording_runs_unrecorded(
    warm: Callable[[Recorder | None], tuple[Runner, Takeover]],
    model: Glm4v,
    tiny_reference: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(takeover_module, "FIRST_ANSWER_TOKENS", 12)
    plain, _ = warm(None)
    runner, takeover = warm(recorder_of(model))
    expected, found = told(plain, tiny_reference, 20), told(runner, tiny_reference, 20)
    assert takeover.graphs is not None
    assert takeover.graphs.num_replays == 12 - 5, "until the context has 12 tokens, of which the prompt has 5"
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).abs().max()) < 1e-5


class Broken(Tape):
    """A device that cannot record."""

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing")


def test_what_cannot_be_recorded_before_the_first_question_keeps_nobody_waiting(
    warm: Callable[[Recorder | None], tuple[Runner, Takeover]],
    tiny_reference: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plain, _ = warm(None)
    runner, takeover = warm(Broken())
    assert "could not be recorded" in caplog.text
    assert takeover.backend is None
    assert takeover.progress.num_recorded == 0
    for ours, theirs in zip(told(runner, tiny_reference, 6), told(plain, tiny_reference, 6), strict=True):
        assert torch.equal(ours, theirs)


class Devices(TorchDispatchMode):
    """Notes each operation that meets a tensor of the host."""

    def __init__(self) -> None:
        super().__init__()
        self.num_operations = 0
        self.on_host: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outcome = func(*args, **(kwargs or {}))
        self.num_operations += 1
        tensors = [leaf for leaf in tree_leaves((args, kwargs, outcome)) if isinstance(leaf, Tensor)]
        if any(tensor.device.type == "cpu" for tensor in tensors):
            self.on_host.append(str(func))
        return outcome


class Watched:
    """Records nothing; says what a recording would hold."""

    def __init__(self) -> None:
        self.devices = Devices()

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        with self.devices:
            return lambda: None, run()


def test_what_is_recorded_copies_nothing_from_the_host_and_asks_the_device_nothing(tiny_checkpoint: Path) -> None:
    """On a device without numbers, which refuses to be read: CUDA graphs allow neither."""
    shape_only = torch.device("meta")
    model = Glm4v(read_config(tiny_checkpoint)).to(shape_only).eval()
    cache = cache_of(model, num_blocks=8, block_size=BLOCK_SIZE)
    recorder = Watched()
    graphs = StepGraphs(model, SdpaDecodes(cache), recorder, (StepForm(1, 1),), num_blocks=8)
    graphs.record_next()
    assert recorder.devices.num_operations > 50
    assert recorder.devices.on_host == []
