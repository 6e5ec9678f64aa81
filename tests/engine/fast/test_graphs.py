"""Recorded steps and the change over to them; without a GPU a tape in a graph's place, triton's interpreter beneath."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engine.fast.tape import recorder_of
from tests.support.caches import cache_of
from tests.support.prompts import Prompt, model_input, pixel_path, some_picture
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid, Salt, TokenSampling
from flashsight.engine import takeover as takeover_module
from flashsight.engine.graphs import Recorder, StepGraphs
from flashsight.engine.plan import Chunk
from flashsight.engine.runner import Runner
from flashsight.engine.sequence import BlockId, Sequence, SequenceId
from flashsight.engine.takeover import Takeover
from flashsight.models.attention.layout import Span, StepLayout
from flashsight.models.attention.paged import PagedBackend
from flashsight.models.attention.pictures import KernelPictures
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

# What fills up a recorded step is computed and never read; on a tape it may overflow.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")

BLOCK_SIZE, NUM_BLOCKS = 4, 60
PROMPT = Prompt(([3, 4], some_picture(1), [5]))
OTHER = Prompt(([9, 10, 11],))


@pytest.fixture(autouse=True)
def short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter takes its time."""
    if not torch.cuda.is_available():
        monkeypatch.setattr(takeover_module, "TRIALS", (((0, 5), (0, 2)), ((5, 1),), ((6, 1), (2, 1))))
        monkeypatch.setattr(takeover_module, "TRIAL_GRIDS", (Grid(t=1, h=2, w=4), Grid(t=1, h=2, w=2)))


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Glm4v:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_model(ModelConfig(path=str(tiny_checkpoint), dtype="float32", device=device)).model


def runner_of(model: Glm4v, recorder: Recorder | None, *, is_fast: bool = True) -> tuple[Runner, Takeover]:
    cache = cache_of(model, num_blocks=NUM_BLOCKS, block_size=BLOCK_SIZE)
    takeover = Takeover(model, cache, recorder, max_sequences=3, step_tokens=16)
    runner = Runner(
        model=model,
        backend=SdpaBackend(),
        cache=cache,
        pixel_path=pixel_path,
        step_tokens=16,
        takeover=takeover if is_fast else None,
    )
    return runner, takeover


def answers(runner: Runner, reference: Any, num_tokens: int = 4) -> list[list[int]]:
    """Greedy answers to two prompts: one prefilled in two chunks beside the other's decodes, then both together."""
    sequences = []
    for number, prompt in enumerate((PROMPT, OTHER)):
        made = Sequence(
            id=SequenceId(number), prompt=model_input(prompt, reference), sampling=TokenSampling(), salt=Salt(b"")
        )
        made.blocks = [BlockId(block) for block in range(20 * number, 20 * number + 12)]
        sequences.append(made)
    first, second = sequences
    pictures = first.prompt.pictures
    features = runner.encode(pictures, [picture.load() for picture in pictures])
    features_of = dict(zip((picture.key for picture in pictures), features, strict=True)).__getitem__

    def step(*chunks: Chunk) -> None:
        logits_NV = runner.logits(chunks, features_of)
        asking = [chunk.sequence for chunk in chunks if chunk.samples]
        for sequence, token in zip(asking, [] if logits_NV is None else logits_NV.argmax(-1).tolist(), strict=True):
            sequence.generated.append(token)

    def decode(sequence: Sequence) -> Chunk:
        return Chunk(sequence, len(sequence) - 1, len(sequence), samples=True)

    step(Chunk(second, 0, len(second), samples=True))
    step(decode(second), Chunk(first, 0, 8, samples=False))
    assert first.picture_slices(8, 9), "one row alone, and a picture's"
    step(Chunk(first, 8, 9, samples=False))
    step(decode(second), Chunk(first, 9, len(first), samples=True))
    while len(second.generated) < num_tokens:
        step(decode(first), decode(second))
    while len(first.generated) < num_tokens:
        step(decode(first))
    return [sequence.generated for sequence in sequences]


def taken_over(takeover: Takeover) -> None:
    """Let it try out, change over and record all there is."""
    awake = threading.Event()
    takeover.begin(awake.set)
    assert awake.wait(250)
    while takeover.go_on():
        pass


def assert_only_near_steps_are_replayed(graphs: StepGraphs) -> None:
    """What is larger than any recorded step runs unrecorded."""
    found = graphs.find(StepLayout((Span(0, 10, 0, list(range(3))),)))
    assert found is not None
    assert found.form.num_rows == 16
    many = tuple(Span(row, 1, 5, [row, row + 1]) for row in range(4))
    assert graphs.find(StepLayout(many)) is None
    assert graphs.find(StepLayout((Span(0, 17, 0, list(range(5))),))) is None


def test_answers_are_the_same_on_the_reference_on_kernels_and_on_recorded_steps(
    model: Glm4v, tiny_reference: Any
) -> None:
    plain, _ = runner_of(model, None, is_fast=False)
    expected = answers(plain, tiny_reference)
    runner, takeover = runner_of(model, recorder_of(model))
    assert answers(runner, tiny_reference) == expected
    taken_over(takeover)
    assert takeover.backend is not None
    assert takeover.graphs is not None
    assert takeover.graphs.num_recorded == 2 + 1  # decodes of 1 and 2, chunks of 16
    assert answers(runner, tiny_reference) == expected
    assert takeover.graphs.num_replays == 6
    assert_only_near_steps_are_replayed(takeover.graphs)


def test_kernels_that_compute_something_else_never_serve(
    model: Glm4v, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(self: object, qkv_PHD: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        return tuple(-part for part in qkv_PHD.chunk(3, dim=1))

    monkeypatch.setattr(KernelPictures, "turn", wrong)
    runner, takeover = runner_of(model, None)
    takeover._pictures = KernelPictures()
    taken_over(takeover)
    assert takeover.backend is None
    assert "differ from the reference" in caplog.text
    assert answers(runner, tiny_reference) == answers(runner_of(model, None, is_fast=False)[0], tiny_reference)


def test_a_copy_that_copies_nothing_keeps_the_kernels_from_serving(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PagedBackend, "copy_block", lambda *_: None)
    takeover = runner_of(model, None)[1]
    taken_over(takeover)
    assert takeover.backend is None


@pytest.mark.parametrize("is_recorded", [True, False], ids=["recorded", "unrecorded"])
def test_a_step_reads_tokens_that_only_the_device_knows(model: Glm4v, tiny_reference: Any, is_recorded: bool) -> None:
    runner, takeover = runner_of(model, recorder_of(model))
    if is_recorded:
        taken_over(takeover)
    sequences = []
    for number, ids in enumerate(([9, 10, 11], [20, 21])):
        made = Sequence(
            id=SequenceId(number),
            prompt=model_input(Prompt((ids,)), tiny_reference),
            sampling=TokenSampling(),
            salt=Salt(b""),
        )
        made.blocks = [BlockId(20 * number), BlockId(20 * number + 1)]
        sequences.append(made)
        runner.logits([Chunk(made, 0, len(ids), samples=True)], lambda key: torch.empty(0))
    chunks = [Chunk(made, len(made), len(made) + 1, samples=True) for made in sequences]
    drawn = torch.tensor([7, 33, 5], device=model.device)
    found = runner.logits(chunks, lambda key: torch.empty(0), (drawn, (2, 0)))
    assert found is not None
    found = found.clone()
    for made, token in zip(sequences, (5, 7), strict=True):
        made.generated.append(token)
    expected = runner.logits(chunks, lambda key: torch.empty(0))
    assert expected is not None
    assert float((found - expected).abs().max()) < 1e-5
    others = runner.logits(chunks, lambda key: torch.empty(0), (drawn, (0, 1)))
    assert others is not None
    assert float((others - found).abs().max()) > 1e-2
