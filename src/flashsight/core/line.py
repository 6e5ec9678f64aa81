"""A place in the line for room. Knows neither why there is no room nor who is before."""

from __future__ import annotations

from dataclasses import dataclass, field

from flashsight.core.types import Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request that waits: whose it is, its place (1 is next), and in about how many seconds it has had its turn."""

    request_id: str
    salt: Salt = field(repr=False)
    position: int
    seconds: float
