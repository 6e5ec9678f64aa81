"""Memory and use of the GPU, or of this process on a CPU, while a run goes on. Knows no model."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """used_bytes of total_bytes, and the part of the last moment in which a kernel ran, 0 to 100."""

    used_bytes: int
    total_bytes: int
    busy_percent: int


def read_device_use() -> DeviceUse | None:
    """How full and how busy this process's GPU is, the first it may see; None where its driver tells of none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        # The driver counts those too that this process may not see.
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
        is_name = bool(seen) and not seen.isdecimal()
        by_name, by_index = pynvml.nvmlDeviceGetHandleByUUID, pynvml.nvmlDeviceGetHandleByIndex
        handle = by_name(seen) if is_name else by_index(int(seen or 0))
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        return DeviceUse(used_bytes=int(memory.used), total_bytes=int(memory.total), busy_percent=int(busy))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def resident_bytes() -> int | None:
    """Bytes of memory that this process holds; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


class CpuMeter:
    """How busy this process has kept the CPU since it was last asked, in percent of one core."""

    def __init__(self) -> None:
        self._read_at, self._spent_seconds = time.monotonic(), time.process_time()

    def read(self) -> int:
        """Percent since the last reading, 200 for two whole cores."""
        now, spent = time.monotonic(), time.process_time()
        passed, used = now - self._read_at, spent - self._spent_seconds
        self._read_at, self._spent_seconds = now, spent
        return round(100 * used / passed) if passed > 0 else 0
