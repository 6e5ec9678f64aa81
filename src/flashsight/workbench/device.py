"""Memory and use of the GPU while a run goes on. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """used_bytes of total_bytes, and the part of the last moment in which a kernel ran, 0 to 100."""

    used_bytes: int
    total_bytes: int
    busy_percent: int


def read_device_use(index: int = 0) -> DeviceUse | None:
    """How full and how busy a GPU is; None where there is none that its driver tells of."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        return DeviceUse(used_bytes=int(memory.used), total_bytes=int(memory.total), busy_percent=int(busy))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
