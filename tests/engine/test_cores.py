"""How a process shares its machine: as many threads as it may run at once, and no more."""

from __future__ import annotations

import sys
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


@pytest.mark.parametrize(("cores", "asked", "num"), [(1, None, 1), (2, None, 2), (16, None, 4), (2, 7, 7)])
def test_pictures_are_decoded_by_a_thread_a_core_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, cores: int, asked: int | None, num: int
) -> None:
    monkeypatch.setattr(process, "usable_cores", lambda: cores)
    assert process.num_decoders(asked) == num
