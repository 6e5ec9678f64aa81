"""Paged attention by our own kernels against a textbook softmax; what is turned and stored against complex numbers."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import Tensor

from flashsight.models.attention.layout import KVCache, Span, StepForm, StepLayout

NUM_BLOCKS, BLOCK_SIZE = 64, 4
HEADS = [(6, 2, 8), (4, 4, 16), (8, 1, 24)]


def textbook(q_LHD: Tensor, k_LGD: Tensor, v_LGD: Tensor) -> Tensor:
    """Causal softmax attention of the last L queries over all keys, in float64."""
    group = q_LHD.shape[1] // k_LGD.shape[1]
    q_HLD, k_HLD, v_HLD = (
        x.double().transpose(0, 1)
        for x in (q_LHD, k_LGD.repeat_interleave(group, 1), v_LGD.repeat_interleave(group, 1))
    )
    scores = q_HLD @ k_HLD.mT / math.sqrt(q_LHD.shape[-1])
    num_new, num_keys = scores.shape[1:]
    is_seen = torch.ones(num_new, num_keys, dtype=torch.bool, device=scores.device).tril(num_keys - num_new)
    return (scores.masked_fill(~is_seen, -math.inf).softmax(-1) @ v_HLD).transpose(0, 1)


def rope_of(num: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Angles for the first half of the dimensions; pairs are neighbours, the sine carries the sign."""
    angles = torch.zeros(num, size)
    turned = torch.arange(num)[:, None] * (0.3 + torch.arange(size // 4))
    angles[:, : size // 2 // 2 * 2] = turned.repeat_interleave(2, dim=1)[:, : size // 2 // 2 * 2]
    sign = torch.tensor([-1.0, 1.0]).repeat(size // 2)
    return angles.cos()[:, None].to(device), (angles.sin() * sign)[:, None].to(device)


def turned(x_THD: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Each pair as a complex number times e^(i angle)."""
    cos, sin = (part.double()[:, :, 1::2] for part in rope)
    pairs = torch.view_as_complex(x_THD.double().unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cos, sin)
    return torch.view_as_real(pairs).flatten(-2)


class Story:
    """Some sequences with a past in the cache, at blocks dealt at random, and what this step adds to them."""

    def __init__(self, parts: list[tuple[int, int]], heads: tuple[int, int, int], device: torch.device) -> None:
        self.heads, self.device, self.parts = heads, device, parts
        num_heads, num_kv_heads, size = heads
        self.cache = KVCache.allocate(
            num_layers=2, num_blocks=NUM_BLOCKS, block_size=BLOCK_SIZE, num_kv_heads=num_kv_heads,
            head_size=size, dtype=torch.float32, device=device,
        )  # fmt: skip
        self.cache.k.uniform_(-9, 9)
        self.cache.v.uniform_(-9, 9)
        generator = torch.Generator().manual_seed(0)
        num_rows = sum(new for _, new in parts)
        shape = (num_rows, num_heads + 2 * num_kv_heads, size)
        self.qkv = torch.randn(*shape, generator=generator).to(device)
        self.rope = rope_of(num_rows, size, device)
        free = random.Random(0).sample(range(NUM_BLOCKS), NUM_BLOCKS)
        self.pasts, spans, row = [], [], 0
        for num_past, num_new in parts:
            blocks = [free.pop() for _ in range(-(-(num_past + num_new) // BLOCK_SIZE))]
            past = torch.randn(2, num_past, num_kv_heads, size, generator=generator).to(device)
            for place in range(num_past):
                self.cache.k[1, blocks[place // BLOCK_SIZE], place % BLOCK_SIZE] = past[0, place]
                self.cache.v[1, blocks[place // BLOCK_SIZE], place % BLOCK_SIZE] = past[1, place]
            self.pasts.append(past)
            spans.append(Span(row, num_new, num_past, blocks))
            row += num_new
        self.layout = StepLayout(tuple(spans))

    def expected(self) -> Tensor:
        num_heads, num_kv_heads, _ = self.heads
        qk, v = self.qkv.split((num_heads + num_kv_heads, num_kv_heads), dim=1)
        q, k = turned(qk, self.rope).split((num_heads, num_kv_heads), dim=1)
        news = [new for _, new in self.parts]
        outs = [
            textbook(q_n, torch.cat((past[0].double(), k_n)), torch.cat((past[1].double(), v_n.double())))
            for q_n, k_n, v_n, past in zip(q.split(news), k.split(news), v.split(news), self.pasts, strict=True)
        ]
        return torch.cat(outs)


STEPS = [
    [(0, 5)],
    [(40, 1)],
    [(3, 1), (70, 1), (0, 1)],
    [(33, 1), (5, 9), (0, 21)],
    [(0, 1)] * 9,
    [(20, 3), (0, 70), (1, 2)],
]


@pytest.mark.parametrize("parts", STEPS, ids=str)
@pytest.mark.parametrize("heads", HEADS, ids=str)
def test_any_step_equals_textbook_softmax(
    device: torch.device, parts: list[tuple[int, int]], heads: tuple[int, int, int]
) -> None:
    from flashsight.models.attention.paged import PagedBackend

    story = Story(parts, heads, device)
    attend = PagedBackend(heads[0], story.cache).begin(story.layout, story.cache)
    found = attend.attend_packed(1, story.qkv, story.rope)
    torch.testing.assert_close(found.double(), story.expected(), atol=1e-5, rtol=1e-4)


def test_the_last_program_of_a_row_joins_its_pieces_in_every_layer_anew(device: torch.device) -> None:
    from flashsight.models.attention.paged import PagedBackend

    story = Story([(33, 1), (70, 1), (5, 1)], HEADS[0], device)
    attend = PagedBackend(HEADS[0][0], story.cache).begin(story.layout, story.cache)
    for _ in range(3):
        found = attend.attend_packed(1, story.qkv, story.rope)
        torch.testing.assert_close(found.double(), story.expected(), atol=1e-5, rtol=1e-4)
        assert not attend._tables.ended.any(), "the count begins at zero for the next layer"


def test_padded_rows_and_sequences_change_nothing(device: torch.device) -> None:
    """A step in a form that is larger than it, as a captured graph has it."""
    from flashsight.models.attention.paged import PagedBackend

    heads = HEADS[0]
    for parts, earlier, form in (
        ([(3, 1), (70, 1)], [(20, 1)] * 4, StepForm(4, 4)),
        ([(3, 1), (6, 11)], [(30, 7), (9, 3), (0, 6)], StepForm(16, 4, 5)),
    ):
        story = Story(parts, heads, device)
        step = PagedBackend(heads[0], story.cache).step_of(form, num_blocks=40)
        num_rows = len(story.qkv)
        step.fill(Story(earlier, heads, device).layout)  # what an earlier step left behind
        step.fill(story.layout)
        padding = torch.full((form.num_rows - num_rows, *story.qkv.shape[1:]), 5.0, device=device)
        before = story.cache.k.clone()
        rope = tuple(part[:1].repeat(form.num_rows, 1, 1) for part in story.rope)
        for padded, whole in zip(rope, story.rope, strict=True):
            padded[:num_rows] = whole
        found = step.attend_packed(1, torch.cat((story.qkv, padding)), rope)
        torch.testing.assert_close(found[:num_rows].double(), story.expected(), atol=1e-5, rtol=1e-4)
        assert int((story.cache.k != before).any(-1).any(-1).sum()) == num_rows


def test_the_longest_tiles_start_first(device: torch.device) -> None:
    from flashsight.models.attention.paged import NOWHERE, PagedBackend

    heads = HEADS[0]
    story = Story([(33, 1), (5, 70), (0, 40)], heads, device)
    step = PagedBackend(heads[0], story.cache).step_of(StepForm(128, 4, 12), num_blocks=40)
    step.fill(story.layout)
    sequences, firsts = (part.tolist() for part in step._tiles)
    num = sequences.index(NOWHERE)
    lengths = [story.parts[n][0] + first for n, first in zip(sequences[:num], firsts, strict=False)]
    assert lengths == sorted(lengths, reverse=True)
    every = range(0, 70, step._tile_tokens), range(0, 40, step._tile_tokens)
    assert sorted(zip(sequences[:num], firsts, strict=False)) == [
        (0, 0),
        *((1, n) for n in every[0]),
        *((2, n) for n in every[1]),
    ]
    assert set(sequences[num:]) == {NOWHERE}


def test_a_step_writes_turned_keys_and_plain_values_to_its_own_slots_only(device: torch.device) -> None:
    from flashsight.models.attention.paged import PagedBackend

    story = Story([(2, 6)], HEADS[0], device)
    k_before, v_before = story.cache.k.clone(), story.cache.v.clone()
    PagedBackend(6, story.cache).begin(story.layout, story.cache).attend_packed(1, story.qkv, story.rope)
    keys, values = turned(story.qkv[:, 6:8], story.rope).float(), story.qkv[:, 8:]
    (span,) = story.layout.spans
    for row, place in enumerate(range(2, 8)):
        k_before[1, span.blocks[place // BLOCK_SIZE], place % BLOCK_SIZE] = keys[row]
        v_before[1, span.blocks[place // BLOCK_SIZE], place % BLOCK_SIZE] = values[row]
    torch.testing.assert_close(story.cache.k, k_before, atol=1e-6, rtol=1e-5)
    assert torch.equal(story.cache.v, v_before)


@pytest.mark.parametrize("heads", HEADS, ids=str)
def test_a_block_is_copied_in_every_layer_and_nothing_else_changes(
    device: torch.device, heads: tuple[int, int, int]
) -> None:
    from flashsight.models.attention.paged import PagedBackend
    from flashsight.models.attention.sdpa import SdpaBackend

    cache = Story([(9, 1)], heads, device).cache
    for backend in (PagedBackend(heads[0], cache), SdpaBackend()):
        expected_k, expected_v = cache.k.clone(), cache.v.clone()
        expected_k[:, 1], expected_v[:, 1] = cache.k[:, 17], cache.v[:, 17]
        assert not torch.equal(expected_k, cache.k)
        backend.copy_block(cache, 1, 17)
        assert torch.equal(cache.k, expected_k)
        assert torch.equal(cache.v, expected_v)
        cache.k.normal_()


def test_queries_that_are_turned_already_are_attended_as_they_are(device: torch.device) -> None:
    from flashsight.models.attention.paged import PagedBackend

    story = Story([(9, 4)], HEADS[0], device)
    q, k, v = turned(story.qkv, story.rope).float().split((6, 2, 2), dim=1)
    attend = PagedBackend(6, story.cache).begin(story.layout, story.cache)
    expected = textbook(q, torch.cat((story.pasts[0][0], k)), torch.cat((story.pasts[0][1], v)))
    torch.testing.assert_close(attend(1, q, k, v).double(), expected, atol=1e-5, rtol=1e-4)
