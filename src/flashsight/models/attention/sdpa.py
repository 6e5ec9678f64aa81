"""Attention by torch's scaled_dot_product_attention over the paged cache: the reference of every faster backend.

Correct on a CPU and on any GPU. All index tensors of a step are made in `begin`, none per layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from flashsight.models.attention.layout import Attend, KVCache, Span, StepForm, StepLayout
from flashsight.models.attention.staging import Staging

ROWS_AT_ONCE = 512
"""Query rows whose scores are held at once where attention is not fused."""


class SdpaPictures:
    """Full attention inside each picture; pictures of one size go as one batch."""

    def __call__(self, q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, cu_patches: Sequence[int]) -> Tensor:
        """Return o_PHD."""
        sizes = [end - start for start, end in pairwise(cu_patches)]
        if len(set(sizes)) == 1:
            return _attend_batch(q_PHD, k_PHD, v_PHD, len(sizes))
        parts = zip(q_PHD.split(sizes), k_PHD.split(sizes), v_PHD.split(sizes), strict=True)
        return torch.cat([_attend_batch(q, k, v, 1) for q, k, v in parts])


class SdpaBackend:
    """Writes the step's keys and values into the cache, then attends: decode rows as one batch, prefill one by one."""

    name = "sdpa"

    def begin(self, layout: StepLayout, cache: KVCache) -> Attend:
        """Return the function that this step's layers call."""
        num_decode = next((i for i, span in enumerate(layout.spans) if span.num_new > 1), len(layout.spans))
        decode = _Decode.of(layout.spans[:num_decode], cache) if num_decode else None
        prefill = [_Prefill.of(span, cache) for span in layout.spans[num_decode:]]
        slots = np.concatenate([_slots(span, cache.block_size) for span in layout.spans])
        return _SdpaStep(cache, torch.from_numpy(slots).to(cache.k.device), decode, prefill)

    def copy_block(self, cache: KVCache, to: int, copied_from: int) -> None:
        """Fill block `to` in every layer as `copied_from` is."""
        for part in (cache.k, cache.v):
            part[:, to] = part[:, copied_from]


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a sequence's tokens [0, length) lie among the slots: from `first` on if in one piece, else at `slots`."""

    length: int
    first: int | None
    slots: Tensor | None

    @classmethod
    def of(cls, span: Span, cache: KVCache) -> _Context:
        length, block_size = span.num_past + span.num_new, cache.block_size
        blocks = np.asarray(span.blocks[: -(-length // block_size)], dtype=np.int64)
        if (np.diff(blocks) == 1).all():
            return cls(length, int(blocks[0]) * block_size, None)
        slots = (blocks[:, None] * block_size + np.arange(block_size)).ravel()[:length]
        return cls(length, None, torch.from_numpy(slots).to(cache.k.device))

    def read(self, cache_SGD: Tensor) -> Tensor:
        """Return [1, G, length, D]; a view if the blocks are neighbours."""
        if self.first is not None:
            tokens = cache_SGD[self.first : self.first + self.length]
        else:
            assert self.slots is not None
            tokens = cache_SGD.index_select(0, self.slots)
        return tokens.transpose(0, 1).unsqueeze(0)


@dataclass(frozen=True, slots=True)
class _Decode:
    """The decode rows [0, num_rows) of a step: one alone reads its context, several a padded table of blocks."""

    num_rows: int
    alone: _Context | None
    table: Tensor | None
    mask: Tensor | None

    @classmethod
    def of(cls, spans: Sequence[Span], cache: KVCache) -> _Decode:
        if len(spans) == 1:
            return cls(1, _Context.of(spans[0], cache), None, None)
        block_size = cache.block_size
        lengths = np.array([span.num_past + 1 for span in spans])
        width = -(-int(lengths.max()) // block_size)
        table = np.zeros((len(spans), width), dtype=np.int64)
        for row, span in zip(table, spans, strict=True):
            num_blocks = -(-(span.num_past + 1) // block_size)
            row[:num_blocks] = span.blocks[:num_blocks]
        is_seen = torch.from_numpy(np.arange(width * block_size) < lengths[:, None])
        mask = _mask(is_seen, cache)[:, None, None, :]
        return cls(len(spans), None, torch.from_numpy(table.ravel()).to(cache.k.device), mask)

    def attend(self, q_NHD: Tensor, k_BSGD: Tensor, v_BSGD: Tensor) -> Tensor:
        """Return o_NHD. The query heads of one key head see the same keys, so they stand in for query positions."""
        q = q_NHD.unflatten(1, (k_BSGD.shape[2], -1))
        o = F.scaled_dot_product_attention(q, self._read(k_BSGD), self._read(v_BSGD), attn_mask=self.mask)
        return o.flatten(1, 2)

    def _read(self, cache_BSGD: Tensor) -> Tensor:
        if self.alone is not None:
            return self.alone.read(cache_BSGD.flatten(0, 1))
        assert self.table is not None
        blocks = cache_BSGD.index_select(0, self.table)
        return blocks.view(self.num_rows, -1, *blocks.shape[2:]).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class _Prefill:
    """Rows [start, stop) of a step, tokens of one sequence; without a past its keys need not be read back."""

    start: int
    stop: int
    context: _Context | None
    mask: Tensor | None

    @classmethod
    def of(cls, span: Span, cache: KVCache) -> _Prefill:
        stop = span.row + span.num_new
        if span.num_past == 0:
            return cls(span.row, stop, None, None)
        is_seen = torch.ones(span.num_new, stop - span.row + span.num_past, dtype=torch.bool).tril(span.num_past)
        return cls(span.row, stop, _Context.of(span, cache), _mask(is_seen, cache))

    def attend(self, q_LHD: Tensor, k_LGD: Tensor, v_LGD: Tensor, k_SGD: Tensor, v_SGD: Tensor) -> Tensor:
        """Return o_LHD of causal attention over past and new tokens."""
        q = q_LHD.transpose(0, 1).unsqueeze(0)
        if self.context is None:
            k, v = k_LGD.transpose(0, 1).unsqueeze(0), v_LGD.transpose(0, 1).unsqueeze(0)
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            k, v = self.context.read(k_SGD), self.context.read(v_SGD)
            o = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask, enable_gqa=True)
        return o.squeeze(0).transpose(0, 1)


class _SdpaStep:
    """One step's attention, called once per layer."""

    def __init__(self, cache: KVCache, slots_T: Tensor, decode: _Decode | None, prefill: Sequence[_Prefill]) -> None:
        self.cache, self.slots_T = cache, slots_T
        self.decode, self.prefill = decode, prefill

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        k_BSGD, v_BSGD = self.cache.k[layer], self.cache.v[layer]
        k_SGD, v_SGD = k_BSGD.flatten(0, 1), v_BSGD.flatten(0, 1)
        k_SGD.index_copy_(0, self.slots_T, k_TGD)
        v_SGD.index_copy_(0, self.slots_T, v_TGD)
        parts = []
        if self.decode is not None:
            parts.append(self.decode.attend(q_THD[: self.decode.num_rows], k_BSGD, v_BSGD))
        for span in self.prefill:
            rows = slice(span.start, span.stop)
            parts.append(span.attend(q_THD[rows], k_TGD[rows], v_TGD[rows], k_SGD, v_SGD))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class SdpaDecodes:
    """Decodes of one sequence in a form that can be recorded: the context is padded to all that there is room for."""

    def __init__(self, cache: KVCache) -> None:
        self._cache = cache

    def form_of(self, layout: StepLayout) -> StepForm:
        """Return the step's form; any chunk counts as tiles, which are not recorded here."""
        num_rows, num_sequences = layout.num_tokens, len(layout.spans)
        return StepForm(num_rows, num_sequences, num_rows - num_sequences)

    def step_of(self, form: StepForm, *, num_blocks: int) -> SdpaDecode:
        """Return a step with room for num_blocks block ids."""
        assert form == StepForm(1, 1), "one sequence decodes"
        return SdpaDecode(self._cache, num_blocks)


class SdpaDecode:
    """Attention of one new token, called once per layer. Its mask is made in the first layer, so it is recorded too."""

    def __init__(self, cache: KVCache, num_blocks: int) -> None:
        device, num_places = cache.k.device, num_blocks * cache.block_size
        self._block_size, self._staging = cache.block_size, Staging(device, torch.int64)
        self._numbers = torch.zeros(4 + 2 + num_blocks, dtype=torch.int64, device=device)
        rows, self._length, slots, table = self._numbers.split((4, 1, 1, num_blocks))
        self.rows = rows.view(4, 1)
        self._places = torch.arange(num_places, device=device)
        self._mask = torch.zeros(1, 1, 1, num_places, dtype=cache.k.dtype, device=device)
        self._step = _SdpaStep(cache, slots, _Decode(1, None, table, self._mask), ())

    def fits(self, layout: StepLayout) -> bool:
        """True if the one sequence's context finds room."""
        return layout.spans[0].num_past < len(self._places)

    def fill(self, layout: StepLayout, rows_4T: NDArray[np.int64] | None = None) -> None:
        """Describe a step; without spans, one that writes to the first slot and sees it alone."""
        host = self._staging.host(len(self._numbers))
        host[:] = 0
        if rows_4T is not None:
            host[:4] = rows_4T[:, 0]
        numbers = host[4:]
        numbers[0] = 1
        for span in layout.spans:
            blocks = span.blocks[: span.num_past // self._block_size + 1]
            numbers[0] = span.num_past + 1
            numbers[1] = blocks[-1] * self._block_size + span.num_past % self._block_size
            numbers[2 : 2 + len(blocks)] = blocks
        self._staging.send(self._numbers)

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD."""
        if layer == 0:
            # Filled with a number, not chosen between tensors: nothing may be copied from the host while recording.
            self._mask.zero_().masked_fill_(self._places >= self._length, -torch.inf)
        return self._step(layer, q_THD, k_TGD, v_TGD)


def _attend_batch(q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, num: int) -> Tensor:
    """Return o_PHD of `num` pictures of one size."""
    q, k, v = (x.unflatten(0, (num, -1)).transpose(1, 2) for x in (q_PHD, k_PHD, v_PHD))
    if q.device.type == "cpu" and q.dtype is torch.bfloat16 and not torch.is_grad_enabled():
        o: Tensor = _attend_by_products(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)).unflatten(0, (num, -1))
    else:
        o = F.scaled_dot_product_attention(q, k, v)
    return o.transpose(1, 2).flatten(0, 1)


def _attend_by_products(q_HPD: Tensor, k_HPD: Tensor, v_HPD: Tensor) -> Tensor:
    """Return o_HPD as softmax(q k) v in plain matrix products, some rows at a time so that the scores stay in cache.

    On a CPU with bfloat16 products this takes less than half the time of torch's fused kernel. Scores are rounded to
    bfloat16, as the unfused attention of most libraries does.
    """
    k_HDP = (k_HPD * q_HPD.shape[-1] ** -0.5).transpose(1, 2)
    rows = (torch.bmm(torch.softmax(torch.bmm(q, k_HDP), dim=-1), v_HPD) for q in q_HPD.split(ROWS_AT_ONCE, dim=1))
    return torch.cat(tuple(rows), dim=1)


def _mask(is_seen: Tensor, cache: KVCache) -> Tensor:
    """Return what is added to scores: made once a step, where a mask of booleans would be turned into it per layer."""
    mask: Tensor = torch.zeros(is_seen.shape, dtype=cache.k.dtype, device=cache.k.device)
    mask.masked_fill_(~is_seen.to(mask.device), -torch.inf)
    return mask


def _slots(span: Span, block_size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    places = np.arange(span.num_past, span.num_past + span.num_new)
    blocks = np.asarray(span.blocks, dtype=np.int64)
    return blocks[places // block_size] * block_size + places % block_size
