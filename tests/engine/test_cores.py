"""How a process shares its machine: as many threads as it may run at once, and no more."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from flashsight.engine import process


@pytest.mark.parametrize(
    ("line", "cpus"), [("150000 100000", 2), ("max 100000", 1 << 16), ("50000 100000\n", 1), ("nonsense", 1 << 16)]
)
def test_a_container_s_quota_bounds_the_threads(tmp_path: Path, line: str, cpus: int) -> None:
    (tmp_path / "cpu.max").write_text(line)
    assert process._quota_cpus(tmp_path / "cpu.max") == cpus
    assert process._quota_cpus(tmp_path / "missing") == 1 << 16


def test_threads_are_never_more_than_this_process_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before, interval = torch.get_num_threads(), sys.getswitchinterval()
    try:
        torch.set_num_threads(64)
        monkeypatch.setattr(process.os, "sched_getaffinity", lambda _: {0, 1, 2})
        process.tune_process()
        assert torch.get_num_threads() == 3
        assert sys.getswitchinterval() <= 0.001
    finally:
        torch.set_num_threads(before)
        sys.setswitchinterval(interval)


_TELLS_THREADS = """
import os, time, torch
from flashsight.engine.process import on_passing_thread
torch.set_num_threads(3)
def work(check=None): torch.ones(1 << 22).exp_().sum().item()
def threads(): return len(os.listdir("/proc/self/task"))
before = threads()
on_passing_thread(work)
for _ in range(500):  # the system takes a moment to end them
    if threads() == before: break
    time.sleep(0.01)
after = threads()
work()
print(after - before, threads() - before)
"""


def test_what_torch_computes_on_a_passing_thread_leaves_no_threads_behind() -> None:
    told = subprocess.run([sys.executable, "-c", _TELLS_THREADS], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["0", "2"]


def test_a_passing_thread_gives_back_what_came_of_it() -> None:
    assert process.on_passing_thread(lambda check: threading.get_ident()) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        process.on_passing_thread(lambda check: 1 // 0)


_IS_INTERRUPTED = """
import os, signal, threading, time
from flashsight.engine.process import on_passing_thread
def act(check):
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        check()
        time.sleep(0.01)
try:
    on_passing_thread(act)
except KeyboardInterrupt:
    print(threading.active_count())
"""


def test_ctrl_c_ends_a_passing_thread_at_its_next_check() -> None:
    told = subprocess.run([sys.executable, "-c", _IS_INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert (told.stdout.split(), told.stderr) == (["1"], "")


@pytest.mark.parametrize(("cores", "asked", "num"), [(1, None, 1), (2, None, 2), (16, None, 4), (2, 7, 7)])
def test_pictures_are_decoded_by_a_thread_a_core_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, cores: int, asked: int | None, num: int
) -> None:
    monkeypatch.setattr(process, "usable_cores", lambda: cores)
    assert process.num_decoders(asked) == num
