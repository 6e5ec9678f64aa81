"""Steps of fixed forms, recorded once and replayed: hundreds of kernels start at the price of one.

A recorded step reads its ids, positions and tables from tensors of its own and leaves its outcome in another; a smaller
step is padded with rows that write nothing. Decodes are recorded from ids to logits, chunks from ids and features of
pictures to hidden rows. Needs triton, as the paged backend does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from flashsight.models.attention.layout import FixedStep, RecordableBackend, StepForm, StepLayout
from flashsight.models.door import VisionLanguageModel

DECODE_ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64)
CHUNK_ROWS = (
    16, 32, 64, 96, 128, 192, 256, 320, 384, 400, 416, 448, 512, 640, 768, 896, 1024, 1152, 1280, 1408, 1440, 1536
)  # fmt: skip
"""Longer chunks keep the device busy for longer than starting their kernels one by one takes."""
QUICK_ROWS, MOST_PADDING = 512, 0.34
"""A step runs padded to so many rows, whatever it has: starting its kernels one by one would take as long. To more rows
only where no larger part of them is padding, as when only the largest form is recorded yet."""

PICTURE_ROW = -1
"""In place of the id of a row that is a picture's: its hidden state is the picture's feature."""

Replay = Callable[[], object]


class Recorder(Protocol):
    """Turns a function of fixed tensors into something that repeats it."""

    def record(self, run: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
        """Return what repeats the function, and the tensor that holds its outcome after each time."""


class CudaRecorder:
    """CUDA graphs that share one pool of memory: never do two of them run at once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        # One for all: every stream on which matrices are multiplied keeps a work space, 32 MiB on sm_90.
        self._stream = torch.cuda.Stream(device)

    def record(self, run: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
        """Run once as a rehearsal, so that libraries have their work space, then capture."""
        graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        self._stream.wait_stream(before)
        with torch.cuda.stream(self._stream):  # left again even where a capture breaks off
            run()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                outcome = run()
        before.wait_stream(self._stream)
        return graph.replay, outcome


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One recorded form. features [R, C]: hidden states of the rows whose id is PICTURE_ROW; None for decodes.

    outcome: logits [R, V] of decodes, hidden [R, C] of chunks; the next replay of any step overwrites it.
    """

    form: StepForm
    attend: FixedStep
    features: Tensor | None
    replay: Replay
    outcome: Tensor


def usual_forms(*, max_sequences: int, step_tokens: int, tile_tokens: int) -> list[StepForm]:
    """Forms for every step of an engine, in the order in which they are worth having.

    Decodes first, for most steps are; then the largest chunk, because the smaller ones then find their memory in the
    pool.
    """
    decodes = [StepForm(rows, rows) for rows in DECODE_ROWS if rows <= max(DECODE_ROWS[0], max_sequences)]
    chunks = [
        StepForm(rows, max_sequences, -(-rows // tile_tokens) + max_sequences)
        for rows in CHUNK_ROWS
        if rows <= step_tokens
    ]
    return [*decodes, *reversed(chunks)]


class StepGraphs:
    """The recorded steps of one model over one cache. Used by the engine's thread."""

    def __init__(
        self,
        model: VisionLanguageModel,
        backend: RecordableBackend,
        recorder: Recorder,
        forms: Sequence[StepForm],
        *,
        num_blocks: int,
    ) -> None:
        """forms: to be recorded, in this order. num_blocks: ids of blocks that a step has room for."""
        self._model, self._backend, self._recorder = model, backend, recorder
        self._num_blocks = num_blocks
        self._todo = list(reversed(forms))
        self._recorded: list[RecordedStep] = []
        most_rows = max((form.num_rows for form in forms if form.num_tiles), default=1)
        with torch.inference_mode():
            like = model.embed(torch.zeros(1, dtype=torch.int64, device=model.device))
            self._features_RC = like.new_zeros(most_rows, like.shape[1])
        self.num_replays = 0

    @property
    def num_recorded(self) -> int:
        """Forms that are ready."""
        return len(self._recorded)

    @property
    def has_more(self) -> bool:
        """True if a form is to be recorded."""
        return bool(self._todo)

    @torch.inference_mode()
    def record_next(self) -> None:
        """Record one more form."""
        self._recorded.append(self._record(self._todo.pop()))
        self._recorded.sort(key=lambda step: step.form.num_rows)

    def stop_recording(self) -> None:
        """Leave the rest unrecorded: memory is short."""
        self._todo.clear()

    def find(self, layout: StepLayout) -> RecordedStep | None:
        """Return the smallest recorded step that a step can run as, if that is quick enough, for its replay."""
        form = self._backend.form_of(layout)
        most_rows = max(QUICK_ROWS, int(form.num_rows * (1 + MOST_PADDING)))
        for step in self._recorded:
            if step.form.num_rows > most_rows:
                return None
            if _covers(step.form, form) and step.attend.fits(layout):
                self.num_replays += 1
                return step
        return None

    def _record(self, form: StepForm) -> RecordedStep:
        model = self._model
        attend = self._backend.step_of(form, num_blocks=self._num_blocks)
        attend.fill(StepLayout(()))
        ids_R, positions_3R = attend.rows[0], attend.rows[1:]
        features_RC = self._features_RC[: form.num_rows] if form.num_tiles else None

        def run() -> Tensor:
            if features_RC is None:
                return model.logits(model.forward(model.embed(ids_R), positions_3R, attend), attend)
            is_picture_R1 = (ids_R == PICTURE_ROW).unsqueeze(1)
            hidden_RC = torch.where(is_picture_R1, features_RC, model.embed(ids_R.clamp(min=0)))
            return model.forward(hidden_RC, positions_3R, attend)

        replay, outcome = self._recorder.record(run)
        return RecordedStep(form, attend, features_RC, replay, outcome)


def _covers(form: StepForm, asked: StepForm) -> bool:
    is_same_kind = bool(form.num_tiles) == bool(asked.num_tiles)
    is_large_enough = form.num_sequences >= asked.num_sequences and form.num_tiles >= asked.num_tiles
    return is_same_kind and is_large_enough and form.num_rows >= asked.num_rows
