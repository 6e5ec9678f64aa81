"""Turns a plan into tensors and runs the model on them. Decides nothing: not what runs, not which token comes next.

encodes: pixels -> pixel path -> patches_PK -> encoder -> features, one tensor per picture
chunks:  ids -> embedding, picture rows replaced by features -> text layers -> logits of the sampled rows
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flashsight.core.types import Grid, ModelInput, PictureInput, PictureKey, Salt, TokenSampling
from flashsight.engine.device import Stamp
from flashsight.engine.graphs import PICTURE_ROW
from flashsight.engine.picturegraphs import PixelPath
from flashsight.engine.plan import Chunk
from flashsight.engine.sampler import Sampler, SamplingState
from flashsight.engine.sequence import BlockId, Sequence, SequenceId
from flashsight.engine.snapshot import Progress
from flashsight.models.attention.layout import AttentionBackend, KVCache, Span, StepLayout
from flashsight.models.attention.staging import Staging
from flashsight.models.door import VisionLanguageModel

if TYPE_CHECKING:
    from flashsight.engine.graphs import RecordedStep
    from flashsight.engine.takeover import Takeover

FeaturesOf = Callable[[PictureKey], Tensor]
Features = list[tuple[slice, Tensor]]
"""Rows of a step that are a picture's, and the features that belong there."""
DrawnBefore = tuple[Tensor, Seq[int]]
"""Tokens of the step before, on the device, and for each chunk the place of its own."""


class Runner:
    """Runs steps of up to step_tokens tokens of one model over one paged cache. Only the engine's thread calls it."""

    def __init__(
        self,
        *,
        model: VisionLanguageModel,
        backend: AttentionBackend,
        cache: KVCache,
        pixel_path: PixelPath,
        step_tokens: int,
        takeover: Takeover | None = None,
    ) -> None:
        self._model = model
        self._backend = backend
        self._cache = cache
        self._pixel_path = pixel_path
        self._takeover = takeover
        self._device = model.device  # asked for several times a step, and three look-ups away
        self._staging = Staging(self._device, torch.int64)
        self._pixels = Staging(self._device, torch.uint8, least_numbers=UPLOAD_BYTES, num_pieces=4)
        # Reused by every step: building tensors anew costs more than a small model's layer.
        self._numbers = np.zeros((4, step_tokens), np.int64)
        self._ids, self._positions = self._numbers[0], self._numbers[1:]

    @torch.inference_mode()
    def encode(self, pictures: Seq[PictureInput], pixels: Seq[NDArray[np.uint8]]) -> list[Tensor]:
        """Return features_MC of each picture; each owns its memory, so that one can be dropped alone."""
        uploaded = [self._upload(rows) for rows in pixels]
        graphs = None if self._takeover is None else self._takeover.picture_graphs
        if graphs is None:
            return self._encode(uploaded, pictures)
        found = [graphs.encode(rows, picture.grid) for rows, picture in zip(uploaded, pictures, strict=True)]
        others = [place for place, features_MC in enumerate(found) if features_MC is None]
        packed = iter(self._encode([uploaded[place] for place in others], [pictures[place] for place in others]))
        return [next(packed) if features_MC is None else features_MC for features_MC in found]

    def _encode(self, pixels: list[Tensor], pictures: Seq[PictureInput]) -> list[Tensor]:
        """Return the same of pictures on the device that are packed."""
        if not pixels:
            return []
        patches = [self._patches(picture, rows) for picture, rows in zip(pictures, pixels, strict=True)]
        patches_PK = patches[0] if len(patches) == 1 else torch.cat(patches)
        features_MC = self._model.encode(patches_PK, [picture.grid for picture in pictures])
        if len(pictures) == 1:
            return [features_MC]
        return [part.clone() for part in features_MC.split([picture.num_tokens for picture in pictures])]

    @torch.inference_mode()
    def logits(self, chunks: Seq[Chunk], features_of: FeaturesOf, drawn: DrawnBefore | None = None) -> Tensor | None:
        """Compute the chunks' keys and values; return logits_NV of their sampled rows, in order.

        drawn: of decodes whose token the host does not know yet. The next call may overwrite what is returned.
        """
        self._copy_blocks(chunks)
        spans, sampled_rows = self._pack(chunks)
        layout = StepLayout(spans)
        features = _features(chunks, spans, features_of)
        # A step of single rows is recorded for decodes, which have no place for pictures.
        recorded = None if features and layout.num_tokens == len(spans) else self._recorded(layout)
        if recorded is not None:
            self._replay(recorded, layout, features, drawn)
            outcome = recorded.outcome
        else:
            outcome = self._hidden(layout, features, drawn)
        if not sampled_rows:
            return None
        rows = self._rows(outcome, sampled_rows)
        return rows if recorded is not None and recorded.features is None else self._model.logits(rows)

    @property
    def is_ahead(self) -> bool:
        """True where a step's kernels run on by themselves after `logits` has returned."""
        return self._device.type == "cuda"

    def stamp(self) -> Stamp:
        """Mark this moment in the device's own order of work."""
        return Stamp(self._device)

    def begin_takeover(self, wake: Callable[[], object], is_idle: Callable[[], bool]) -> None:
        """Start to prepare faster parts behind the first answers; `wake` is called when `take_over` has work to do."""
        if self._takeover is not None:
            self._takeover.begin(wake, is_idle)

    @property
    def progress(self) -> Progress:
        """How far the faster parts are."""
        return Progress() if self._takeover is None else self._takeover.progress

    @property
    def is_speeding_up(self) -> bool:
        """True while `take_over` has, or will have, work to do."""
        return self.progress.is_under_way

    def take_over(self) -> bool:
        """Do a short piece of work towards faster steps while nobody waits; True if there is more."""
        return self._takeover is not None and self._takeover.go_on()

    def _replay(
        self, recorded: RecordedStep, layout: StepLayout, features: Features, drawn: DrawnBefore | None
    ) -> None:
        """Run a step as a recorded one. Every call into torch before its start is one more wait of the device."""
        for rows, features_MC in features:
            assert recorded.features is not None, "what is recorded for decodes has no place for pictures"
            self._ids[rows] = PICTURE_ROW
            recorded.features[rows] = features_MC
        recorded.attend.fill(layout, self._numbers[:, : layout.num_tokens])
        self._place_drawn(recorded.attend.rows[0], drawn)
        recorded.replay()

    def _hidden(self, layout: StepLayout, features: Features, drawn: DrawnBefore | None) -> Tensor:
        """Return hidden rows of a step that is not recorded."""
        numbers = self._send(layout.num_tokens)
        self._place_drawn(numbers[0], drawn)
        hidden_TC = self._model.embed(numbers[0])
        for rows, features_MC in features:
            hidden_TC[rows] = features_MC
        return self._model.forward(hidden_TC, numbers[1:], self._attention.begin(layout, self._cache))

    @property
    def _attention(self) -> AttentionBackend:
        return self._backend if self._takeover is None else self._takeover.backend or self._backend

    def _recorded(self, layout: StepLayout) -> RecordedStep | None:
        graphs = None if self._takeover is None else self._takeover.graphs
        return None if graphs is None else graphs.find(layout)

    def _send(self, num_tokens: int) -> Tensor:
        """Return what `_pack` wrote, ids and positions [4, T], on the device."""
        if self._device.type == "cpu":
            return torch.from_numpy(self._numbers[:, :num_tokens])
        to = torch.empty(4, num_tokens, dtype=torch.int64, device=self._device)
        self._staging.host(to.numel()).reshape(to.shape)[:] = self._numbers[:, :num_tokens]
        self._staging.send(to.view(-1))
        return to

    def _place_drawn(self, ids_R: Tensor, drawn: DrawnBefore | None) -> None:
        """Put tokens that only the device knows in their places: decodes have the first rows."""
        if drawn is not None and drawn[1]:
            tokens_N, rows = drawn
            ids_R[: len(rows)] = self._rows(tokens_N, list(rows))

    def _rows(self, tensor_RC: Tensor, rows: list[int]) -> Tensor:
        """Return the given rows: a view of the first ones, else a copy."""
        if rows == list(range(len(rows))):
            return tensor_RC[: len(rows)]
        at = torch.empty(len(rows), dtype=torch.int64, device=self._device)
        self._staging.host(len(rows))[:] = rows
        self._staging.send(at)
        return tensor_RC.index_select(0, at)

    def warm_up(self, sampler: Sampler) -> None:
        """Run everything once on next to nothing: kernels and thread pools are made on first use.

        Writes into the first blocks of the cache, so nothing may be in them yet.
        """
        side = 14 * _WARM_UP_GRID.h
        picture = PictureInput(
            key=PictureKey("warm-up"), grid=_WARM_UP_GRID, resized=(side, side), start=0, num_tokens=4, load=_no_pixels
        )
        self.encode([picture], [np.zeros((side + 1, side + 1, 3), np.uint8)])
        prompt = ModelInput(ids=np.zeros(2, np.int64), positions=np.zeros((3, 2), np.int64), delta=0)
        samplings = [TokenSampling(), TokenSampling(temperature=1.0, top_p=0.5)]
        states = [SamplingState(sampling, prompt.ids) for sampling in samplings]
        sequence = Sequence(id=SequenceId(-1), prompt=prompt, sampling=samplings[0], salt=Salt(b""), generated=[0])
        sequence.blocks = [BlockId(0), BlockId(1), BlockId(2)][: -(-len(sequence) // self._cache.block_size)]
        for chunk in (Chunk(sequence, 0, 2, samples=True), Chunk(sequence, 2, 3, samples=True)):
            logits_NV = self.logits([chunk], _no_features)
            assert logits_NV is not None, "the chunk samples"
            sampler.sample(logits_NV.expand(2, -1).contiguous(), states)
        if self._takeover is not None:
            self._takeover.prepare()

    def _copy_blocks(self, chunks: Seq[Chunk]) -> None:
        """Bring beginnings of other sequences' blocks where chunks go on from them; kernels of the step come behind."""
        for chunk in chunks:
            if chunk.copied_from is not None:
                to = chunk.sequence.blocks[chunk.start // self._cache.block_size]
                self._attention.copy_block(self._cache, to, chunk.copied_from)

    def _pack(self, chunks: Seq[Chunk]) -> tuple[tuple[Span, ...], list[int]]:
        spans: list[Span] = []
        sampled_rows: list[int] = []
        row = 0
        ids, positions = self._ids, self._positions
        for chunk in chunks:
            sequence, start, num_new = chunk.sequence, chunk.start, chunk.end - chunk.start
            if num_new == 1 and start >= sequence.num_prompt:
                known = sequence.generated[start - sequence.num_prompt :]
                ids[row] = known[0] if known else 0  # drawn on the device, where it is put in its place
                positions[:, row] = start + sequence.prompt.delta
            else:
                ids[row : row + num_new] = chunk.ids()
                positions[:, row : row + num_new] = sequence.positions(start, chunk.end)
            spans.append(Span(row, num_new, start, sequence.blocks))
            row += num_new
            sampled_rows.extend(range(row - chunk.num_samples, row))
        return tuple(spans), sampled_rows

    def _patches(self, picture: PictureInput, pixels_HWC: Tensor) -> Tensor:
        return self._pixel_path(pixels_HWC, picture.resized).to(self._model.dtype)

    def _upload(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return the pixels on the device; through pinned memory, so that the next kernels are prepared meanwhile."""
        if self._device.type == "cpu":
            # Decoders hand out read-only arrays, which torch can't wrap without a warning.
            return torch.from_numpy(np.require(pixels, np.uint8, ["C_CONTIGUOUS", "WRITEABLE"]))
        pixels_HWC = torch.empty(pixels.shape, dtype=torch.uint8, device=self._device)
        flat, to = pixels.reshape(-1), pixels_HWC.view(-1)
        for start in range(0, pixels.size, UPLOAD_BYTES):
            piece = flat[start : start + UPLOAD_BYTES]
            self._pixels.host(len(piece))[:] = piece
            self._pixels.send(to[start : start + len(piece)])
        return pixels_HWC


UPLOAD_BYTES = 4 << 20
"""Pixels are copied in pieces of this size, so that one is on its way while the next is written."""

_WARM_UP_GRID = Grid(t=1, h=4, w=4)


def _features(chunks: Seq[Chunk], spans: Seq[Span], features_of: FeaturesOf) -> Features:
    found: Features = []
    for chunk, span in zip(chunks, spans, strict=True):
        if chunk.start >= chunk.sequence.num_prompt:
            continue  # pictures are in prompts alone
        for part in chunk.sequence.picture_slices(chunk.start, chunk.end):
            row, num_rows = span.row + part.start - chunk.start, part.end - part.start
            features_MC = features_of(part.picture.key)
            found.append((slice(row, row + num_rows), features_MC[part.offset : part.offset + num_rows]))
    return found


def _no_pixels() -> NDArray[np.uint8]:
    raise AssertionError("the warm-up brings its own pixels")


def _no_features(key: PictureKey) -> Tensor:
    raise AssertionError(f"the warm-up's prompt has no picture {key}")
