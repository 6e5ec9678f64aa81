"""What follows a step whose tokens nobody has read yet: its sequences, each one token further. Touches no tensor.

The device then never waits for the host between two steps. The price is one step of lag: that a sequence has ended by
a stop token is seen when its next step runs already, and what that computes for it is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence as Line
from dataclasses import dataclass

from flashsight.core.types import TokenSampling
from flashsight.engine.blocks import BlockPool
from flashsight.engine.greedy import is_greedy
from flashsight.engine.plan import Chunk, Plan
from flashsight.engine.sequence import Kind, Phase, Sequence


@dataclass(frozen=True, slots=True)
class Following:
    """A step behind another. Its decode i goes on from the token that the step before draws in its sampled row rows[i];
    its encodes come first, as the device is busy until then.
    """

    plan: Plan
    rows: tuple[int, ...]


def may_run_ahead(sampling: TokenSampling) -> bool:
    """True if the device draws the next token by itself, and no token drawn before changes its scores."""
    is_cut = sampling.top_k > 0 or sampling.top_p < 1 or sampling.min_p > 0
    return (
        (is_greedy(sampling) or not is_cut)
        and sampling.constraint is None
        and sampling.repetition_penalty == 1
        and sampling.presence_penalty == 0
        and sampling.frequency_penalty == 0
    )


def may_be_followed(plan: Plan, running: Line[Sequence]) -> bool:
    """True unless what is next depends on what the plan brings: on a token that the host is to draw, or on prewarming,
    which may be sent away at any moment.
    """
    drawing = {chunk.sequence.id for chunk in plan.chunks if chunk.samples}
    return all(
        sequence.kind is Kind.ANSWER
        and (_is_free(sequence) if sequence.id in drawing else sequence.phase is not Phase.DECODE)
        for sequence in running
    )


def decodes_behind(plan: Plan, pool: BlockPool) -> list[tuple[Chunk, int]]:
    """Return what draws once more behind a plan, each with the row that it goes on from; none if blocks are missing.

    Whoever reaches his longest with that token is left out. A block that its sequence turns out not to need is given
    back with the others, when the sequence ends.
    """
    drawing = [chunk.sequence for chunk in plan.chunks if chunk.samples]
    here = [
        (row, sequence)
        for row, sequence in enumerate(drawing)
        if sequence.phase is not Phase.FINISHED and len(sequence) + 1 < sequence.max_length
    ]
    for _, sequence in here:
        num_missing = pool.num_blocks_for(len(sequence) + 1) - len(sequence.blocks)
        if num_missing > pool.num_available:
            return []
        sequence.blocks += pool.allocate(max(0, num_missing))
    return [(Chunk(sequence, len(sequence), len(sequence) + 1, samples=True), row) for row, sequence in here]


def _is_free(sequence: Sequence) -> bool:
    return sequence.drafter is None and may_run_ahead(sequence.sampling)
