"""Triton's compiler takes every kernel for every chip that we say it runs on; no GPU is needed for that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.models.kernels.compiling import MOST_SHARED

OVERLAPPING = {
    "_attend_chunks",
    "_attend_decodes",
    "_join_splits",
    "_rotate_and_write",
    "_norm",
    "_add_norm",
    "_product",
    "_rows_product",
}
"""All that steps of one and of a few rows are made of."""
ROOT = Path(__file__).parents[3]


def test_every_kernel_compiles_and_fits_into_shared_memory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TRITON_CACHE_DIR": str(tmp_path)}
    chips = [str(chip) for chip in MOST_SHARED]
    command = [sys.executable, "-m", "tests.models.kernels.compiling", *chips]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = re.findall(r"sm_(\d+) (\w+) shared (\d+) waits (\d+)", done.stdout)
    assert len({kernel for _, kernel, *_ in lines}) == 12
    for chip, kernel, shared, _ in lines:
        assert int(shared) <= MOST_SHARED[int(chip)], (kernel, chip)
    overlapping = [(kernel, int(waits)) for _, kernel, _, waits in lines if waits != "0"]
    assert {kernel for kernel, _ in overlapping} == OVERLAPPING
    assert all(waits == 1 for _, waits in overlapping), "each waits once for the one before"
