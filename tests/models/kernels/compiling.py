"""Compiles every kernel at the dimensions of GLM-4.6V-Flash, with no GPU at hand; prints a line for each.

python -m tests.models.kernels.compiling 80 90
"""

from __future__ import annotations

import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from flashsight.models.kernels import paged, product, rotary, rows

HEADS = {"H": 32, "G": 2, "D": 128, "BD": 128}
FLOATS = {"cos", "sin", "parts", "tops"}
INTS = {"ended", "past", "pasts", "table", "tables", "rows", "news", "blocks", "slots", "tile_sequences", "tile_firsts"}
NUMBERS = {"scale", "eps", "post_eps", "pre_eps"}
TILE = {"TOKENS": 8, "KEYS": paged.CHUNK_KEYS}

MATRICES = [
    {"OUT": 4608, "IN": 4096, "HAS_BIAS": True, "IS_GATED": False},
    {"OUT": 4096, "IN": 13696, "HAS_BIAS": False, "IS_GATED": False},
    {"OUT": 151552, "IN": 4096, "HAS_BIAS": False, "IS_GATED": False},
    {"OUT": 13696, "IN": 4096, "HAS_BIAS": False, "IS_GATED": True},
]

ONE = (product.NARROW, product.DEEP, product.WIDE, product.GATED)
FEW = (
    (MATRICES[0], product.FEW_NARROW),
    (MATRICES[1], product.FEW_DEEP),
    (MATRICES[3], product.FEW_GATED),
)


def product_of(fixed: dict[str, Any], form: product.Form, **more: int) -> tuple[dict[str, Any], int]:
    """What a product of a form fixes, and its warps."""
    outputs, inputs, num_warps, stages = form
    return {**fixed, **more, "BO": outputs, "BC": inputs, "STAGES": stages}, num_warps


SMALL = {"H": 6, "G": 2, "D": 8, "BD": paged.padded(8)}
"""A head narrower than what matrix units multiply, as small checkpoints have it."""
ALONE = {"KEYS": paged.DECODE_KEYS, "JOINS": False, "HEADS": paged.JOINED_HEADS}
JOINED = ALONE | {"JOINS": True}
OVERLAPPING = 90
"""The first chip on which a kernel may start before the one before has ended."""

KERNELS: list[tuple[Any, dict[str, Any], int]] = [
    *(
        (paged._attend_decodes, {**HEADS, **JOINED, "SPLITS": n, "S": 16, "R": 16, "ARE_WRITTEN": written}, warps)
        for n, written, warps in ((4, False, 4), (4, True, 8), (16, False, 4))
    ),
    (paged._attend_decodes, {**HEADS, **ALONE, "SPLITS": 16, "S": 16, "R": 16, "ARE_WRITTEN": False}, 8),
    (
        paged._attend_decodes,
        {**SMALL, **JOINED, "SPLITS": 16, "S": 4, "R": paged.padded(3), "ARE_WRITTEN": False},
        4,
    ),
    *((paged._join_splits, {**HEADS, "SPLITS": n}, 4) for n in (4, 16)),
    (paged._attend_chunks, {**HEADS, **TILE, "S": 16, "R": 16}, 8),
    (paged._attend_chunks, {**SMALL, "TOKENS": 32, "KEYS": paged.CHUNK_KEYS, "S": 4, "R": 4}, 8),
    (paged._copy_block, {"SIZE": 4096, "BLOCK": 4096}, 4),
    *((rotary._rotate_and_write, {"H": 32, "G": 2, "D": 128, "BLOCK": 128, "HEADS": n}, 1) for n in (1, 4)),
    (rotary._rotate_halves, {"ALL": 36, "TURNED": 24, "D": 128, "HEADS": 32, "BLOCK": 128}, 4),
    (rows._norm, {"SIZE": 4096, "BLOCK": 4096}, 16),
    (rows._add_norm, {"SIZE": 4096, "BLOCK": 4096}, 16),
    (rows._add_plain_norm, {"SIZE": 1536, "BLOCK": 2048}, 8),
    (rows._silu_mul, {"SIZE": 13696, "BLOCK": 1024}, 4),
    *((product._product, *product_of(fixed, form)) for fixed, form in zip(MATRICES, ONE, strict=True)),
    *((product._rows_product, *product_of(fixed, form, BR=product.ROWS_AT_ONCE)) for fixed, form in FEW),
]

ROOMY: list[tuple[Any, dict[str, Any], int, int]] = [
    (
        paged._attend_chunks,
        {**HEADS, **TILE, "S": 16, "R": 16, "KEYS": paged.CHUNK_KEYS_ROOMY},
        8,
        paged.ROOMY_BYTES,
    ),
    (
        product._rows_product,
        *product_of(MATRICES[0], product.FEW_ROOMY, BR=product.ROWS_AT_ONCE),
        product.ROOMY_BYTES,
    ),
]
"""What takes the place of others where a program may have so much shared memory."""
# What one block may hold, in bytes (CUDA C++ Programming Guide, compute capabilities). sm_89 holds what sm_86 does, and
# to the compiler both and sm_80 are of one generation.
MOST_SHARED = {80: 163 << 10, 86: 99 << 10, 90: 227 << 10}
SEEN_ELSEWHERE = {80}
"""Chips on which only what does not run on the smaller ones of their generation is compiled."""


def type_of(name: str) -> str:
    if name in NUMBERS:
        return "fp32"
    if name in ("num_rows", "num_blocks", "to", "copied_from"):
        return "i32"
    return "*fp32" if name in FLOATS else "*i32" if name in INTS else "*bf16"


def compiled(kernel: Any, fixed: dict[str, Any], num_warps: int, chip: int) -> Any:
    names = kernel.arg_names
    signature = {name: "constexpr" if name in fixed else type_of(name) for name in names}
    constants = {(place,): fixed[name] for place, name in enumerate(names) if name in fixed}
    aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(names) if signature[name].startswith("*")}
    source = ASTSource(kernel, signature, constants, aligned)
    options = {"num_warps": num_warps, "num_stages": 2 if kernel is paged._attend_chunks else 3}
    return triton.compile(source, target=GPUTarget("cuda", chip, 32), options=options)


if __name__ == "__main__":
    for chip in map(int, sys.argv[1:]):
        roomy = [kernel[:3] for kernel in ROOMY if kernel[3] <= MOST_SHARED[chip]]
        for kernel, fixed, num_warps in roomy if chip in SEEN_ELSEWHERE else KERNELS + roomy:
            chosen = {**fixed, "OVERLAP": chip >= OVERLAPPING}  # the other way is what the chip before compiles
            shared = {name: value for name, value in chosen.items() if name in kernel.arg_names}
            binary = compiled(kernel, shared, num_warps, chip)
            waits = binary.asm["ptx"].count("griddepcontrol.wait")
            print(f"sm_{chip} {kernel.fn.__name__} shared {binary.metadata.shared} waits {waits}")
