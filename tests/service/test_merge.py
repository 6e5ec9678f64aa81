from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from flashsight.service.merge import merged


class Source:
    """Counts how it is left."""

    def __init__(self) -> None:
        self.num_closed = 0

    async def items(self, name: str, count: int, *, fails: bool = False) -> AsyncGenerator[tuple[str, int], None]:
        try:
            for number in range(count):
                await asyncio.sleep(0)
                yield name, number
            if fails:
                raise ValueError(name)
        finally:
            self.num_closed += 1


@pytest.mark.parametrize("num_streams", [1, 2, 5])
def test_every_item_comes_once_and_in_its_streams_order(num_streams: int):
    async def run() -> list[tuple[str, int]]:
        source = Source()
        streams = [source.items(str(index), 100) for index in range(num_streams)]
        got = [item async for item in merged(streams)]
        assert source.num_closed == num_streams
        return got

    got = asyncio.run(run())
    for index in range(num_streams):
        assert [number for name, number in got if name == str(index)] == list(range(100))


@pytest.mark.parametrize("num_streams", [1, 3])
def test_leaving_early_closes_every_stream(num_streams: int):
    async def run() -> int:
        source = Source()
        streams = [source.items(str(index), 10**6) for index in range(num_streams)]
        async with aclosing(merged(streams)) as all_of_them:
            for _ in range(10):
                await anext(all_of_them)
        return source.num_closed

    assert asyncio.run(run()) == num_streams


def test_the_first_error_ends_them_all():
    async def run() -> int:
        source = Source()
        streams = [source.items("good", 10**6), source.items("bad", 3, fails=True)]
        with pytest.raises(ValueError, match="bad"):
            async for _ in merged(streams):
                pass
        return source.num_closed

    assert asyncio.run(run()) == 2


def test_cancelling_the_reader_closes_every_stream():
    async def run() -> int:
        source = Source()

        async def read() -> None:
            async for _ in merged([source.items("a", 10**6), source.items("b", 10**6)]):
                pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return source.num_closed

    assert asyncio.run(run()) == 2
