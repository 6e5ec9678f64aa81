"""Several processes with one device each that train one model together. Knows no model.

Started by `python -m torch.distributed.run --nproc-per-node N`; a process of its own is a company of one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Company:
    """This process's place: rank in [0, size)."""

    rank: int
    size: int

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return torch.device("cuda", self.rank) if torch.cuda.is_available() else torch.device("cpu")

    def open(self) -> None:
        """Meet the others; after the forks of this process, before its first step."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.size > 1:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def close(self) -> None:
        """Part from the others."""
        if self.size > 1:
            dist.destroy_process_group()

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of equal shape in every process by their mean; one message for all."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)])

    def agree(self, number: float) -> float:
        """The mean of a number that every process measured for itself. Waits for the device."""
        if self.size == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return float(told.item()) / self.size


def company() -> Company:
    """Who this process is among those that were started together."""
    return Company(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
