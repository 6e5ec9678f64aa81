"""Attention by kernels of our own over the paged cache: decodes split over their context, chunks by tiles.

What a step's kernels need beside queries and keys is one vector of 32-bit numbers, written on the host and copied once
a step. Its sections lie at places that depend on the step's form alone, so a captured graph finds them again:

    ids and positions 4 T · slots T · past N · first block N · first row N · new rows N
    tile's sequence · tile's first token · block ids
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flashsight.models.attention.layout import KVCache, Span, StepForm, StepLayout
from flashsight.models.attention.staging import Staging
from flashsight.models.kernels.paged import Tables, attend_chunks, attend_decodes, chunk_tokens, copy_block
from flashsight.models.kernels.product import ROWS_AT_ONCE
from flashsight.models.kernels.rotary import rotate_and_write

ALIGNED = 32
"""Sections begin at multiples of so many numbers: kernels are compiled for one alignment."""
NOWHERE = -1


class PagedBackend:
    """Attends over one cache for a model of num_heads query heads, on a device that runs triton's kernels."""

    name = "paged"

    def __init__(self, num_heads: int, cache: KVCache, *, overlaps: bool = False) -> None:
        """overlaps: let the kernels of a few rows start before the ones before them have ended; needs sm_90."""
        self._cache, self._overlaps = cache, overlaps
        self.tile_tokens = chunk_tokens(num_heads, cache.k.shape[3])
        self._staging = Staging(cache.k.device, torch.int32)

    def begin(self, layout: StepLayout, cache: KVCache) -> PagedStep:
        """Return the function that this step's layers call."""
        assert cache is self._cache, "a backend serves the cache that it was made for"
        step = self.step_of(self.form_of(layout), num_blocks=sum(len(span.blocks) for span in layout.spans))
        step.fill(layout)
        return step

    def copy_block(self, cache: KVCache, to: int, copied_from: int) -> None:
        """Fill block `to` in every layer as `copied_from` is."""
        copy_block(cache.k, cache.v, to, copied_from)

    def form_of(self, layout: StepLayout) -> StepForm:
        """Return the step's own form, nothing padded."""
        spans = layout.spans
        if all(span.num_new == 1 for span in spans):
            return StepForm(len(spans), len(spans))
        return StepForm(layout.num_tokens, len(spans), sum(-(-span.num_new // self.tile_tokens) for span in spans))

    def step_of(self, form: StepForm, *, num_blocks: int) -> PagedStep:
        """Return a step with room for num_blocks block ids; it must be filled before it is called."""
        return PagedStep(self._cache, form, num_blocks, self.tile_tokens, self._staging, overlaps=self._overlaps)


class PagedStep:
    """One step's attention, called once per layer. It may be filled again with another step that fits its form."""

    def __init__(
        self,
        cache: KVCache,
        form: StepForm,
        num_blocks: int,
        tile_tokens: int,
        staging: Staging,
        *,
        overlaps: bool = False,
    ) -> None:
        self.form = form
        # Nearly all kernels of such a step are ours; the one behind another's simply starts when that has ended.
        self.overlaps = overlaps and form.num_rows <= ROWS_AT_ONCE
        self._cache, self._tile_tokens = cache, tile_tokens
        self._staging = staging
        # Tiles of so few queries are few programs with long ways through the context; each row alone is split over it.
        self._is_by_rows = form.num_tiles == 0 or form.num_rows <= ROWS_AT_ONCE
        num = form.num_rows if self._is_by_rows else form.num_sequences
        lengths = [4 * form.num_rows, form.num_rows, num, num, num, num, form.num_tiles, form.num_tiles, num_blocks]
        starts = [0, *accumulate(-(-length // ALIGNED) * ALIGNED for length in lengths)]
        self._places = [slice(start, start + length) for start, length in zip(starts, lengths, strict=False)]
        self._num_blocks = num_blocks
        # All sections but the last of a step without spans: one copy is less than a call for each of them.
        self._blank = np.zeros(self._places[-1].start, np.int32)
        for nowhere in (self._places[1], self._places[6]):
            self._blank[nowhere] = NOWHERE
        self._numbers = torch.zeros(starts[-1], dtype=torch.int32, device=cache.k.device)
        rows, self._slots, past, table, row, new, tile_sequences, tile_firsts, blocks = (
            self._numbers[place] for place in self._places
        )
        self.rows = rows.view(4, -1)
        ended = torch.zeros(form.num_rows * cache.k.shape[3], dtype=torch.int32, device=cache.k.device)
        self._tables = Tables(past, table, row, new, blocks, ended)
        self._tiles = (tile_sequences, tile_firsts)

    def fits(self, layout: StepLayout) -> bool:
        """True if the block ids of a step, whose form is known to fit, find room."""
        return sum(len(span.blocks) for span in layout.spans) <= self._num_blocks

    def fill(self, layout: StepLayout, rows_4T: NDArray[np.int64] | None = None) -> None:
        """Describe a step. Rows, sequences and tiles that it does not use write nothing and are read by nobody."""
        spans, num = layout.spans, len(layout.spans)
        counts = [len(span.blocks) for span in spans]
        used = self._places[-1].start + sum(counts)
        numbers = self._staging.host(used)
        numbers[: len(self._blank)] = self._blank
        if rows_4T is not None:
            numbers[self._places[0]].reshape(4, -1)[:, : rows_4T.shape[1]] = rows_4T
        slots, past, table, row, new = (place.start for place in self._places[1:6])
        firsts = [0, *accumulate(counts)][:num]
        for span in spans:
            at = slots + span.row
            numbers[at : at + span.num_new] = _slots(span, self._cache.block_size)
        if self.form.num_tiles and self._is_by_rows:
            for span, first in zip(spans, firsts, strict=True):
                numbers[past + span.row :][: span.num_new] = range(span.num_past, span.num_past + span.num_new)
                numbers[table + span.row :][: span.num_new] = first
        else:
            numbers[past : past + num] = [span.num_past for span in spans]
            numbers[table : table + num] = firsts
            numbers[row : row + num] = [span.row for span in spans]
            numbers[new : new + num] = [span.num_new for span in spans]
            self._write_tiles(spans, numbers)
        at = self._places[-1].start
        for span, count in zip(spans, counts, strict=True):
            numbers[at : at + count] = span.blocks
            at += count
        self._staging.send(self._numbers[:used])

    def attend_packed(self, layer: int, qkv_THD: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Return o_THD; see AttendPacked."""
        k_BSGD, v_BSGD = self._cache.k[layer], self._cache.v[layer]
        tables, overlap = self._tables, self.overlaps
        if not self.form.num_tiles:
            return attend_decodes(qkv_THD, rope, self._slots, k_BSGD, v_BSGD, tables, overlap=overlap)
        k_SGD, v_SGD = k_BSGD.flatten(0, 1), v_BSGD.flatten(0, 1)
        q_THD = rotate_and_write(qkv_THD, rope, self._slots, k_SGD, v_SGD, overlap=overlap)
        if self._is_by_rows:
            return attend_decodes(qkv_THD, rope, self._slots, k_BSGD, v_BSGD, tables, are_written=True, overlap=overlap)
        return attend_chunks(q_THD, k_BSGD, v_BSGD, tables, self._tiles, overlap=overlap)

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD of queries and keys that are turned already: the same kernels, with an angle of zero."""
        qkv_THD = torch.cat((q_THD, k_TGD, v_TGD), dim=1)
        cos = torch.ones(len(q_THD), 1, q_THD.shape[2], device=q_THD.device)
        return self.attend_packed(layer, qkv_THD, (cos, torch.zeros_like(cos)))

    def _write_tiles(self, spans: Sequence[Span], numbers: NDArray[np.int32]) -> None:
        if not self.form.num_tiles:
            return
        # The longest way through the context first: what starts last must not be what takes longest.
        tiles = [
            (span.num_past + first, sequence, first)
            for sequence, span in enumerate(spans)
            for first in range(0, span.num_new, self._tile_tokens)
        ]
        tiles.sort(reverse=True)
        sequences, tile_firsts = self._places[6].start, self._places[7].start
        numbers[sequences : sequences + len(tiles)] = [sequence for _, sequence, _ in tiles]
        numbers[tile_firsts : tile_firsts + len(tiles)] = [first for *_, first in tiles]


def _slots(span: Span, block_size: int) -> NDArray[np.int64] | int:
    if span.num_new == 1:
        return span.blocks[span.num_past // block_size] * block_size + span.num_past % block_size
    places = np.arange(span.num_past, span.num_past + span.num_new)
    return np.asarray(span.blocks, np.int64)[places // block_size] * block_size + places % block_size
