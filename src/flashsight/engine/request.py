"""One sequence with what the engine keeps beside it: its caller, sampling state and clock. Schedules nothing."""

from __future__ import annotations

from dataclasses import dataclass

from flashsight.core.errors import EngineFault
from flashsight.core.types import PromptStats, Timings
from flashsight.engine.publish import Ticket
from flashsight.engine.sampler import SamplingState
from flashsight.engine.sequence import Sequence


@dataclass(slots=True, eq=False)
class Request:
    """A sequence on its way, and when what happened to it; seconds of the engine's clock."""

    sequence: Sequence
    ticket: Ticket
    state: SamplingState
    request_id: str
    submitted_at: float
    first_decode_at: float | None = None
    last_decode_at: float | None = None
    encode_seconds: float = 0.0
    prefill_seconds: float = 0.0
    is_answering: bool = False
    """Its first event has been sent."""

    def decoded_between(self, started_at: float, ended_at: float) -> None:
        """Note that one of its pictures was decoded in this time; pictures decode side by side."""
        self.first_decode_at = min(started_at, self.first_decode_at or started_at)
        self.last_decode_at = max(ended_at, self.last_decode_at or ended_at)

    def fault(self) -> EngineFault:
        """What its caller is told when the engine fails on it."""
        return EngineFault(
            f"the engine failed on this request; it is logged as {self.request_id}, please send it again"
        )

    def stats(self, now: float) -> PromptStats:
        """What the caches gave and where the time went, as the first event tells it."""
        sequence = self.sequence
        admitted_at = sequence.admitted_at if sequence.admitted_at is not None else now
        return PromptStats(
            prompt_tokens=sequence.num_prompt,
            picture_tokens=sum(picture.num_tokens for picture in sequence.prompt.pictures),
            cached_tokens=sequence.num_prompt_cached or 0,
            picture_level=sequence.picture_level,
            timings=Timings(
                queued_seconds=max(0.0, admitted_at - self.submitted_at),
                decode_seconds=(self.last_decode_at or 0.0) - (self.first_decode_at or 0.0),
                encode_seconds=self.encode_seconds,
                prefill_seconds=self.prefill_seconds,
                first_token_seconds=now - self.submitted_at,
            ),
        )
