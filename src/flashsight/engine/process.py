"""How this process shares the machine: its cores, its threads' priorities, what malloc keeps. Runs no model."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD (the largest that is taken) and M_ARENA_MAX of glibc's mallopt.
_MALLOC = ((-1, 512 << 20), (-2, 64 << 20), (-3, 32 << 20), (-8, 2))
SWITCH_SECONDS = 0.0005
MOST_DECODERS = 4
"""Threads that decode pictures, if nobody says otherwise: more would only hold more pixels in memory."""


def usable_cores() -> int:
    """Cores that this process may keep busy at once, whatever the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota_cpus()))


def num_decoders(asked: int | None) -> int:
    """Threads that decode pictures: as many as were asked for, else one a core, MOST_DECODERS at most."""
    return asked if asked is not None else min(usable_cores(), MOST_DECODERS)


def tune_process() -> None:
    """Let torch use as many threads as this process may really run at once, and let no Python thread hold up a step.

    torch counts the machine's cores; more threads than the process gets make every kernel wait for the slowest. A step
    takes the interpreter's lock back after each of its hundreds of calls; with Python's own switch interval of 5 ms one
    other thread busy in Python (parsing a body, say) makes it some twenty times slower.
    """
    import torch

    torch.set_num_threads(max(1, min(torch.get_num_threads(), usable_cores())))
    keep_freed_memory()
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))


def on_passing_thread(act: Callable[[Callable[[], None]], T]) -> T:
    """Return what `act` returns, or raise what it raises, called on a thread that ends with it.

    `act` is given a check to call now and then, which ends it by KeyboardInterrupt once the caller got one (Ctrl-C).

    For what uses torch's threads before the engine does. Each thread that has given torch work keeps helpers of its
    own until it ends, and where a process has more of them than cores, libgomp's wait asleep for the next piece:
    hundreds of wake-ups a step, each as long as the piece itself.
    """
    outcome: Future[T] = Future()
    is_interrupted = threading.Event()

    def check() -> None:
        if is_interrupted.is_set():
            raise KeyboardInterrupt

    def run() -> None:
        try:
            outcome.set_result(act(check))
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="flashsight-building", daemon=True)
    try:
        thread.start()
        return outcome.result()
    except KeyboardInterrupt:
        is_interrupted.set()
        raise
    finally:
        if thread.is_alive():
            thread.join()  # a process that ends must not take torch away from it


def keep_freed_memory() -> None:
    """Let malloc (glibc) keep what a step frees for the next step, and let threads share it.

    By default it gives temporaries back to the system and gets them anew, page by page, which takes a good part
    of an encoder's time on a CPU; and each of a dozen threads keeps freed memory for itself.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _MALLOC:
            mallopt(parameter, value)


def step_back(niceness: int) -> None:
    """Let the calling thread, and threads it starts, give way to the event loop, where the system knows such a thing.

    Steps and decoding keep every core busy for long; whoever asks /health or reads a stream must not wait for that.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def _quota_cpus(cpu_max: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """CPUs that the control group allows, rounded up; a large number without a limit (cgroup v2, cpu.max)."""
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return 1 << 16
    return 1 << 16 if quota == "max" else math.ceil(int(quota) / int(period))
