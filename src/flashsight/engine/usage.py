"""What is in use right now, as the device and the operating system count it. Compares nothing, plans nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Bytes in use. process: resident memory of this process on the host.

    Of a GPU, None on a CPU: device_used and device_free as the driver counts them, everybody's memory included;
    allocated: by tensors of this process, now and at most so far; reserved: what torch holds for them.
    """

    process_bytes: int
    device_used_bytes: int | None = None
    device_free_bytes: int | None = None
    allocated_bytes: int | None = None
    peak_allocated_bytes: int | None = None
    reserved_bytes: int | None = None


def measure_use(device: torch.device) -> MemoryUse:
    """Ask the operating system and, for a GPU, the driver (torch.cuda.mem_get_info) and torch's allocator."""
    if device.type != "cuda":
        return MemoryUse(process_bytes=resident_bytes())
    import torch

    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    return MemoryUse(
        process_bytes=resident_bytes(),
        device_used_bytes=total_bytes - free_bytes,
        device_free_bytes=free_bytes,
        allocated_bytes=torch.cuda.memory_allocated(device),
        peak_allocated_bytes=torch.cuda.max_memory_allocated(device),
        reserved_bytes=torch.cuda.memory_reserved(device),
    )


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
