"""Arrays from worker processes to one consumer through shared memory. Knows nothing of what the arrays mean.

Each worker owns a few slots of one anonymous mapping made before the fork. It fills a free slot, sends the shapes (a
line of JSON; no array passes through a pipe, nothing is pickled) and waits for the slot to come back.
"""

from __future__ import annotations

import json
import mmap
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flashsight.core.errors import EngineFault

Arrays = Mapping[str, NDArray[Any]]
Parts = Mapping[str, NDArray[Any] | Sequence[NDArray[Any]]]
"""A batch to be sent. A sequence of equal arrays arrives as one array with one axis more, and is copied only once."""

Batches = Callable[[int], Iterator[Parts]]
"""Given a worker's number, yields batches for ever."""

ALIGNMENT = 64


class Ring:
    """Batches from `num_workers` forked processes, as they become ready and fairly among them.

    slot_bytes bounds one batch. Fork before CUDA is touched: a CUDA context doesn't survive one.
    """

    def __init__(self, batches: Batches, *, num_workers: int, slot_bytes: int, slots_per_worker: int = 2) -> None:
        self._slot_bytes = slot_bytes
        self._memory = mmap.mmap(-1, num_workers * slots_per_worker * slot_bytes)
        self._pipes: list[Connection] = []
        context = multiprocessing.get_context("fork")
        for number in range(num_workers):
            ours, theirs = context.Pipe()
            slots = range(number * slots_per_worker, (number + 1) * slots_per_worker)
            process = context.Process(target=self._work, args=(batches, number, list(slots), theirs, ours), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)

    @contextmanager
    def next(self) -> Iterator[Arrays]:
        """The next batch, as views that are good until the block ends. Raises EngineFault when a worker has failed."""
        waiting = wait(self._pipes)
        ready = next(pipe for pipe in self._pipes if pipe in waiting)
        self._pipes.remove(ready)  # to the end of the queue, so that none is passed over for ever
        self._pipes.append(ready)
        try:
            message = json.loads(ready.recv_bytes())
        except EOFError:
            raise EngineFault("a process that draws training pictures ended; was it out of memory?") from None
        if "error" in message:
            raise EngineFault(f"a process that draws training pictures failed:\n{message['error']}")
        yield _views(self._memory, message["slot"] * self._slot_bytes, message["arrays"])
        with suppress(BrokenPipeError, ConnectionResetError):  # a worker that has failed says so with its next message
            ready.send_bytes(json.dumps(message["slot"]).encode())

    def close(self) -> None:
        """End the workers."""
        for pipe in self._pipes:
            pipe.close()
        self._pipes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _work(self, batches: Batches, number: int, slots: list[int], pipe: Connection, parents: Connection) -> None:
        parents.close()
        for earlier in self._pipes:  # other workers' pipes, inherited by the fork
            earlier.close()
        free = list(slots)
        try:
            for arrays in batches(number):
                slot = free.pop() if free else int(json.loads(pipe.recv_bytes()))
                shapes = _write(self._memory, slot * self._slot_bytes, self._slot_bytes, arrays)
                pipe.send_bytes(json.dumps({"slot": slot, "arrays": shapes}).encode())
        except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
            pass  # the consumer has gone
        except BaseException:  # whatever it was, the consumer must hear of it
            pipe.send_bytes(json.dumps({"error": traceback.format_exc()}).encode())
        finally:
            os._exit(0)  # no interpreter shutdown: handlers inherited from the parent are not ours to run


def _write(memory: mmap.mmap, start: int, limit: int, batch: Parts) -> list[tuple[str, str, list[int], int]]:
    """Copy the arrays one after the other into [start, start + limit); return name, dtype, shape, offset of each."""
    written, offset = [], 0
    for name, parts in batch.items():
        if isinstance(parts, np.ndarray):
            arrays, shape = [parts], list(parts.shape)
        else:
            arrays, shape = list(parts), [len(parts), *parts[0].shape]
        num_bytes = sum(array.nbytes for array in arrays)
        if offset + num_bytes > limit:
            raise EngineFault(f"a batch outgrew its slot of {limit} bytes at {name!r}")
        kind, place = arrays[0].dtype, start + offset
        for array in arrays:
            assert array.dtype == kind, "parts of one array are alike"
            np.frombuffer(memory, kind, array.size, place)[:] = array.reshape(-1)
            place += array.nbytes
        written.append((name, kind.str, shape, offset))
        offset += -(-num_bytes // ALIGNMENT) * ALIGNMENT
    return written


def _views(memory: mmap.mmap, start: int, written: list[tuple[str, str, list[int], int]]) -> Arrays:
    return {
        name: np.frombuffer(memory, np.dtype(kind), int(np.prod(shape)), start + offset).reshape(shape)
        for name, kind, shape, offset in written
    }
