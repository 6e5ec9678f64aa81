"""From torch's own kernels to ours, while nobody waits: the first answers never stand behind a compiler.

Once the first question is answered, or nobody has asked one, a thread compiles the kernels by running them on a scratch
cache and compares with the reference; if all is well the engine's thread changes over between two steps, then records
step after step whenever it has nothing to do. If anything is not well the reference goes on serving, and the log says
why. Knows no requests.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.engine.graphs import Recorder, StepGraphs, usual_forms
from flashsight.engine.picturegraphs import PictureGraphs, PixelPath
from flashsight.engine.snapshot import Progress
from flashsight.models.attention.layout import (
    AttendPictures,
    AttentionBackend,
    KVCache,
    Span,
    StepForm,
    StepLayout,
)
from flashsight.models.attention.paged import PagedBackend
from flashsight.models.attention.pictures import KernelPictures
from flashsight.models.attention.sdpa import SdpaBackend, SdpaDecodes
from flashsight.models.door import VisionLanguageModel

_log = logging.getLogger(__name__)

MOST_DIFFERENT = 0.2
"""Relative difference of logits beyond which the kernels compute something else; rounding stays far below."""
TRIALS = (
    ((0, 40), (0, 23)),
    ((40, 9), (23, 1)),
    ((49, 1),),
    ((50, 1), (24, 1)),
    ((51, 1), *((0, 1),) * 4),
    ((52, 1), *((1, 1),) * 8),
)
"""(past, new) of each sequence of a step: chunks, a chunk beside a decode, and every way to split decodes."""
TRIAL_GRIDS = (Grid(t=1, h=8, w=12), Grid(t=1, h=4, w=4))
NUM_TRIAL_SEQUENCES, TRIAL_TOKENS = 9, 64
FIRST_ANSWER_TOKENS = 2048
"""The longest context of a first answer whose tokens come from a recording."""
GRACE_SECONDS, LONGEST_WAIT_SECONDS, LOOK_SECONDS = 1.0, 6.0, 0.02
"""How long the trial waits for a first question, how long for first answers at most, and how often it looks."""


class Takeover:
    """Gives the engine its fast parts one by one. `begin` once, then `go_on` from the engine's thread."""

    def __init__(
        self,
        model: VisionLanguageModel,
        cache: KVCache,
        recorder: Recorder | None,
        *,
        max_sequences: int,
        step_tokens: int,
        most_patches: int = 0,
        pictures: AttendPictures | None = None,
        pixel_path: PixelPath | None = None,
        graph_bytes: int = 0,
        overlaps: bool = False,
    ) -> None:
        """most_patches: of pictures that are recorded, where there is a pixel_path for them. graph_bytes: the most that
        recordings may hold; 0: no bound. overlaps: try kernels that start before the ones before them have ended, and
        keep them if they are sound.
        """
        self._model, self._cache, self._recorder = model, cache, recorder
        self._pictures, self._pixel_path = pictures, pixel_path
        self._max_sequences, self._step_tokens, self._most_patches = max_sequences, step_tokens, most_patches
        self._most_bytes, self._overlaps = graph_bytes, overlaps
        self._tried_out, self._is_sound = Event(), False
        self.backend: PagedBackend | None = None
        """What steps attend by, once it has proved itself."""
        self.graphs: StepGraphs | None = None
        self.picture_graphs: PictureGraphs | None = None
        self.graph_bytes = 0
        """What recordings hold on the device."""

    @property
    def progress(self) -> Progress:
        """How far it is."""
        is_trying = not self._tried_out.is_set()
        is_next = self._is_sound and (self.backend is None or self._has_more)
        return Progress(
            has_kernels=self.backend is not None,
            num_recorded=sum(
                graphs.num_recorded for graphs in (self.graphs, self.picture_graphs) if graphs is not None
            ),
            is_under_way=is_trying or is_next,
        )

    def prepare(self) -> None:
        """Record the decode of one sequence on the reference's kernels, which needs no compiler and a step's time.

        The first answer then takes its tokens at the device's pace, not at that of starting kernel by kernel. Writes
        into the first block of the cache, so nothing may be in it yet.
        """
        if self._recorder is not None:
            num_blocks = -(-min(FIRST_ANSWER_TOKENS, self._model.shape.max_positions) // self._cache.block_size)
            decodes = SdpaDecodes(self._cache)
            self.graphs = StepGraphs(self._model, decodes, self._recorder, (StepForm(1, 1),), num_blocks=num_blocks)
            self._record()

    @torch.inference_mode()
    def begin(self, wake: Callable[[], object], is_idle: Callable[[], bool] | None = None) -> None:
        """Start trying out. wake: called when `go_on` has something to do. is_idle: first answers go first, see
        `wait_for_turn`.
        """
        for grid in TRIAL_GRIDS:
            self._model.tables_of(grid)  # steps may come to use them, so they are not made on the trial's stream
        Thread(target=self._try_out, args=(wake, is_idle), name="flashsight-kernels", daemon=True).start()

    def go_on(self) -> bool:
        """Do the next short piece, some hundredths of a second; True if there is more."""
        if not self._tried_out.is_set() or not self._is_sound:
            return False
        if self.backend is None:
            self._take_over()
        elif self._has_more:
            self._record()
        return self._has_more

    def _take_over(self) -> None:
        self._change_steps()
        if self._pictures is None:
            return
        self._model.attend_pictures = self._pictures
        if self._recorder is not None and self._pixel_path is not None:
            self.picture_graphs = PictureGraphs(
                self._model,
                self._recorder,
                KernelPictures(is_recorded=True),
                self._pixel_path,
                most_patches=self._most_patches,
            )

    def _change_steps(self) -> None:
        self.backend = PagedBackend(self._model.shape.num_heads, self._cache, overlaps=self._overlaps)
        about = {"attention": self.backend.name, "overlaps": self._overlaps}
        _log.info("steps now run on the kernels of their own", extra=about)
        if self._recorder is not None:
            forms = usual_forms(
                max_sequences=self._max_sequences,
                step_tokens=self._step_tokens,
                tile_tokens=self.backend.tile_tokens,
            )
            num_blocks = min(self._cache.k.shape[1], self._most_blocks)
            self.graphs = StepGraphs(self._model, self.backend, self._recorder, forms, num_blocks=num_blocks)

    @property
    def _most_blocks(self) -> int:
        return self._max_sequences * -(-self._model.shape.max_positions // self._cache.block_size)

    @property
    def _has_more(self) -> bool:
        return any(graphs is not None and graphs.has_more for graphs in (self.picture_graphs, self.graphs))

    def _record(self) -> None:
        """Record one more form; the pictures' first, for there are few."""
        todo = [graphs for graphs in (self.picture_graphs, self.graphs) if graphs is not None and graphs.has_more]
        free_bytes = _free_bytes(self._model.device)
        try:
            todo[0].record_next()
        except Exception:
            self._give_up(todo[0])
            return
        self.graph_bytes += max(0, free_bytes - _free_bytes(self._model.device))
        if self._most_bytes and self.graph_bytes > self._most_bytes:
            _log.warning("recordings hold %d bytes, more than planned; no more are made", self.graph_bytes)
            self._stop_recording()
        if self.backend is not None and not self._has_more:
            _log.info("%d forms recorded", self.progress.num_recorded, extra={"graph_bytes": self.graph_bytes})

    def _give_up(self, graphs: PictureGraphs | StepGraphs) -> None:
        """What could not be recorded runs unrecorded; steps are first tried once more with kernels in turn."""
        what = "a picture" if graphs is self.picture_graphs else "a step"
        _log.exception("%s could not be recorded; its like run unrecorded from here on", what)
        graphs.stop_recording()
        if graphs is self.graphs and self.backend is not None and self._overlaps:
            self._overlaps = False
            self._change_steps()

    def _stop_recording(self) -> None:
        for graphs in (self.picture_graphs, self.graphs):
            if graphs is not None:
                graphs.stop_recording()

    # --- the thread that tries out ---------------------------------------------------------------------------

    def _try_out(self, wake: Callable[[], object], is_idle: Callable[[], bool] | None = None) -> None:
        try:
            if is_idle is not None:
                wait_for_turn(is_idle)
            with torch.inference_mode(), _aside(self._model.device):
                worst = self._worst_difference()
                if self._overlaps and worst >= MOST_DIFFERENT:
                    _log.warning("overlapping kernels differ from the reference by %.3f; they run in turn", worst)
                    self._overlaps = False
                    worst = self._worst_difference()
                if self._pictures is not None:
                    worst = max(worst, self._picture_difference(self._pictures))
            self._is_sound = worst < MOST_DIFFERENT
            if not self._is_sound:
                _log.error("the kernels differ from the reference by %.3f; the reference goes on serving", worst)
        except Exception:
            _log.exception("the kernels do not run here; the reference goes on serving")
        self._tried_out.set()
        wake()

    def _worst_difference(self) -> float:
        shape = self._model.shape
        caches = [self._scratch() for _ in range(2)]
        backends: list[AttentionBackend] = [
            PagedBackend(shape.num_heads, caches[0], overlaps=self._overlaps),
            SdpaBackend(),
        ]
        worst = 0.0
        for trial in TRIALS:
            ours, reference = (self._logits(trial, *pair) for pair in zip(backends, caches, strict=True))
            worst = max(worst, _difference(ours, reference))
        return max(worst, _copy_difference(backends[0], caches[0]))

    def _scratch(self) -> KVCache:
        shape, block_size = self._model.shape, self._cache.block_size
        return KVCache.allocate(
            num_layers=shape.num_layers,
            num_blocks=NUM_TRIAL_SEQUENCES * -(-TRIAL_TOKENS // block_size),
            block_size=block_size,
            num_kv_heads=shape.num_kv_heads,
            head_size=shape.head_size,
            dtype=self._model.dtype,
            device=self._model.device,
        )

    def _logits(self, trial: tuple[tuple[int, int], ...], backend: AttentionBackend, cache: KVCache) -> Tensor:
        device, per_sequence = self._model.device, -(-TRIAL_TOKENS // cache.block_size)
        spans, places, row = [], [], 0
        for sequence, (num_past, num_new) in enumerate(trial):
            blocks = range((sequence + 1) * per_sequence - 1, sequence * per_sequence - 1, -1)
            spans.append(Span(row, num_new, num_past, blocks))
            places.append(torch.arange(num_past, num_past + num_new))
            row += num_new
        positions = torch.cat(places).to(device)
        attend = backend.begin(StepLayout(tuple(spans)), cache)
        hidden_TC = self._model.embed((positions * 37 + 11) % self._model.shape.vocab_size)
        return self._model.logits(self._model.forward(hidden_TC, positions.expand(3, -1).contiguous(), attend))

    def _picture_difference(self, pictures: AttendPictures) -> float:
        num_patches = sum(grid.num_patches for grid in TRIAL_GRIDS)
        patches_PK = torch.linspace(-2, 2, num_patches * self._model.shape.patch_elements, device=self._model.device)
        patches_PK = patches_PK.sin().view(num_patches, -1).to(self._model.dtype)
        reference = self._model.encode(patches_PK, TRIAL_GRIDS)
        return _difference(self._model.encode(patches_PK, TRIAL_GRIDS, pictures), reference)


def wait_for_turn(
    is_idle: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Return when the first answers are out, or nobody has asked, or they take too long.

    A compiler holds the interpreter's lock, and steps that start kernel by kernel take three times as long beside it.
    """
    began_at, was_asked = clock(), False
    while (waited := clock() - began_at) < LONGEST_WAIT_SECONDS:
        if is_idle():
            if was_asked or waited >= GRACE_SECONDS:
                return
        else:
            was_asked = True
        sleep(LOOK_SECONDS)


def _difference(ours: Tensor, reference: Tensor) -> float:
    """Relative difference of norms; infinite where ours are not numbers."""
    difference = float((ours.float() - reference.float()).norm() / reference.float().norm())
    return difference if difference == difference else float("inf")


def _copy_difference(backend: AttentionBackend, cache: KVCache) -> float:
    """How far a block is from the one that it was copied from; the first call compiles what copies."""
    for part in (cache.k, cache.v):
        part[:, 1].normal_()
    backend.copy_block(cache, 0, 1)
    return max(_difference(part[:, 0], part[:, 1]) for part in (cache.k, cache.v))


def _aside(device: torch.device) -> torch.cuda.StreamContext | torch.no_grad:
    """A stream of its own on a GPU, so that steps do not wait for trials; it sees all that was launched before."""
    if device.type != "cuda":
        return torch.no_grad()
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.default_stream(device))
    return torch.cuda.stream(stream)


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
