"""Kernels that start while the one before still runs, and wait for its end before they read what it may have written.

Programmatic dependent launch, sm_90 and newer. Each kernel of such a chain calls `begin` before it loads anything, or
`let_next_start` and `wait_for_last` around the loads of what no kernel of the chain writes: norms' weights, the step's
tables, keys and values of steps before. What two kernels before wrote is not safe: that one may still wait, too.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def let_next_start(OVERLAP: tl.constexpr):
    """Let the kernel behind start, as far as there is room beside this one."""
    if OVERLAP:
        tl.extra.cuda.gdc_launch_dependents()


@triton.jit
def wait_for_last(OVERLAP: tl.constexpr):
    """Wait until the kernel before has ended and what it wrote is seen."""
    if OVERLAP:
        tl.extra.cuda.gdc_wait()


@triton.jit
def begin(OVERLAP: tl.constexpr):
    """Let the kernel behind start, then wait for the one before."""
    let_next_start(OVERLAP)
    wait_for_last(OVERLAP)
