"""What a device can run, and why not: asked once at start. Imports no triton, so it may be asked anywhere."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache

import torch

LEAST_CAPABILITY = (8, 0)
"""The oldest GPUs that Triton compiles for. Older ones run on torch's own kernels."""
OVERLAPPING_CAPABILITY = (9, 0)


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether the fused kernels run here. reason: in words, when they do not; chip: such as `sm_90`, or `cpu`.

    overlaps: a kernel may start while the one before still runs.
    """

    chip: str
    has_kernels: bool
    reason: str = ""
    overlaps: bool = False


def capability_of(device: torch.device) -> Capability:
    """Ask torch and the environment. Never raises."""
    if device.type != "cuda":
        return Capability("cpu", has_kernels=False, reason="the model runs on a CPU")
    major, minor = torch.cuda.get_device_capability(device)
    chip = f"sm_{major}{minor}"
    if (major, minor) < LEAST_CAPABILITY:
        return Capability(chip, has_kernels=False, reason=f"the kernels need sm_80 or newer, this GPU is {chip}")
    if importlib.util.find_spec("triton") is None:
        return Capability(chip, has_kernels=False, reason="triton is not installed (extra `cuda`)")
    return Capability(chip, has_kernels=True, overlaps=(major, minor) >= OVERLAPPING_CAPABILITY)


def has_room(tensor: torch.Tensor, num_bytes: int) -> bool:
    """Tell whether a program on the tensor's device may have so much shared memory for numbers of 16 bits.

    sm_86 and sm_89 have 99 KiB, sm_80 163, sm_90 227; wider numbers take more.
    """
    return 2 * _shared_bytes(tensor.device) >= num_bytes * tensor.element_size()


@cache
def _shared_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    return int(getattr(torch.cuda.get_device_properties(device), "shared_memory_per_block_optin", 0))
