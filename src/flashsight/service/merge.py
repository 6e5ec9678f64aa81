"""Several streams as one, in the order in which their items come. Knows nothing of what it carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")

_AHEAD = 64
"""Items that may wait to be taken, all streams together; beyond it the streams wait."""


async def merged(streams: Sequence[AsyncGenerator[Item, None]]) -> AsyncGenerator[Item, None]:
    """Yield every item of every stream; raise the first error. All streams are closed, however this ends."""
    if len(streams) == 1:
        async with aclosing(streams[0]) as only:
            async for item in only:
                yield item
        return
    taken: asyncio.Queue[tuple[Item] | Exception | None] = asyncio.Queue(_AHEAD)
    pumps = [asyncio.create_task(_pump(stream, taken)) for stream in streams]
    try:
        num_open = len(pumps)
        while num_open:
            letter = await taken.get()
            if letter is None:
                num_open -= 1
            elif isinstance(letter, Exception):
                raise letter
            else:
                yield letter[0]
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for stream in streams:
            await stream.aclose()


async def _pump(stream: AsyncGenerator[Item, None], taken: asyncio.Queue[tuple[Item] | Exception | None]) -> None:
    try:
        async with aclosing(stream):
            async for item in stream:
                await taken.put((item,))
    except Exception as error:
        await taken.put(error)
    else:
        await taken.put(None)
