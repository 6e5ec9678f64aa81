"""Attention straight from the paged cache: split over the context for one query a sequence, tiled for chunks.

The H / G query heads that share a key head are rows of one tile, so keys and values are read once for all of them.
Scores are kept in base 2; a tile's softmax is computed on line (Milakov & Gimelshein 2018, Dao et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from flashsight.models.kernels.capability import has_room
from flashsight.models.kernels.overlap import begin, let_next_start, wait_for_last

LOG2_E = 1.4426950408889634
DECODE_KEYS = 32
JOINED_FROM = 2
"""From so many rows on the last program of a row joins the pieces of all: a kernel would take longer than it works."""
JOINED_HEADS = 8
"""Heads that are joined at once."""
LONELY = 128
"""Up to so many programs have a multiprocessor each, and then more warps than beside others."""
CHUNK_KEYS, CHUNK_KEYS_ROOMY = 64, 128
ROOMY_BYTES = 163_840
"""Keys of a tile of a chunk's, and on cards whose shared memory holds two tiles of twice as many."""
CHUNK_ROWS = 128


@dataclass(frozen=True, slots=True)
class Tables:
    """Device tables of a step, int32. Sequence n has past[n] tokens in the cache before it; its block ids begin at
    blocks[table[n]], its queries at row[n], new[n] of them. ended: a zero for each row and key head, left as a zero."""

    past: Tensor
    table: Tensor
    row: Tensor
    new: Tensor
    blocks: Tensor
    ended: Tensor


def padded(size: int) -> int:
    """Side of a tile that holds `size`: a power of two, and no less than matrix units multiply."""
    return max(16, int(triton.next_power_of_2(size)))


def num_splits_for(num_rows: int) -> int:
    """Pieces that a context is cut into: enough programs to fill a large GPU, in few compiled variants."""
    return 16 if num_rows <= 8 else 4


def attend_decodes(
    qkv_NHD: Tensor,
    rope: tuple[Tensor, Tensor],
    slots_N: Tensor,
    cache_k: Tensor,
    cache_v: Tensor,
    tables: Tables,
    *,
    are_written: bool = False,
    overlap: bool = False,
) -> Tensor:
    """Return o_NHD of one query a sequence over [0, past] of the paged keys and values [B, S, G, D].

    qkv [N, H + 2 G, D] is turned on the way, and its keys and values are put into the cache; see `rotate_and_write`.
    are_written: they are there already, as they must be where several queries are one sequence's.
    """
    num_rows, num_all, size = qkv_NHD.shape
    block_size, num_kv_heads = cache_k.shape[1:3]
    num_heads = num_all - 2 * num_kv_heads
    group, splits = num_heads // num_kv_heads, num_splits_for(num_rows)
    o_NHD = qkv_NHD.new_empty(num_rows, num_heads, size)
    parts = qkv_NHD.new_empty(num_rows, num_heads, splits, size, dtype=torch.float32)
    tops = qkv_NHD.new_empty(num_rows, num_heads, splits, 2, dtype=torch.float32)
    sizes = {"H": num_heads, "G": num_kv_heads, "D": size, "BD": padded(size), "SPLITS": splits}
    sizes |= {"OVERLAP": overlap, "launch_pdl": overlap}
    joins = num_rows >= JOINED_FROM
    _attend_decodes[(num_rows, num_kv_heads, splits)](
        qkv_NHD, *rope, slots_N, cache_k, cache_v, tables.past, tables.table, tables.blocks, parts, tops,
        tables.ended, o_NHD, size**-0.5 * LOG2_E, S=block_size, R=padded(group), KEYS=DECODE_KEYS,
        ARE_WRITTEN=are_written, JOINS=joins, HEADS=JOINED_HEADS, **sizes,
        num_warps=8 if num_rows * num_kv_heads * splits <= LONELY else 4, num_stages=3,
    )  # fmt: skip
    if not joins:
        _join_splits[(num_rows, num_heads)](parts, tops, o_NHD, **sizes, num_warps=4)
    return o_NHD


def chunk_tokens(num_heads: int, num_kv_heads: int) -> int:
    """Query tokens of one tile of `attend_chunks`."""
    return max(1, CHUNK_ROWS // int(triton.next_power_of_2(num_heads // num_kv_heads)))


def attend_chunks(
    q_THD: Tensor,
    cache_k: Tensor,
    cache_v: Tensor,
    tables: Tables,
    tiles: tuple[Tensor, Tensor],
    *,
    overlap: bool = False,
) -> Tensor:
    """Return o_THD, causal, of any number of new tokens a sequence, whose keys and values are in the cache already.

    tiles: for each tile its sequence (negative: none) and its first token among the sequence's new ones, int32, started
    in this order. Rows that no tile covers are left unwritten.
    """
    _, num_heads, size = q_THD.shape
    block_size, num_kv_heads = cache_k.shape[1:3]
    group = num_heads // num_kv_heads
    o_THD = torch.empty_like(q_THD)
    keys = CHUNK_KEYS_ROOMY if has_room(q_THD, ROOMY_BYTES) else CHUNK_KEYS
    _attend_chunks[(num_kv_heads, len(tiles[0]))](
        q_THD, cache_k, cache_v, tables.past, tables.table, tables.row, tables.new, tables.blocks, *tiles,
        o_THD, size**-0.5 * LOG2_E, H=num_heads, G=num_kv_heads, D=size, S=block_size,
        R=triton.next_power_of_2(group), TOKENS=chunk_tokens(num_heads, num_kv_heads),
        BD=padded(size), KEYS=keys, OVERLAP=overlap, num_warps=8, num_stages=2, launch_pdl=overlap,
    )  # fmt: skip
    return o_THD


def copy_block(cache_k: Tensor, cache_v: Tensor, to: int, copied_from: int) -> None:
    """Fill block `to` of [layers, B, S, G, D] in every layer as `copied_from` is, by one launch.

    torch's copy takes dozens: it splits what spans more bytes than fit into 32 bits.
    """
    num_layers, num_blocks = cache_k.shape[:2]
    size = cache_k.shape[2:].numel()
    _copy_block[(num_layers,)](
        cache_k, cache_v, num_blocks, to, copied_from, SIZE=size, BLOCK=triton.next_power_of_2(size), num_warps=4
    )


@triton.jit(do_not_specialize=["num_blocks", "to", "copied_from"])
def _copy_block(cache_k, cache_v, num_blocks, to, copied_from, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    layer = tl.program_id(0).to(tl.int64) * num_blocks
    places = tl.arange(0, BLOCK)
    is_inside = places < SIZE
    source, target = (layer + copied_from) * SIZE + places, (layer + to) * SIZE + places
    tl.store(cache_k + target, tl.load(cache_k + source, mask=is_inside), mask=is_inside)
    tl.store(cache_v + target, tl.load(cache_v + source, mask=is_inside), mask=is_inside)


@triton.jit
def _places_of(keys, is_key, table, blocks, head, G: tl.constexpr, D: tl.constexpr, S: tl.constexpr):
    """Where in the cache the keys of one head begin."""
    block = tl.load(blocks + table + keys // S, mask=is_key, other=0).to(tl.int64)
    return ((block * S + keys % S) * G + head) * D


@triton.jit
def _keys_and_values(cache_k, cache_v, at, is_key, places, is_place):
    """One tile of the cache, [D, K] and [K, D]."""
    k_DK = tl.load(cache_k + at[None, :] + places[:, None], mask=is_key[None, :] & is_place[:, None], other=0.0)
    v_KD = tl.load(cache_v + at[:, None] + places[None, :], mask=is_key[:, None] & is_place[None, :], other=0.0)
    return k_DK, v_KD


@triton.jit
def _whole_tile(cache_k, cache_v, at, places, is_place, IS_WHOLE: tl.constexpr):
    """The same where every key exists; a head as wide as its tile needs no mask, which would cost the widest loads."""
    if IS_WHOLE:
        return tl.load(cache_k + at[None, :] + places[:, None]), tl.load(cache_v + at[:, None] + places[None, :])
    k_DK = tl.load(cache_k + at[None, :] + places[:, None], mask=is_place[:, None], other=0.0)
    v_KD = tl.load(cache_v + at[:, None] + places[None, :], mask=is_place[None, :], other=0.0)
    return k_DK, v_KD


@triton.jit
def _fold(q, k_DK, v_KD, is_seen, top, total, acc, scale):
    """One tile of keys into the running softmax."""
    scores = tl.dot(q, k_DK, input_precision="ieee") * scale
    scores = tl.where(is_seen, scores, float("-inf"))
    new_top = tl.maximum(top, tl.max(scores, axis=1))
    # A row that has seen nothing yet keeps -inf; 0 in its place keeps the differences from being NaN.
    base = tl.where(new_top == float("-inf"), 0.0, new_top)
    weights = tl.exp2(scores - base[:, None])
    shrink = tl.exp2(top - base)
    total = total * shrink + tl.sum(weights, axis=1)
    acc = acc * shrink[:, None] + tl.dot(weights.to(v_KD.dtype), v_KD, input_precision="ieee")
    return new_top, total, acc


@triton.jit
def _fold_all(q, k_DK, v_KD, top, total, acc, scale):
    """The same for keys that every row sees."""
    scores = tl.dot(q, k_DK, input_precision="ieee") * scale
    new_top = tl.maximum(top, tl.max(scores, axis=1))
    weights = tl.exp2(scores - new_top[:, None])
    shrink = tl.exp2(top - new_top)
    total = total * shrink + tl.sum(weights, axis=1)
    acc = acc * shrink[:, None] + tl.dot(weights.to(v_KD.dtype), v_KD, input_precision="ieee")
    return new_top, total, acc


@triton.jit
def _turned(source, cos, sin, places, mask):
    """Pairs of neighbours, turned by their angles and rounded as they are stored."""
    x = tl.load(source + places, mask=mask, other=0.0)
    partner = tl.load(source + (places ^ 1), mask=mask, other=0.0)
    return (x.to(tl.float32) * cos + partner.to(tl.float32) * sin).to(x.dtype)


@triton.jit
def _attend_decodes(
    qkv, cos, sin, slots, cache_k, cache_v, past, tables, blocks, parts, tops, ended, o, scale,
    H: tl.constexpr, G: tl.constexpr, D: tl.constexpr, BD: tl.constexpr, SPLITS: tl.constexpr,
    S: tl.constexpr, R: tl.constexpr, KEYS: tl.constexpr, ARE_WRITTEN: tl.constexpr, JOINS: tl.constexpr,
    HEADS: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    let_next_start(OVERLAP)
    row, group, split = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    length, table, slot = tl.load(past + row) + 1, tl.load(tables + row), tl.load(slots + row).to(tl.int64)
    per_split = tl.cdiv(tl.cdiv(length, SPLITS), KEYS) * KEYS
    start = split * per_split
    end = tl.minimum(start + per_split, length)
    heads, places = tl.arange(0, R), tl.arange(0, BD)
    is_head, is_place = heads < H // G, places < D
    head = group * (H // G) + heads
    keys = start + tl.arange(0, KEYS)
    old_end = end if ARE_WRITTEN else tl.minimum(end, length - 1)
    if ARE_WRITTEN:
        wait_for_last(OVERLAP)
    # Of a decode all keys but the newest are in the cache already: steps before this one wrote them.
    at = _places_of(keys, keys < old_end, table, blocks, group, G, D, S)
    k_DK, v_KD = _keys_and_values(cache_k, cache_v, at, keys < old_end, places, is_place)
    if not ARE_WRITTEN:
        wait_for_last(OVERLAP)
    source = qkv + row * (H + 2 * G) * D
    c = tl.load(cos + row * D + places, mask=is_place, other=0.0)
    s = tl.load(sin + row * D + places, mask=is_place, other=0.0)
    q_RD = _turned(
        source + head[:, None] * D, c[None, :], s[None, :], places[None, :], is_head[:, None] & is_place[None, :]
    )
    k_D = _turned(source + (H + group) * D, c, s, places, is_place)
    v_D = tl.load(source + (H + G + group) * D + places, mask=is_place, other=0.0)
    if (slot >= 0) & (start < length) & (end == length) & (not ARE_WRITTEN):
        tl.store(cache_k + (slot * G + group) * D + places, k_D, mask=is_place)
        tl.store(cache_v + (slot * G + group) * D + places, v_D, mask=is_place)
    top = tl.full((R,), float("-inf"), tl.float32)
    total = tl.zeros((R,), tl.float32)
    acc = tl.zeros((R, BD), tl.float32)
    k_DK = tl.where((keys == length - 1)[None, :], k_D[:, None], k_DK)
    v_KD = tl.where((keys == length - 1)[:, None], v_D[None, :], v_KD)
    top, total, acc = _fold(q_RD, k_DK, v_KD, (keys < end)[None, :], top, total, acc, scale)
    for first in range(start + KEYS, end, KEYS):
        keys = first + tl.arange(0, KEYS)
        at = _places_of(keys, keys < old_end, table, blocks, group, G, D, S)
        k_DK, v_KD = _keys_and_values(cache_k, cache_v, at, keys < old_end, places, is_place)
        k_DK = tl.where((keys == length - 1)[None, :], k_D[:, None], k_DK)
        v_KD = tl.where((keys == length - 1)[:, None], v_D[None, :], v_KD)
        top, total, acc = _fold(q_RD, k_DK, v_KD, (keys < end)[None, :], top, total, acc, scale)
    out = (row * H + head) * SPLITS + split
    tl.store(parts + out[:, None] * D + places[None, :], acc, mask=is_head[:, None] & is_place[None, :])
    tl.store(tops + out * 2, top, mask=is_head)
    tl.store(tops + out * 2 + 1, total, mask=is_head)
    if JOINS:
        _join_if_last(parts, tops, ended + row * G + group, o, row * H + group * (H // G), places, is_place,
                      D, SPLITS, H // G, HEADS)  # fmt: skip


@triton.jit
def _join_if_last(
    parts, tops, ended, o, first, places, is_place, D: tl.constexpr, SPLITS: tl.constexpr, NUM: tl.constexpr,
    HEADS: tl.constexpr,
):  # fmt: skip
    """Where this is the last piece of NUM heads to end, join them all, from the head `first` on."""
    tl.debug_barrier()  # one thread counts for all of the program's
    if tl.atomic_add(ended, 1, sem="acq_rel") == SPLITS - 1:
        tl.store(ended, 0)
        for number in tl.static_range(0, NUM, HEADS):
            joined = number + tl.arange(0, HEADS)
            _join(parts, tops, o, first + joined, joined < NUM, places, is_place, D, SPLITS)


@triton.jit
def _join(parts, tops, o, line, is_line, places, is_place, D: tl.constexpr, SPLITS: tl.constexpr):
    """The pieces of some heads into their answers. Other programs wrote them: past the first cache."""
    splits = tl.arange(0, SPLITS)
    at = line[:, None] * SPLITS + splits[None, :]
    top = tl.load(tops + at * 2, mask=is_line[:, None], other=0.0, cache_modifier=".cg")
    total = tl.load(tops + at * 2 + 1, mask=is_line[:, None], other=1.0, cache_modifier=".cg")
    weights = tl.exp2(top - tl.max(top, axis=1)[:, None])
    is_piece = is_line[:, None, None] & is_place[None, None, :]
    pieces = parts + at[:, :, None] * D + places[None, None, :]
    part = tl.load(pieces, mask=is_piece, other=0.0, cache_modifier=".cg")
    answer = tl.sum(part * weights[:, :, None], axis=1) / tl.sum(total * weights, axis=1)[:, None]
    tl.store(o + line[:, None] * D + places[None, :], answer, mask=is_line[:, None] & is_place[None, :])


@triton.jit
def _join_splits(
    parts, tops, o, H: tl.constexpr, G: tl.constexpr, D: tl.constexpr, BD: tl.constexpr, SPLITS: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    begin(OVERLAP)
    row = tl.program_id(0).to(tl.int64) * H + tl.program_id(1)
    splits, places = tl.arange(0, SPLITS), tl.arange(0, BD)
    is_place = places < D
    top = tl.load(tops + (row * SPLITS + splits) * 2)
    total = tl.load(tops + (row * SPLITS + splits) * 2 + 1)
    weights = tl.exp2(top - tl.max(top))
    part = tl.load(parts + (row * SPLITS + splits)[:, None] * D + places[None, :], mask=is_place[None, :], other=0.0)
    answer = tl.sum(part * weights[:, None], axis=0) / tl.sum(total * weights)
    tl.store(o + row * D + places, answer, mask=is_place)


@triton.jit
def _attend_chunks(
    q, cache_k, cache_v, pasts, tables, rows, news, blocks, tile_sequences, tile_firsts, o, scale,
    H: tl.constexpr, G: tl.constexpr, D: tl.constexpr, S: tl.constexpr, R: tl.constexpr, TOKENS: tl.constexpr,
    BD: tl.constexpr, KEYS: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    begin(OVERLAP)
    group, tile = tl.program_id(0), tl.program_id(1)
    sequence, first_token = tl.load(tile_sequences + tile), tl.load(tile_firsts + tile)
    if sequence < 0:
        return
    past, table = tl.load(pasts + sequence), tl.load(tables + sequence)
    row, num_new = tl.load(rows + sequence).to(tl.int64), tl.load(news + sequence)
    lines, places = tl.arange(0, TOKENS * R), tl.arange(0, BD)
    token, head = first_token + lines // R, lines % R
    is_line, is_place = (token < num_new) & (head < H // G), places < D
    at_q = ((row + token) * H + group * (H // G) + head)[:, None] * D + places[None, :]
    is_q = is_line[:, None] & is_place[None, :]
    q_LD = tl.load(q + at_q, mask=is_q, other=0.0)
    top = tl.full((TOKENS * R,), float("-inf"), tl.float32)
    total = tl.zeros((TOKENS * R,), tl.float32)
    acc = tl.zeros((TOKENS * R, BD), tl.float32)
    end = past + tl.minimum(first_token + TOKENS, num_new)
    all_seen = (past + first_token + 1) // KEYS * KEYS
    for first in range(0, all_seen, KEYS):
        keys = first + tl.arange(0, KEYS)
        block = tl.load(blocks + table + keys // S).to(tl.int64)
        at = ((block * S + keys % S) * G + group) * D
        k_DK, v_KD = _whole_tile(cache_k, cache_v, at, places, is_place, BD == D)
        top, total, acc = _fold_all(q_LD, k_DK, v_KD, top, total, acc, scale)
    for first in range(all_seen, end, KEYS):
        keys = first + tl.arange(0, KEYS)
        is_key = keys < end
        at = _places_of(keys, is_key, table, blocks, group, G, D, S)
        k_DK, v_KD = _keys_and_values(cache_k, cache_v, at, is_key, places, is_place)
        is_seen = is_key[None, :] & (keys[None, :] <= (past + token)[:, None])
        top, total, acc = _fold(q_LD, k_DK, v_KD, is_seen, top, total, acc, scale)
    tl.store(o + at_q, acc / total[:, None], mask=is_q)
