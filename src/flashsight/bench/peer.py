"""The peer: transformers on the same weights and pictures, in the same run. Needs the extra `compare`.

It computes in a process of its own (bench/peer_process.py): in one process the threads of both engines would be more
than cores, and each would wait for its own asleep at every step (see `on_passing_thread`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flashsight.bench.measure import Measured
from flashsight.core.errors import ConfigError
from flashsight.models.glm4v.weights import to_checkpoint
from flashsight.models.loading import LoadedModel
from flashsight.models.storage import write_checkpoint

LayOut = Callable[[bytes, str], list[int]]
"""(JPEG, prompt) -> the ids that this project reads for them."""


def export_for_peer(loaded: LoadedModel, folder: Path) -> None:
    """Write the loaded weights, in their dtype, as a plain checkpoint that transformers reads."""
    config = json.loads((loaded.files / "config.json").read_text())
    write_checkpoint(folder, to_checkpoint(loaded.model), config)
    shutil.copy(loaded.files / "preprocessor_config.json", folder)


@asynccontextmanager
async def transformers_target(
    folder: Path, lay_out: LayOut, *, dtype: str, device: str
) -> AsyncIterator[TransformersTarget]:
    """Start the peer and wait until it has read its weights; it ends with the block.

    `folder` is a checkpoint in Hugging Face layout; `lay_out` gives a prompt's ids, so that both systems read the very
    same tokens (and the peer is spared the work of making them). Raises ConfigError with what the peer complains of.
    """
    command = (sys.executable, "-m", "flashsight.bench.peer_process", str(folder), dtype, device)
    # Out of reach of Ctrl-C, which ends this process, and with it the block.
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    try:
        await _said(process)
        yield TransformersTarget(process, lay_out, name=f"transformers {dtype}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class TransformersTarget:
    """`generate` of transformers, one answer at a time, as its own documentation uses it."""

    def __init__(self, process: Process, lay_out: LayOut, *, name: str) -> None:
        self.name = name
        self._process = process
        self._lay_out = lay_out
        self._turn = asyncio.Lock()

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        """Measure one answer; a second client waits for its turn, because generate serves one request.

        The way to the other process and back is not counted.
        """
        start = time.perf_counter()
        ids = self._lay_out(picture, prompt)
        laid_out = time.perf_counter() - start
        async with self._turn:
            waited = time.perf_counter() - start - laid_out
            asked = {"picture": base64.b64encode(picture).decode("ascii"), "ids": ids, "num_tokens": num_tokens}
            assert self._process.stdin is not None, "it is a pipe"
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            await self._process.stdin.drain()
            told = await _said(self._process)
        return Measured(
            first_seconds=waited + told["first_seconds"],
            total_seconds=waited + told["total_seconds"],
            prompt_tokens=len(ids),
            completion_tokens=told["num_tokens"],
        )


async def _said(process: Process) -> dict[str, Any]:
    """The peer's next line; ConfigError if it complains or has ended."""
    assert process.stdout is not None, "it is a pipe"
    line = await process.stdout.readline()
    if not line:
        raise ConfigError(f"the peer has ended (exit status {await process.wait()}); what it wrote says why")
    told: dict[str, Any] = json.loads(line)
    if "error" in told:
        raise ConfigError(told["error"])
    return told
