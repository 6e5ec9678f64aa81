"""Measures a service as a process: seconds to ready, memory, and how fast /health answers while pictures are worked on.

Starts the product's own `serve` as a child on a free port and speaks HTTP to it. Knows nothing of its inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2
import numpy as np
from PIL import Image

from flashsight.bench.ahead import measure_ahead
from flashsight.bench.measure import percentile
from flashsight.bench.wire import Wire, chat_body, data_url
from flashsight.core.errors import ConfigError, FlashSightError

LARGE_PICTURE = (4000, 3000)
"""(width, height) in pixels: 12 megapixels, as phones take them."""

READY_SECONDS = 600.0
PROBE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """What one start showed. Memory is resident, in bytes; health and first tokens are milliseconds.

    cold_first, uploaded_first: of pictures sent with the question, and uploaded before it; uploaded_ratio of the two.
    upload_encodings: encoder calls for each picture that was uploaded and then asked about.
    """

    ready_seconds: float
    ready_bytes: int
    cold_first_ms: float
    uploaded_first_ms: float
    uploaded_ratio: float
    upload_encodings: float
    peak_bytes: int
    num_pictures: int
    num_answered: int
    num_probes: int
    health_p50_ms: float
    health_p99_ms: float
    health_max_ms: float


async def measure_service(arguments: Sequence[str], *, model: str, num_pictures: int) -> ServiceFigures:
    """Start `flashsight serve ARGUMENTS`, time first tokens with and without an upload before the question, then ask
    about num_pictures large pictures at once and probe /health all the while.

    Raises ConfigError with the end of the service's log if it does not get ready.
    """
    async with started_service(arguments) as service:
        ready_bytes = service.memory("VmRSS")
        async with Wire(service.url, model=model) as wire:
            ahead = await measure_ahead(wire, seed=num_pictures)
            # Made beforehand: a probe that waits for its own process to write a body would be counted as a slow server.
            bodies = [chat_body(model, data_url(large_jpeg(seed)), "?", 16) for seed in range(num_pictures)]
            work = asyncio.gather(*(_ask(wire, body) for body in bodies))
            probes = await _probe_while(wire, work)
        return ServiceFigures(
            ready_seconds=service.ready_seconds,
            ready_bytes=ready_bytes,
            cold_first_ms=ahead.cold_first_ms,
            uploaded_first_ms=ahead.uploaded_first_ms,
            uploaded_ratio=ahead.uploaded_first_ms / ahead.cold_first_ms,
            upload_encodings=ahead.upload_encodings,
            peak_bytes=service.memory("VmHWM"),
            num_pictures=num_pictures,
            num_answered=sum(work.result()),
            num_probes=len(probes),
            health_p50_ms=percentile(probes, 0.5) * 1e3,
            health_p99_ms=percentile(probes, 0.99) * 1e3,
            health_max_ms=max(probes) * 1e3,
        )


def large_jpeg(seed: int) -> bytes:
    """Return a JPEG of 12 megapixels with some detail everywhere."""
    field = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(field).resize(LARGE_PICTURE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=85)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class StartedService:
    """A child that answers at `url`, ready_seconds after its process was started."""

    pid: int
    url: str
    ready_seconds: float

    def memory(self, name: str) -> int:
        """Bytes that the system counts for it: VmRSS now, VmHWM at its peak. Raises ConfigError if it does not."""
        return _memory(self.pid, name)


@asynccontextmanager
async def started_service(arguments: Sequence[str], *, log_file: Path | None = None) -> AsyncIterator[StartedService]:
    """Start `flashsight serve ARGUMENTS` on a free port of this machine, wait until it is ready; end it afterwards.

    log_file: where its log is added; else it is thrown away. Raises ConfigError with the end of its log if it does not
    get ready.
    """
    port = _free_port()
    command = [sys.executable, "-m", "flashsight", "serve", "--host", "127.0.0.1", "--port", str(port), *arguments]
    # A pipe that nobody reads would stop the child when it is full.
    with tempfile.TemporaryFile() if log_file is None else log_file.open("ab+") as log:
        start = time.perf_counter()
        child = await asyncio.to_thread(_start, command, log)
        _end_with(asyncio.current_task())
        try:
            url = f"http://127.0.0.1:{port}"
            await _wait_until_ready(child, url, log)
            yield StartedService(child.pid, url, time.perf_counter() - start)
        finally:
            child.terminate()
            await asyncio.to_thread(child.wait)


def _end_with(task: asyncio.Task[object] | None) -> None:
    """Let SIGTERM cancel the task, so that its child goes with it; only a main thread can be told."""
    if task is not None:
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _start(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # The arguments are this process's own settings; no shell reads them.
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)  # noqa: S603


async def _wait_until_ready(child: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    async with httpx2.AsyncClient(timeout=5) as client:
        give_up_at = time.perf_counter() + READY_SECONDS
        while time.perf_counter() < give_up_at:
            if child.poll() is not None:
                log.seek(0)
                said = log.read().decode(errors="replace")[-800:]
                raise ConfigError(f"the service ended while starting: {said}")
            try:
                if (await client.get(f"{url}/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(PROBE_SECONDS)
    raise ConfigError(f"the service was not ready within {READY_SECONDS:.0f} s")


async def _ask(wire: Wire, body: bytes) -> bool:
    try:
        await wire.chat(body)
    except FlashSightError:
        return False
    return True


async def _probe_while(wire: Wire, work: asyncio.Future[list[bool]]) -> list[float]:
    """Return the seconds that each GET /health took, one after the other, until the work is done."""
    seconds = []
    while not work.done():
        start = time.perf_counter()
        await wire.get("/health")
        seconds.append(time.perf_counter() - start)
        await asyncio.sleep(PROBE_SECONDS)
    return seconds


def _memory(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise ConfigError(f"the system does not tell {name} of a process")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
