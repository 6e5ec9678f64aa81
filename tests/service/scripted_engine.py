"""An engine's face that publishes the ids it is told to: a double at the engine's door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from flashsight.core.types import (
    ModelInput,
    PromptStats,
    Salt,
    Timings,
    TokenEvent,
    TokenLogprob,
    TokenSampling,
)


@dataclass
class Asked:
    prompt: ModelInput
    sampling: TokenSampling
    salt: Salt
    request_id: str


@dataclass
class ScriptedEngine:
    """Says `ids(i)` to the i-th sequence it is asked for, then stops. Keeps the order of things."""

    ids: Callable[[int], Sequence[int]]
    asked: list[Asked] = field(default_factory=list)
    num_aborted: int = 0
    seen: list[str] = field(default_factory=list)

    async def generate(
        self, prompt: ModelInput, sampling: TokenSampling, *, salt: Salt, request_id: str
    ) -> AsyncGenerator[TokenEvent, None]:
        number = len(self.asked)
        self.asked.append(Asked(prompt, sampling, salt, request_id))
        self.seen.append(f"asked {number}")
        is_over = False
        stats = PromptStats(
            prompt_tokens=len(prompt.ids),
            picture_tokens=sum(picture.num_tokens for picture in prompt.pictures),
            cached_tokens=16 * number,
            picture_level="none",
            timings=Timings(first_token_seconds=0.5),
        )
        try:
            for place, token in enumerate(self.ids(number)[: sampling.max_tokens]):
                await asyncio.sleep(0)
                self.seen.append(f"said {number}")
                chosen = TokenLogprob(token=token, logprob=-1.0) if sampling.num_logprobs is not None else None
                yield TokenEvent(token=token, logprob=chosen, stats=stats if place == 0 else None)
            yield TokenEvent(token=None, finish="stop")
            is_over = True
        finally:
            self.num_aborted += not is_over
