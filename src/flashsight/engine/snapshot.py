"""What the engine says of itself at one moment, for metrics. Computes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from flashsight.engine.plan import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far faster parts have come. num_recorded: forms of steps and pictures; is_under_way: more are to come."""

    has_kernels: bool = False
    num_recorded: int = 0
    is_under_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSnapshot:
    """The books at one moment, and what the engine has done so far; `total_` counts only grow.

    total_tokens_computed: tokens that went through the model, prompts and answers. total_tokens_sampled: tokens drawn
    for somebody. total_steps_ahead: steps begun before the tokens of the one before were known. total_gaps,
    total_gap_microseconds: pairs of steps on a GPU and how long it waited between them for the host, by its own clock.
    kernels_in_use: 1 once steps run on kernels of our own; forms_recorded: steps and pictures that are replayed;
    is_speeding_up: 1 while more of both is on its way.
    """

    books: Snapshot
    total_steps: int
    total_tokens_computed: int
    total_tokens_sampled: int
    total_faults: int
    total_steps_ahead: int = 0
    total_gaps: int = 0
    total_gap_microseconds: int = 0
    kernels_in_use: int = 0
    forms_recorded: int = 0
    is_speeding_up: int = 0

    def numbers(self) -> dict[str, int]:
        """All counts by name, flat."""
        books = {field.name: getattr(self.books, field.name) for field in fields(self.books) if field.name != "totals"}
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "books"}
        totals = {f"total_{name}": count for name, count in asdict(self.books.totals).items()}
        return books | own | totals
