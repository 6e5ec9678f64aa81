"""Ctrl-C while a command works: it is cancelled once, between two callbacks, and says so by KeyboardInterrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from flashsight.cli.interrupts import run_until_interrupted

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, os, signal
from flashsight.cli.interrupts import run_until_interrupted

async def work():
    loop = asyncio.get_running_loop()
    print(await asyncio.sleep(0, "before"), flush=True)
    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
    # Results of threads come in all the time; none of them may meet a future that was cancelled in its midst.
    try:
        while True:
            await asyncio.to_thread(int)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

for _ in range(20):
    try:
        run_until_interrupted(work())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_ctrl_c_cancels_once_and_nothing_complains() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["before", "cancelled", "interrupted"] * 20 + ["True"]
    assert (done.returncode, done.stderr) == (0, "")


def test_what_ends_by_itself_gives_its_result() -> None:
    async def answer() -> int:
        return 42

    before = signal.getsignal(signal.SIGINT)
    assert run_until_interrupted(answer()) == 42
    assert signal.getsignal(signal.SIGINT) in (before, signal.default_int_handler)
