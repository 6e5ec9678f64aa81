"""The doors of attention and the plain description of one step. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Attend(Protocol):
    """Causal attention of one text layer over the packed tokens of a step; writes the new keys and values first."""

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Return o_THD."""


@runtime_checkable
class AttendPacked(Attend, Protocol):
    """Attention that also turns and stores: where a step's function offers it, the layers run on fused kernels.

    overlaps: each kernel may start while the one before still runs.
    """

    overlaps: bool

    def attend_packed(self, layer: int, qkv_THD: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Return o_THD of the fused product [T, H + 2 G, D] not yet turned; rope: cos and signed sin [T, 1, D]."""


class AttendPictures(Protocol):
    """Full attention inside each picture. cu_patches holds the P offsets of the pictures: [0, p0, p0 + p1, ...]."""

    def __call__(self, q_PHD: Tensor, k_PHD: Tensor, v_PHD: Tensor, cu_patches: Sequence[int]) -> Tensor:
        """Return o_PHD."""


@runtime_checkable
class TurnPictures(AttendPictures, Protocol):
    """Pictures' attention that also turns: where it is offered, the encoder's blocks run on fused kernels."""

    def turn(self, qkv_PHD: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return q, k, v [P, H, D] of a fused product [P, 3 H, D]; rope: cos and signed sin [P, 1, D], half-split."""


@dataclass(frozen=True, slots=True)
class Span:
    """One sequence's part of a step.

    Rows [row, row + num_new) of the packed T are its tokens [num_past, num_past + num_new);
    blocks is its block table: token i lives in slot i % block_size of block blocks[i // block_size].
    """

    row: int
    num_new: int
    num_past: int
    blocks: Sequence[int]


@dataclass(frozen=True, slots=True)
class StepLayout:
    """Every sequence's part of a step, in the order of their rows; decode spans (num_new == 1) come first."""

    spans: tuple[Span, ...]

    @property
    def num_tokens(self) -> int:
        """T of the step."""
        return sum(span.num_new for span in self.spans)


@dataclass(frozen=True, slots=True)
class KVCache:
    """Paged keys and values: each [layers, B, S, G, D]."""

    k: Tensor
    v: Tensor

    @classmethod
    def allocate(
        cls,
        *,
        num_layers: int,
        num_blocks: int,
        block_size: int,
        num_kv_heads: int,
        head_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> KVCache:
        """Reserve the whole cache at once; nothing grows later."""
        shape = (num_layers, num_blocks, block_size, num_kv_heads, head_size)
        return cls(torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device))

    @property
    def block_size(self) -> int:
        """S, tokens of one block."""
        return self.k.shape[2]


@dataclass(frozen=True, slots=True)
class StepForm:
    """The sizes that fix a step's kernels: rows, sequences, tiles. num_tiles 0: every sequence has one new token."""

    num_rows: int
    num_sequences: int
    num_tiles: int = 0


class FixedStep(Attend, Protocol):
    """Attention of a step whose tensors stay where they are, so that a recording finds them again.

    rows: [4, R] on the device, ids and positions of the step's rows; attention carries them along, for one copy a step.
    """

    rows: Tensor

    def fits(self, layout: StepLayout) -> bool:
        """True if the block ids of a step, whose form is known to fit, find room."""

    def fill(self, layout: StepLayout, rows_4T: NDArray[np.int64] | None = None) -> None:
        """Describe a step that fits the form; without spans, one that may run and that nobody reads. Rows that are not
        given are zeros."""


class RecordableBackend(Protocol):
    """A way to attend whose steps can be recorded."""

    def form_of(self, layout: StepLayout) -> StepForm:
        """Return the step's own form, nothing padded."""

    def step_of(self, form: StepForm, *, num_blocks: int) -> FixedStep:
        """Return a step with room for num_blocks block ids; it must be filled before it is called."""


class AttentionBackend(Protocol):
    """A way to attend over the paged cache. `begin` turns a step's layout into what its kernels need, once a step."""

    name: str

    def begin(self, layout: StepLayout, cache: KVCache) -> Attend:
        """Return the function that this step's layers call."""

    def copy_block(self, cache: KVCache, to: int, copied_from: int) -> None:
        """Fill block `to` in every layer as `copied_from` is."""
