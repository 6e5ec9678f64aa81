"""Numbers on their way from the host to the device: pinned memory, so that the copy does not stop the host.

A piece of pinned memory is written again only when the copy out of it has ended.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

NUM_PIECES = 8
"""Copies that may be under way at once; more than two steps make, so that the host seldom waits."""
LEAST_NUMBERS = 1 << 14


class Staging:
    """A few pieces of host memory that take turns. Used by one thread."""

    def __init__(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        least_numbers: int = LEAST_NUMBERS,
        num_pieces: int = NUM_PIECES,
    ) -> None:
        """least_numbers: length of a piece at first. num_pieces: on a GPU; elsewhere a copy ends at once."""
        self._is_pinned = device.type == "cuda"
        self._pieces = [self._piece(least_numbers, dtype) for _ in range(num_pieces if self._is_pinned else 1)]
        self._copied: list[torch.cuda.Event | None] = [None] * len(self._pieces)
        self._turn = 0

    def host(self, length: int) -> NDArray[Any]:
        """Return the next piece, `length` numbers of what an earlier step left; write it whole, then send it."""
        self._turn = (self._turn + 1) % len(self._pieces)
        copied = self._copied[self._turn]
        if copied is not None and not copied.query():  # waiting would hand the interpreter's lock to another thread
            copied.synchronize()
        piece = self._pieces[self._turn]
        if len(piece) < length:
            piece = self._pieces[self._turn] = self._piece(2 * length, piece.dtype)
        return piece[:length].numpy()

    def send(self, to: Tensor) -> None:
        """Copy the beginning of the piece to a tensor of the device, behind what the device does already."""
        to.copy_(self._pieces[self._turn][: len(to)], non_blocking=True)
        if self._is_pinned:
            event = self._copied[self._turn] = self._copied[self._turn] or torch.cuda.Event()
            event.record()

    def _piece(self, length: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(length, dtype=dtype, pin_memory=self._is_pinned)
