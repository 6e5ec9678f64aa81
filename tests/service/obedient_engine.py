"""An engine's face that says what it is told to as far as its constraint lets it: a double at the engine's door."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import numpy as np

from flashsight.core.types import ModelInput, PromptStats, Salt, Timings, TokenConstraint, TokenEvent, TokenSampling


def allowed(constraint: TokenConstraint, vocabulary_size: int) -> set[int]:
    words = np.zeros((vocabulary_size + 31) // 32, np.int32)
    constraint.write_mask(words)
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())


@dataclass
class ObedientEngine:
    """Takes the next token of `script` that the constraint allows; where it allows only others, the first of them."""

    script: Sequence[int]
    vocabulary_size: int
    asked: list[TokenSampling] = field(default_factory=list)

    async def generate(
        self, prompt: ModelInput, sampling: TokenSampling, *, salt: Salt, request_id: str
    ) -> AsyncGenerator[TokenEvent, None]:
        self.asked.append(sampling)
        stats: PromptStats | None = PromptStats(
            prompt_tokens=len(prompt.ids), picture_tokens=0, cached_tokens=0, picture_level="none", timings=Timings()
        )
        script = list(self.script)
        for _ in range(sampling.max_tokens):
            token = script[0] if script else min(sampling.stop_ids)
            if sampling.constraint is not None:
                free = allowed(sampling.constraint, self.vocabulary_size)
                token = token if token in free else min(free)
            if token in sampling.stop_ids or (sampling.constraint is not None and sampling.constraint.is_finished):
                yield TokenEvent(token=None, finish="stop", stats=stats)
                return
            if script and token == script[0]:
                script.pop(0)
            if sampling.constraint is not None:
                sampling.constraint.advance(token)
            yield TokenEvent(token=token, stats=stats)
            stats = None
        yield TokenEvent(token=None, finish="length", stats=stats)
