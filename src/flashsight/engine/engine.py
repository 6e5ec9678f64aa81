"""The engine's face: asyncio in front, one thread behind it. Token ids and pictures in, token ids out; no text.

generate -> Inbox -> [the engine's thread: Loop] -> Outbox -> Ticket -> the caller's event loop
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from threading import Event, Thread

from flashsight.core.errors import EngineFault, FlashSightError, NotReady
from flashsight.core.line import Waiting
from flashsight.core.types import ModelInput, PromptStats, Salt, TokenEvent, TokenSampling
from flashsight.engine.crowd import Crowd
from flashsight.engine.inbox import Abort, Inbox, Message, Nudge, Stop, Submit
from flashsight.engine.loop import Loop
from flashsight.engine.process import step_back, tune_process
from flashsight.engine.publish import Ticket
from flashsight.engine.request import Request
from flashsight.engine.runner import Runner
from flashsight.engine.sampler import Sampler, SamplingState
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.sequence import Kind, Sequence, SequenceId
from flashsight.engine.snapshot import EngineSnapshot
from flashsight.engine.tiers import PictureTiers
from flashsight.engine.trace import Trace

_log = logging.getLogger(__name__)

ENGINE_NICENESS = 1
DECODE_NICENESS = 5
"""How far the threads that compute step back behind the event loop (0), as `nice` counts."""
QUIET_SECONDS = 2.0
"""The books are checked when nobody has come for so long: a first token must not wait for that."""


class Engine:
    """Answers any number of prompts at once. Its methods may be called from any thread."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        runner: Runner,
        sampler: Sampler,
        decode_threads: int,
        tiers: PictureTiers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._sampler = sampler
        self._clock = clock
        self._inbox = Inbox()
        self._decoders = ThreadPoolExecutor(
            decode_threads, "flashsight-decode", initializer=step_back, initargs=(DECODE_NICENESS,)
        )
        self._loop = Loop(
            scheduler=scheduler,
            runner=runner,
            sampler=sampler,
            decoders=self._decoders,
            post=self._inbox.post,
            clock=clock,
            tiers=tiers,
        )
        self._thread = Thread(target=self._serve, name="flashsight-engine", daemon=True)
        self._has_warmed_up = Event()
        self._is_ready = False
        self._sequence_ids = itertools.count()

    @property
    def is_ready(self) -> bool:
        """True from the end of the warm-up until the stop, or a fault that the engine did not survive."""
        return self._is_ready

    def snapshot(self) -> EngineSnapshot:
        """Counts for metrics, as of the last step that ended a sequence, idled or saw the line move. Never waits."""
        return self._loop.snapshot

    def line(self) -> tuple[Waiting, ...]:
        """Who waits for room, in the order in which they get it, as of the last step. Never waits."""
        return self._loop.line.waiting

    def record(self, trace: Trace | None) -> None:
        """Tell this trace, or none any more, of every piece of work from now on."""
        self._loop.trace = trace

    def start(self) -> None:
        """Start the thread and wait until it has run the model once, so that no user pays for the first time.

        Raises EngineFault if the model can't run.
        """
        self._thread.start()
        self._has_warmed_up.wait()
        if not self._is_ready:
            raise EngineFault("the model failed on its first run; the log says why")

    def stop(self, *, drain: bool = False) -> None:
        """End the thread: at once, or with `drain` when all that was submitted is answered. Waits for it.

        Whoever still waits for an answer gets an EngineFault. On an event loop call it by `asyncio.to_thread`.
        """
        self._is_ready = False
        self._inbox.post(Stop(drain))
        if self._thread.ident is not None:
            self._thread.join()
        self._decoders.shutdown(cancel_futures=True)

    def generate(
        self, prompt: ModelInput, sampling: TokenSampling, *, salt: Salt, request_id: str
    ) -> AsyncGenerator[TokenEvent, None]:
        """Answer a prompt; the last event has a finish. Closing the generator early aborts the sequence.

        The first `__anext__` raises PromptTooLong, PictureError or Overloaded if the prompt is not admitted; any of
        them raises PictureError if a picture can't be decoded, EngineFault if the engine fails, NotReady if it is not
        running.
        """
        return self._events(prompt, sampling, salt, request_id, Kind.ANSWER)

    async def prewarm(self, prompt: ModelInput, *, salt: Salt, request_id: str) -> PromptStats:
        """Bring a prompt's pictures and blocks into the caches, behind all answers; return what it took.

        Cancelling it drops the work. Raises what `generate` raises.
        """
        async with aclosing(self._events(prompt, TokenSampling(), salt, request_id, Kind.PREWARM)) as events:
            event = await anext(events)
        assert event.stats is not None, "a prewarmed sequence has one event, with its stats"
        return event.stats

    async def _events(
        self, prompt: ModelInput, sampling: TokenSampling, salt: Salt, request_id: str, kind: Kind
    ) -> AsyncGenerator[TokenEvent, None]:
        ticket = Ticket(asyncio.get_running_loop(), SequenceId(next(self._sequence_ids)))
        sequence = Sequence(id=ticket.sequence_id, prompt=prompt, sampling=sampling, salt=salt, kind=kind)
        request = self._request(ticket, sequence, request_id)
        if not self._is_ready or not self._inbox.post(Submit(request)):
            raise NotReady("the engine is not running; try again when /ready says so")
        try:
            while True:
                event = await ticket.next()
                yield event
                if event.finish is not None:
                    return
        finally:
            if not ticket.is_over:
                self._inbox.post(Abort(ticket.sequence_id))

    def _request(self, ticket: Ticket, sequence: Sequence, request_id: str) -> Request:
        return Request(
            sequence=sequence,
            ticket=ticket,
            state=SamplingState(sequence.sampling, sequence.prompt.ids),
            request_id=request_id,
            submitted_at=self._clock(),
        )

    # --- the engine's thread ---------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            step_back(ENGINE_NICENESS)
            tune_process()
            self._runner.warm_up(self._sampler)
            self._is_ready = True
            self._has_warmed_up.set()
            self._runner.begin_takeover(lambda: self._inbox.post(Nudge()), lambda: self._loop.is_idle)
            self._run()
        except Exception:
            _log.exception("the engine has stopped; restart the server")
        finally:
            self._is_ready = False
            self._has_warmed_up.set()
            self._end(self._inbox.close())

    def _run(self) -> None:
        stop: Stop | None = None
        is_busy = True
        crowd = Crowd.around_torch()
        while stop is None or (stop.drain and not self._loop.is_idle):
            for message in self._inbox.take(wait=not is_busy):
                if isinstance(message, Stop):
                    stop = message
                else:
                    self._loop.take(message)
            if stop is not None and not stop.drain:
                return
            is_busy = self._loop.step() or self._loop.rest()
            crowd.look()
            if not is_busy and self._inbox.is_quiet_for(QUIET_SECONDS):
                self._loop.check()

    def _end(self, unread: list[Message]) -> None:
        for message in unread:
            if isinstance(message, Submit):
                self._loop.refuse(message.request, _shutting_down())
        self._loop.end_all(_shutting_down)
        self._loop.put_away()


def _shutting_down() -> FlashSightError:
    return EngineFault("the server is shutting down; send the request again in a moment", code="shutting_down")
