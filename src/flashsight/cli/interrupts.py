"""Ends a command's work on Ctrl-C. Knows no command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_until_interrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it as asyncio.run does; Ctrl-C cancels it between two callbacks, then KeyboardInterrupt is raised.

    asyncio's own handler cancels wherever the interpreter is, also between a callback's look at a future and its result
    for it, which then ends in a complaint on the terminal.
    """
    was_interrupted = False

    async def watched() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "asyncio.run makes one"

        def interrupt() -> None:
            nonlocal was_interrupted
            was_interrupted = True
            loop.remove_signal_handler(signal.SIGINT)
            task.cancel()

        with suppress(NotImplementedError, RuntimeError, ValueError):  # no such handlers here, or not the main thread
            loop.add_signal_handler(signal.SIGINT, interrupt)
        return await work

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        if was_interrupted:
            raise KeyboardInterrupt from None
        raise
