"""More requests than a service has room for, and its books before and after: nothing may fail, nothing may stay.

Every request is answered, or refused with 429 and a time to come back. Knows the service by HTTP only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from flashsight.bench.books import books, until_quick
from flashsight.bench.pictures import PictureSource
from flashsight.bench.suite import fitting_prompt
from flashsight.bench.wire import Wire, chat_body, data_url
from flashsight.core.errors import FlashSightError, Overloaded

LONGEST_WAIT_SECONDS = 2.0
SETTLE_SECONDS = 30.0
BUSY = ("num_running", "num_waiting", "num_prewarming", "blocks_used")
"""The engine's own gauges that are 0 when nobody is there."""


@dataclass(slots=True, kw_only=True)
class Soaked:
    """What became of the requests, and the books: the engine's gauges and the device's own count, before and after."""

    num_asked: int = 0
    num_answered: int = 0
    num_refused: int = 0
    num_failed: int = 0
    failures: list[str] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """True if nothing failed and nobody was left inside."""
        return self.num_failed == 0 and not any(self.after.get(name) for name in BUSY)


async def soak(
    wire: Wire,
    *,
    num_requests: int,
    num_clients: int,
    size: int,
    num_tokens: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda *_: None,
    quick_seconds: float = 0.0,
) -> Soaked:
    """Ask about num_requests new pictures, num_clients at a time; a client that is refused waits as it is told to.

    It waits LONGEST_WAIT_SECONDS at most and then asks about its next picture. quick_seconds: the longest wait, after
    the first answer, for what the service prepares meanwhile.
    """
    source, soaked = PictureSource(size, seed=seed), Soaked()
    prompt = await fitting_prompt(wire)
    await wire.chat(chat_body(wire.model, data_url(source.next()), prompt, 2))
    await until_quick(wire, quick_seconds)
    soaked.before = await books(wire)

    async def client() -> None:
        while soaked.num_asked < num_requests:
            soaked.num_asked += 1
            picture = await asyncio.to_thread(source.next)
            try:
                await wire.chat(chat_body(wire.model, data_url(picture), prompt, num_tokens))
                soaked.num_answered += 1
            except Overloaded as error:
                soaked.num_refused += 1
                await asyncio.sleep(min(error.retry_after_seconds, LONGEST_WAIT_SECONDS))
            except FlashSightError as error:
                soaked.num_failed += 1
                soaked.failures.append(error.message)
            progress(soaked.num_answered + soaked.num_refused + soaked.num_failed, num_requests)

    await asyncio.gather(*(client() for _ in range(num_clients)))
    soaked.after = await _settled(wire)
    return soaked


async def _settled(wire: Wire) -> dict[str, float]:
    """The books once nobody is inside any more, or after a while."""
    found: dict[str, float] = {}
    for _ in range(int(SETTLE_SECONDS / 0.1)):
        found = await books(wire)
        if not any(found.get(name) for name in BUSY):
            break
        await asyncio.sleep(0.1)
    return found
