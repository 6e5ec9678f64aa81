"""Kernels that start while the one before still runs, and wait for its end before they read what it may have written.

Programmatic dependent launch, sm_90 and newer. Each kernel of such a chain calls `begin` before it loads anything.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def begin(OVERLAP: tl.constexpr):
    """Let the kernel behind start, then wait for the one before."""
    if OVERLAP:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
