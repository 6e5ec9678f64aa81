"""Batches come whole and unmixed out of worker processes, and a worker's failure is heard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from flashsight.core.errors import EngineFault
from flashsight.demo.ring import Parts, Ring


def counting(worker: int) -> Iterator[Parts]:
    for number in count():
        shape = (2 + number % 3, 5)
        picture = np.full(shape[1:], 10 * worker + number % 10, np.uint8)
        yield {"pixels": [picture] * shape[0], "count": np.array([worker, number])}


def test_every_batch_is_one_workers_and_comes_in_its_order() -> None:
    seen: dict[int, int] = {}
    with Ring(counting, num_workers=2, slot_bytes=4096) as ring:
        while min(seen.get(worker, 0) for worker in (0, 1)) < 10:
            with ring.next() as arrays:
                worker, number = (int(value) for value in arrays["count"])
                assert number == seen.get(worker, -1) + 1
                seen[worker] = number
                assert arrays["pixels"].shape == (2 + number % 3, 5)
                assert (arrays["pixels"] == 10 * worker + number % 10).all()


def failing(worker: int) -> Iterator[Parts]:
    yield {"ok": np.zeros(3)}
    raise ValueError("no such font")


def test_a_workers_failure_reaches_the_consumer() -> None:
    def drain() -> None:
        with Ring(failing, num_workers=1, slot_bytes=4096) as ring:
            for _ in range(2):
                with ring.next():
                    pass

    with pytest.raises(EngineFault, match="no such font"):
        drain()


def test_a_batch_larger_than_its_slot_is_an_error() -> None:
    with Ring(counting, num_workers=1, slot_bytes=8) as ring, pytest.raises(EngineFault, match="outgrew"), ring.next():
        pass
