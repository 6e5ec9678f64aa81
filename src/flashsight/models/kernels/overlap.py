"""Kernels that start while the one before still runs, and wait for its end before they read what it may have written.

Programmatic dependent launch, sm_90 and newer. Each kernel of such a chain calls `begin` first, or the two halves of
it; what lies between them may read weights only, since all else may still be in the making.
"""

from __future__ import annotations

import triton
import triton.language as tl

LINE_BYTES = tl.constexpr(128)


@triton.jit
def begin(OVERLAP: tl.constexpr):
    """Let the kernel behind start, then wait for the one before."""
    if OVERLAP:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()


@triton.jit
def bring_near(rows, IN: tl.constexpr, LINES: tl.constexpr):
    """Ask for the first lines of each row of a matrix to be in the L2 cache; rows are pointers [N, 1]."""
    per_line: tl.constexpr = LINE_BYTES * 8 // rows.dtype.element_ty.primitive_bitwidth
    places = tl.minimum(tl.arange(0, LINES) * per_line, IN - 1)
    tl.inline_asm_elementwise(
        "prefetch.global.L2 [$1]; mov.u32 $0, 0;",
        "=r,l",
        [(rows + places[None, :]).to(tl.int64)],
        dtype=tl.int32,
        is_pure=False,
        pack=1,
    )
