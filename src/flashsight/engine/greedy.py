"""Which settings take the likeliest token: one answer for the sampler, for guessing and for running ahead."""

from __future__ import annotations

from flashsight.core.types import TokenSampling

COLDEST = 1e-6
"""At and below this temperature the likeliest token is taken: float32 could not divide by much less."""


def is_greedy(sampling: TokenSampling) -> bool:
    """True where nothing is drawn at random."""
    return sampling.temperature <= COLDEST or sampling.top_k == 1
