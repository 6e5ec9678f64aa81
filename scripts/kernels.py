"""Times each GPU kernel at the dimensions of GLM-4.6V-Flash and prints what it reaches of the device's own ceilings.

    python3 scripts/kernels.py [products | rows | attention | pictures | steps | profile] ...

Random data, rotated among buffers larger than the L2; the median of CUDA events. Needs a GPU and triton.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch
import torch.nn.functional as F
import triton
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid
from flashsight.engine.graphs import PICTURE_ROW, CudaRecorder, RecordedStep, StepGraphs, usual_forms
from flashsight.engine.picturegraphs import PictureGraphs
from flashsight.models.attention.layout import KVCache, Span, StepLayout
from flashsight.models.attention.paged import PagedBackend
from flashsight.models.attention.pictures import KernelPictures
from flashsight.models.attention.sdpa import SdpaPictures
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.kernels import product, rotary, rows
from flashsight.models.loading import load_model
from flashsight.processing.pixels import PixelPath
from flashsight.processing.resize import PictureSettings

NANO = Path(__file__).parents[1] / "src" / "flashsight" / "assets" / "nano"
"""Whose pictures are prepared as those of the large checkpoint are."""
DEVICE, DTYPE = torch.device("cuda", 0), torch.bfloat16
MATRICES = {
    "qkv": (4608, 4096),
    "out": (4096, 4096),
    "gate_up": (27392, 4096),
    "down": (4096, 13696),
    "head": (151552, 4096),
}
FORMS = ((4, 1024, 4, 1), (4, 1024, 4, 3), (8, 1024, 8, 3), (2, 2048, 4, 1), (2, 4096, 4, 1), (4, 2048, 8, 3))
"""Outputs, inputs, warps and stages of a program of the product of one row; half the outputs where it is gated."""
FEW_FORMS = ((16, 256, 1, 3), (16, 256, 2, 6), (32, 256, 2, 4), (32, 256, 4, 3), (64, 128, 4, 5), (64, 128, 4, 6))
"""The same of the product of a few rows."""
ONE_ROW, FEW_ROWS = ("NARROW", "DEEP", "WIDE", "GATED"), ("FEW_NARROW", "FEW_ROOMY", "FEW_DEEP", "FEW_GATED")
"""What `products` changes of the kernels for a while."""
STEPS = ((1, 448, 1), (1, 1500, 1), (8, 448, 1), (32, 448, 1), (64, 1500, 1), (1, 0, 16), (1, 0, 384), (1, 0, 1440))
LONG_STEPS = ((1, 0, 2048), (1, 2048, 2048))
"""(sequences, tokens before, new tokens of each)."""
HEADS, KV_HEADS, HEAD_SIZE, BLOCK_SIZE = 32, 2, 128, 16


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, device=DEVICE, dtype=DTYPE)


def milliseconds(run: Callable[[], object]) -> float:
    return float(triton.testing.do_bench(run, warmup=25, rep=100, return_mode="median"))


def in_turn(run: Callable[[], object], times: int = 40) -> float:
    """Milliseconds of one call of many that follow one another in a recording, as a step's kernels do.

    Alone a kernel of 20 microseconds shows its start and end rather than its speed.
    """
    run()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(times):
            run()
    return milliseconds(graph.replay) / times


def line(name: str, ms: float, *, num_bytes: float = 0, flops: float = 0) -> None:
    reached = f"{num_bytes / ms / 1e9:7.2f} TB/s" if num_bytes else f"{flops / ms / 1e9:7.0f} TFLOP/s" if flops else ""
    print(f"{name:54} {ms * 1000:9.1f} us {reached}", flush=True)


def ceilings() -> None:
    a, b = torch.empty(2, 1 << 31, dtype=torch.uint8, device=DEVICE)
    line("device copy", milliseconds(lambda: b.copy_(a)), num_bytes=2 * a.nbytes)
    x, y = some(8192, 8192), some(8192, 8192)
    line("bf16 product 8192^3", milliseconds(lambda: x @ y), flops=2 * 8192.0**3)


def products() -> None:
    for name, (outputs, inputs) in MATRICES.items():
        weights = [some(outputs, inputs) for _ in range(max(2, (400 << 20) // (2 * outputs * inputs)))]
        turns = count()

        def weight() -> Tensor:
            return weights[next(turns) % len(weights)]

        num_bytes = 2.0 * outputs * inputs
        times = 6 if name == "head" else 40
        for num_rows in (1, 8, 32):
            x = some(num_rows, inputs)
            ms = in_turn(lambda: F.linear(x, weight()), times)
            line(f"{name} torch, {num_rows} rows", ms, num_bytes=num_bytes)
        kept = {form: getattr(product, form) for form in ONE_ROW + FEW_ROWS}
        for overlap in (False, True):
            ours(name, inputs, weight, times, num_bytes, overlap)
        for form, value in kept.items():
            setattr(product, form, value)
        for num_rows in (384, 1440):
            if name != "head":
                x = some(num_rows, inputs)
                ms = milliseconds(lambda: F.linear(x, weight()))
                line(f"{name} torch, {num_rows} rows", ms, flops=2.0 * num_rows * outputs * inputs)


def ours(name: str, inputs: int, weight: Callable[[], Tensor], times: int, num_bytes: float, overlap: bool) -> None:
    """Every form of both products of one matrix; gate_up with SwiGLU in it."""
    is_gated, how = name == "gate_up", "overlapping" if overlap else "in turn"
    one, few = some(1, inputs), some(product.ROWS_AT_ONCE, inputs)
    for form in FORMS:
        _take(ONE_ROW, (max(1, form[0] // 2), *form[1:]) if is_gated else form)
        ms = in_turn(lambda: _one(one, weight(), is_gated, overlap), times)
        line(f"{name} ours, 1 row {form} {how}", ms, num_bytes=num_bytes)
    for form in FEW_FORMS if name != "head" else ():
        _take(FEW_ROWS, form)
        ms = in_turn(lambda: _few(few, weight(), is_gated, overlap), times)
        line(f"{name} ours, {len(few)} rows {form} {how}", ms, num_bytes=num_bytes)


def _take(names: tuple[str, ...], form: tuple[int, ...]) -> None:
    for name in names:
        setattr(product, name, form)


def _one(x: Tensor, weight: Tensor, is_gated: bool, overlap: bool) -> Tensor:
    if is_gated:
        return product.vector_swiglu(x, weight, 1.0, overlap=overlap)
    return product.vector_product(x, weight, None, overlap=overlap)


def _few(x: Tensor, weight: Tensor, is_gated: bool, overlap: bool) -> Tensor:
    if is_gated:
        return product.rows_swiglu(x, weight, 1.0, overlap=overlap)
    return product.rows_product(x, weight, None, overlap=overlap)


def row_kernels() -> None:
    for num_rows in (1, 32, 384, 1440):
        hidden, update, weight = some(num_rows, 4096), some(num_rows, 4096), some(4096)
        ms = milliseconds(lambda: rows.add_norm(hidden, update, (weight, weight), (1e-5, 1e-5), DTYPE))
        line(f"add_norm, {num_rows} rows", ms, num_bytes=4 * hidden.nbytes)
        gate_up = some(num_rows, 27392)
        ms = milliseconds(lambda: rows.silu_mul(gate_up, 1.0))
        line(f"silu_mul, {num_rows} rows", ms, num_bytes=1.5 * gate_up.nbytes)
        qkv, slots = some(num_rows, HEADS + 2 * KV_HEADS, HEAD_SIZE), torch.arange(num_rows, device=DEVICE).int()
        cos, (k, v) = torch.ones(num_rows, 1, HEAD_SIZE, device=DEVICE), some(2, num_rows, KV_HEADS, HEAD_SIZE)
        ms = milliseconds(lambda: rotary.rotate_and_write(qkv, (cos, cos), slots, k, v))
        line(f"rotate_and_write, {num_rows} rows", ms, num_bytes=2 * qkv.nbytes)


def attention() -> None:
    cache = KVCache.allocate(
        num_layers=1, num_blocks=8192, block_size=BLOCK_SIZE, num_kv_heads=KV_HEADS, head_size=HEAD_SIZE,
        dtype=DTYPE, device=DEVICE,
    )  # fmt: skip
    cache.k.normal_()
    cache.v.normal_()
    backend = PagedBackend(HEADS, cache)
    for num, past, new in STEPS + LONG_STEPS:
        per = -(-(past + new) // BLOCK_SIZE)
        spans = tuple(Span(i * new, new, past, range(i * per, (i + 1) * per)) for i in range(num))
        step = backend.begin(StepLayout(spans), cache)
        qkv = some(num * new, HEADS + 2 * KV_HEADS, HEAD_SIZE)
        cos = torch.ones(num * new, 1, HEAD_SIZE, device=DEVICE)
        ms = milliseconds(lambda: step.attend_packed(0, qkv, (cos, cos)))
        pairs = num * (new * past + new * (new + 1) / 2)
        if new == 1:
            line(f"paged, {num} decodes after {past}", ms, num_bytes=num * (past + 1) * 2 * KV_HEADS * HEAD_SIZE * 2)
        else:
            line(f"paged, chunk of {new} after {past}", ms, flops=4 * pairs * HEADS * HEAD_SIZE)
    for new in (384, 1440):
        q, k, v = some(1, HEADS, new, HEAD_SIZE), some(1, KV_HEADS, new, HEAD_SIZE), some(1, KV_HEADS, new, HEAD_SIZE)
        ms = milliseconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
        line(f"torch's attention, chunk of {new}", ms, flops=2 * new * new * HEADS * HEAD_SIZE)


def pictures() -> None:
    for sizes in ((1296,), (5476,), (1296,) * 6, (1296, 5476)):
        q, k, v = (some(sum(sizes), 12, 128) for _ in range(3))
        cu = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        flops = 4.0 * sum(size * size for size in sizes) * 12 * 128
        line(f"pictures {sizes}, reference", milliseconds(lambda: SdpaPictures()(q, k, v, cu)), flops=flops)
        ours = KernelPictures()
        line(f"pictures {sizes}, packed", milliseconds(lambda: ours(q, k, v, cu)), flops=flops)
        if len(set(sizes)) == 1:
            for kind in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
                with sdpa_kernel(kind):
                    ms = milliseconds(lambda: SdpaPictures()(q, k, v, cu))
                line(f"pictures {sizes}, {kind.name}", ms, flops=flops)


def recorded(model: Glm4v, *, overlaps: bool, max_sequences: int = 64, step_tokens: int = 2048) -> StepGraphs:
    shape = model.shape
    cache = KVCache.allocate(
        num_layers=shape.num_layers, num_blocks=8192, block_size=BLOCK_SIZE, num_kv_heads=KV_HEADS,
        head_size=HEAD_SIZE, dtype=DTYPE, device=DEVICE,
    )  # fmt: skip
    backend = PagedBackend(shape.num_heads, cache, overlaps=overlaps)
    forms = usual_forms(max_sequences=max_sequences, step_tokens=step_tokens, tile_tokens=backend.tile_tokens)
    graphs = StepGraphs(model, backend, CudaRecorder(DEVICE), forms, num_blocks=8192)
    before = torch.cuda.mem_get_info()[0]
    while graphs.has_more:
        graphs.record_next()
    print(f"{graphs.num_recorded} steps recorded in {(before - torch.cuda.mem_get_info()[0]) >> 20} MiB", flush=True)
    return graphs


def layout_of(num: int, past: int, new: int) -> StepLayout:
    per = -(-(past + new) // BLOCK_SIZE)
    return StepLayout(tuple(Span(i * new, new, past, range(i * per, (i + 1) * per)) for i in range(num)))


def steps() -> None:
    """Whole steps of the model with random weights: eager and recorded, and the encoder in every way."""
    model: Glm4v = load_model(ModelConfig(path="glm-4.6v-flash", load_format="dummy", dtype="bfloat16")).model
    for overlaps in (True, False):
        line_of_decode(recorded(model, overlaps=overlaps, max_sequences=1, step_tokens=8), overlaps=overlaps)
    graphs = recorded(model, overlaps=True)
    with torch.inference_mode():
        for num, past, new in STEPS + LONG_STEPS[:1]:
            layout = layout_of(num, past, new)
            ids = torch.randint(0, model.shape.vocab_size, (num * new,), device=DEVICE)
            positions = torch.arange(num * new, device=DEVICE).expand(3, -1).contiguous()
            backend = graphs._backend

            def eager() -> Tensor:
                hidden = model.forward(model.embed(ids), positions, backend.begin(layout, backend._cache))
                return model.logits(hidden[-num:])

            floor = {"num_bytes": 17.56e9} if new == 1 else {"flops": 17.6e9 * num * new}
            line(f"step of {num} x {new} after {past}, eager", milliseconds(eager), **floor)
            found = graphs.find(layout)
            if found is not None:
                fill(found, layout)
                line(f"step of {num} x {new} after {past}, recorded", milliseconds(found.replay), **floor)
        encoders(model)


def fill(step: RecordedStep, layout: StepLayout) -> None:
    """Describe a step of random hidden states: products of zeros draw less power and run faster than any prompt's."""
    ids_and_positions = np.ones((4, layout.num_tokens), np.int64)
    if step.features is not None:
        step.features.normal_()
        ids_and_positions[0] = PICTURE_ROW
    step.attend.fill(layout, ids_and_positions)


@torch.inference_mode()
def line_of_decode(graphs: StepGraphs, *, overlaps: bool) -> None:
    layout = layout_of(1, 448, 1)
    found = graphs.find(layout)
    assert found is not None
    fill(found, layout)
    name = "each starting before the last has ended" if overlaps else "one after the other"
    line(f"decode, kernels {name}", milliseconds(found.replay), num_bytes=17.56e9)


def encoders(model: Glm4v) -> None:
    ways = {"reference": SdpaPictures(), "packed": KernelPictures(), "one size": KernelPictures(is_recorded=True)}
    for side in (36, 74):
        patches, grid = some(side * side, 588), Grid(t=1, h=side, w=side)
        flops = 1.36e9 * side * side + 24 * 6144.0 * side**4
        for name, attend in ways.items():
            ms = milliseconds(lambda: model.encode(patches, [grid], attend))
            line(f"encoder of {side * side} patches, {name}", ms, flops=flops)
        pixel_path = PixelPath(PictureSettings.load(NANO))
        graphs = PictureGraphs(model, CudaRecorder(DEVICE), ways["one size"], pixel_path, most_patches=6000)
        while graphs.has_more:
            graphs.record_next()
        pixels = torch.randint(0, 256, (512 if side == 36 else 1024,) * 2 + (3,), dtype=torch.uint8, device=DEVICE)
        line(
            f"encoder of {side * side} patches and the pixels' way to them, recorded",
            milliseconds(lambda: graphs.encode(pixels, grid)),
            flops=flops,
        )


def profile() -> None:
    """Where the device's time goes in decodes of 1, 8 and 32 sequences and in prompts, and between their kernels."""
    model: Glm4v = load_model(ModelConfig(path="glm-4.6v-flash", load_format="dummy", dtype="bfloat16")).model
    graphs = recorded(model, overlaps=False, max_sequences=32, step_tokens=1440)
    for num in (1, 8, 32):
        profile_step(graphs, f"decode of {num}", layout_of(num, 448, 1))
    for new in (384, 1440):
        profile_step(graphs, f"chunk of {new}", layout_of(1, 0, new))


@torch.inference_mode()
def profile_step(graphs: StepGraphs, name: str, layout: StepLayout) -> None:
    found = graphs.find(layout)
    assert found is not None
    fill(found, layout)
    found.replay()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(10):
            found.replay()
        torch.cuda.synchronize()
    kernels = [row for row in profiler.key_averages() if row.device_time_total]
    total = sum(row.device_time_total for row in kernels) / 10
    print(f"{name}: {total:.0f} us in kernels of {milliseconds(found.replay) * 1e3:.0f} us", flush=True)
    for row in sorted(kernels, key=lambda row: -row.device_time_total)[:12]:
        print(f"  {row.device_time_total / 10:9.0f} us in {row.count / 10:5.0f} of {row.key[:70]}", flush=True)


PARTS = {
    "products": products,
    "rows": row_kernels,
    "attention": attention,
    "pictures": pictures,
    "steps": steps,
    "profile": profile,
}

if __name__ == "__main__":
    torch.manual_seed(0)
    ceilings()
    has_failed = False
    for part in sys.argv[1:] or PARTS:
        try:
            PARTS[part]()
        except Exception:
            traceback.print_exc()
            has_failed = True
        torch.cuda.empty_cache()
    sys.exit(has_failed)
