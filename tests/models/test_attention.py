"""The reference attention against a textbook softmax, written out per head and per token."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flashsight.models.attention.layout import KVCache, Span, StepLayout
from flashsight.models.attention.sdpa import SdpaBackend, SdpaPictures

NUM_BLOCKS, BLOCK_SIZE, NUM_HEADS, NUM_KV_HEADS, HEAD_SIZE = 24, 4, 6, 2, 8


def textbook(q_LHD: Tensor, k_LGD: Tensor, v_LGD: Tensor, *, is_causal: bool) -> Tensor:
    """Softmax attention of the last L queries over all keys, one number at a time."""
    num_new, num_heads, _ = q_LHD.shape
    num_keys, num_kv_heads, _ = k_LGD.shape
    out = torch.zeros_like(q_LHD)
    for i in range(num_new):
        seen = num_keys - num_new + i + 1 if is_causal else num_keys
        for head in range(num_heads):
            group = head // (num_heads // num_kv_heads)
            scores = [float(q_LHD[i, head] @ k_LGD[j, group]) / math.sqrt(q_LHD.shape[-1]) for j in range(seen)]
            top = max(scores)
            weights = [math.exp(score - top) for score in scores]
            for weight, j in zip(weights, range(seen), strict=True):
                out[i, head] += weight / sum(weights) * v_LGD[j, group]
    return out


def new_cache() -> KVCache:
    cache = KVCache.allocate(
        num_layers=2,
        num_blocks=NUM_BLOCKS,
        block_size=BLOCK_SIZE,
        num_kv_heads=NUM_KV_HEADS,
        head_size=HEAD_SIZE,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    cache.k.uniform_(-9, 9)
    cache.v.uniform_(-9, 9)
    return cache


def some(num: int, heads: int, generator: torch.Generator) -> Tensor:
    return torch.randn(num, heads, HEAD_SIZE, generator=generator)


steps = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 7)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(steps, st.randoms(use_true_random=False), st.integers(0, 1))
def test_any_step_equals_textbook_softmax(parts: Sequence[tuple[int, int]], random: object, layer: int) -> None:
    """Pasts and new tokens of several sequences, blocks dealt at random, rubbish in every slot not written."""
    parts = sorted(parts, key=lambda part: part[1] > 1)
    generator = torch.Generator().manual_seed(random.randrange(1 << 30))  # type: ignore[attr-defined]
    free = list(range(NUM_BLOCKS))
    random.shuffle(free)  # type: ignore[attr-defined]
    cache, backend = new_cache(), SdpaBackend()
    spans, keys, values, queries, row = [], [], [], [], 0
    for num_past, num_new in parts:
        length = num_past + num_new
        blocks = [free.pop() for _ in range(-(-length // BLOCK_SIZE))]
        q, k = some(length, NUM_HEADS, generator), some(length, NUM_KV_HEADS, generator)
        v = some(length, NUM_KV_HEADS, generator)
        if num_past:
            past = backend.begin(StepLayout((Span(0, num_past, 0, blocks),)), cache)
            past(layer, q[:num_past], k[:num_past], v[:num_past])
        spans.append(Span(row, num_new, num_past, blocks))
        row += num_new
        queries.append(q[num_past:])
        keys.append(k)
        values.append(v)
    attend = backend.begin(StepLayout(tuple(spans)), cache)
    new = [num for _, num in parts]
    k_TGD = torch.cat([k[-num:] for k, num in zip(keys, new, strict=True)])
    v_TGD = torch.cat([v[-num:] for v, num in zip(values, new, strict=True)])
    o_THD = attend(layer, torch.cat(queries), k_TGD, v_TGD).split(new)
    for q, k, v, o in zip(queries, keys, values, o_THD, strict=True):
        torch.testing.assert_close(o, textbook(q, k, v, is_causal=True), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sizes", [[5], [4, 4, 4], [3, 8, 1]], ids=str)
def test_a_picture_attends_to_itself_alone(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (some(sum(sizes), 3, generator) for _ in range(3))
    cu_patches = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    o_PHD = SdpaPictures()(q, k, v, cu_patches).split(sizes)
    for o, *parts in zip(o_PHD, q.split(sizes), k.split(sizes), v.split(sizes), strict=True):
        torch.testing.assert_close(o, textbook(*parts, is_causal=False), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sizes", [[5], [4, 4, 4], [3, 8, 1], [300, 300]], ids=str)
def test_bfloat16_pictures_on_a_cpu_equal_exact_attention_within_its_rounding(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(sum(sizes), 3, 64, generator=generator).bfloat16() for _ in range(3))
    cu_patches = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    with torch.inference_mode():
        o_PHD = SdpaPictures()(q, k, v, cu_patches).split(sizes)
    for o, *parts in zip(o_PHD, q.split(sizes), k.split(sizes), v.split(sizes), strict=True):
        q_HPD, k_HPD, v_HPD = (part.double().transpose(0, 1) for part in parts)
        exact = torch.softmax(q_HPD @ k_HPD.mT / 8, dim=-1) @ v_HPD
        assert float((o.double().transpose(0, 1) - exact).norm() / exact.norm()) < 0.01


def test_a_step_writes_its_own_slots_and_no_other() -> None:
    cache = new_cache()
    before = cache.k.clone()
    generator = torch.Generator().manual_seed(0)
    attend = SdpaBackend().begin(StepLayout((Span(0, 6, 0, [7, 3]),)), cache)
    k = some(6, NUM_KV_HEADS, generator)
    attend(1, some(6, NUM_HEADS, generator), k, k)
    torch.testing.assert_close(cache.k[1, 7], k[:4])
    torch.testing.assert_close(cache.k[1, 3, :2], k[4:])
    before[1, 7], before[1, 3, :2] = k[:4], k[4:]
    assert torch.equal(cache.k, before)
