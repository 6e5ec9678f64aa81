"""Asks the device or the operating system: how much memory there is, how far the work has come. Decides nothing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMemory:
    """Memory of the device that the model runs on. free_bytes counts what the weights hold as free."""

    kind: Literal["cpu", "cuda"]
    name: str
    total_bytes: int
    free_bytes: int


class Stamp:
    """A moment between two pieces of a device's work: on a GPU it comes when everything launched before is done."""

    def __init__(self, device: torch.device) -> None:
        self._at = time.perf_counter()
        self._event: torch.cuda.Event | None = None
        if device.type == "cuda":
            import torch

            self._event = torch.cuda.Event(enable_timing=True)
            self._event.record()

    def wait(self) -> None:
        """Return when it has come; lets other Python threads run meanwhile."""
        if self._event is not None:
            self._event.synchronize()

    def seconds_since(self, earlier: Stamp) -> float:
        """The device's own time between two stamps that have come."""
        if self._event is None or earlier._event is None:
            return self._at - earlier._at
        milliseconds: float = earlier._event.elapsed_time(self._event)
        return milliseconds / 1e3


def measure_memory(device: torch.device, *, held_bytes: int = 0) -> DeviceMemory:
    """Ask the device. held_bytes: weights that lie there already and are planned for again."""
    if device.type != "cuda":
        total_bytes, free_bytes = _host_memory()
        return DeviceMemory(kind="cpu", name="CPU", total_bytes=total_bytes, free_bytes=free_bytes + held_bytes)
    import torch

    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    free_bytes += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    name = torch.cuda.get_device_name(device)
    return DeviceMemory(kind="cuda", name=name, total_bytes=total_bytes, free_bytes=free_bytes + held_bytes)


def _host_memory(
    meminfo: Path = Path("/proc/meminfo"), control_group: Path = Path("/sys/fs/cgroup")
) -> tuple[int, int]:
    """(total, free) bytes that this process may use: the machine's, or its control group's if that has less."""
    total_bytes, free_bytes = _machine_memory(meminfo)
    try:
        limit_bytes = int((control_group / "memory.max").read_text())
        used_bytes = int((control_group / "memory.current").read_text())
        fields = (line.split() for line in (control_group / "memory.stat").read_text().splitlines())
        # Pages of files count as used but are given back when they are needed.
        reclaimable_bytes = sum(int(value) for name, value in fields if name in ("active_file", "inactive_file"))
    except (OSError, ValueError):
        return total_bytes, free_bytes
    group_free_bytes = max(0, limit_bytes - used_bytes + reclaimable_bytes)
    return min(total_bytes, limit_bytes), min(free_bytes, group_free_bytes)


def _machine_memory(meminfo: Path) -> tuple[int, int]:
    try:
        lines = meminfo.read_text().splitlines()
        kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return kibibytes["MemTotal"] << 10, kibibytes["MemAvailable"] << 10
    except (OSError, ValueError, KeyError, IndexError):
        total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return total_bytes, total_bytes // 2
