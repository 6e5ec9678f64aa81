"""Paged caches of a model's shape."""

from __future__ import annotations

from flashsight.models.attention.layout import KVCache
from flashsight.models.glm4v.model import Glm4v


def cache_of(model: Glm4v, *, num_blocks: int, block_size: int) -> KVCache:
    """An empty cache in the model's precision, on its device."""
    shape = model.shape
    return KVCache.allocate(
        num_layers=shape.num_layers,
        num_blocks=num_blocks,
        block_size=block_size,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        dtype=model.dtype,
        device=model.device,
    )
