"""One step after the other: schedule, run, publish. Runs on the engine's thread only and knows no event loop.

Where the device works by itself and draws every token, the next step is launched before the tokens of the last one are
read. A fault in a step ends its sequences and no others: they are logged, their blocks are freed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from torch import Tensor

from flashsight.core.errors import EngineFault, FlashSightError
from flashsight.core.types import PictureKey, TokenEvent
from flashsight.engine.decoding import Decoding
from flashsight.engine.flight import Flight, Flights
from flashsight.engine.inbox import Abort, Decoded, Message, Nudge, Submit
from flashsight.engine.keeping import Keeper
from flashsight.engine.line import Line
from flashsight.engine.plan import Encode, Plan
from flashsight.engine.publish import Outbox, Ticket
from flashsight.engine.request import Request
from flashsight.engine.runner import Runner
from flashsight.engine.sampler import Sampled, Sampler
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.sequence import Kind, Phase, SequenceId
from flashsight.engine.sequence import Sequence as TokenSequence
from flashsight.engine.snapshot import EngineSnapshot
from flashsight.engine.tiers import PictureTiers
from flashsight.engine.trace import Lane, Trace

_log = logging.getLogger(__name__)

_TAKE_OVER_STEPS = 64
"""An engine that never falls idle still takes a short piece of time off for faster steps, once in so many."""


class Loop:
    """Drives scheduler, runner and sampler. `post` brings a message back from a decoding thread."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        runner: Runner,
        sampler: Sampler,
        decoders: Executor,
        post: Callable[[Message], object],
        clock: Callable[[], float],
        tiers: PictureTiers | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._keeper = Keeper(scheduler, tiers)
        self._runner = runner
        self._flights = Flights(runner, sampler)
        self._flight: Flight | None = None
        """Launched ahead, and not landed yet."""
        self._decoding = Decoding(decoders, self._keeper, post, clock)
        self._clock = clock
        self._requests: dict[SequenceId, Request] = {}
        self._outbox = Outbox()
        self.line = Line()
        self.trace: Trace | None = None
        """Told of every piece of work, where somebody looks."""
        self._lost: list[Ticket] = []
        self._took_over_at = 0
        self._num_steps = self._num_computed = self._num_sampled = self._num_faults = 0
        self.snapshot = self._count()
        """As of the last step that ended a sequence, idled or saw the line move; replaced, never changed."""

    @property
    def is_idle(self) -> bool:
        """True when no request is here."""
        return not self._requests

    def take(self, message: Submit | Abort | Decoded | Nudge) -> None:
        """Act on what another thread says."""
        match message:
            case Submit(request):
                self._admit(request)
            case Abort(sequence_id):
                self._abort(sequence_id)
            case Decoded():
                self._take_picture(message)
            case Nudge():
                pass

    def step(self) -> bool:
        """Run one step and publish what came of it; False if there is nothing to run until a message arrives."""
        num_requests, is_busy = len(self._requests), True
        flight, self._flight = self._flight, None
        if flight is None:
            plan = self._scheduler.plan()
            is_busy = not plan.is_empty
            flight = self._begin(plan)
        else:
            flight = self._welcome(flight)
        if self.line.renew(self._scheduler, self._requests):
            self.snapshot = self._count()  # now, while the device computes, not between its token and the caller
        if flight is not None:
            self._flight = self._follow(flight)
            self._land(flight)
        if not is_busy or len(self._requests) < num_requests:
            self.snapshot = self._count()
        if self._flight is not None or not self._runner.is_ahead or not self._requests or self._lost:
            self._flush()
            if self._flight is not None:
                self._outbox.let_pass()
        return is_busy

    def rest(self) -> bool:
        """Do what can wait while nothing runs: keep a picture, speed up. True if there is more."""
        if self._keeper.keep_one():
            return True
        if not self._scheduler.is_idle:
            return False
        is_more = self._runner.take_over()
        self.snapshot = self._count()
        return is_more

    def check(self) -> None:
        """See whether the books balance, if nobody is here. It takes long where there are many blocks."""
        if self._scheduler.is_idle:
            try:
                self._scheduler.check()
            except AssertionError:
                _log.exception("the books do not balance")

    def put_away(self) -> None:
        """Keep every picture that is still to be kept, and wait for the files."""
        self._keeper.put_away()

    def refuse(self, request: Request, error: FlashSightError) -> None:
        """Answer a request that was never admitted with an error; sent with the next flush."""
        self._outbox.put(request.ticket, error)

    def end_all(self, error: Callable[[], FlashSightError]) -> None:
        """Tell every caller that no more will come, each with an error of its own. The books are of no use after it."""
        for request in self._requests.values():
            self._outbox.put(request.ticket, error())
        self._requests.clear()
        self._outbox.flush()

    def _flush(self) -> None:
        """Send what is published; drop the sequences of event loops that are gone."""
        lost, self._lost = [*self._lost, *self._outbox.flush()], []
        for ticket in lost:
            self._abort(ticket.sequence_id)

    # --- in and out ------------------------------------------------------------------------------------------

    def _admit(self, request: Request) -> None:
        try:
            displaced = self._scheduler.add(request.sequence)
        except FlashSightError as error:
            self.refuse(request, error)
            return
        self._requests[request.sequence.id] = request
        if displaced is not None and displaced.error is not None:
            self._fail(displaced, displaced.error)

    def _abort(self, sequence_id: SequenceId) -> None:
        request = self._requests.pop(sequence_id, None)
        if request is not None:
            self._scheduler.abort(sequence_id)
            self._drop_decoding(request)

    def _fail(self, sequence: TokenSequence, error: FlashSightError) -> None:
        request = self._requests.pop(sequence.id, None)
        if request is not None:
            self._scheduler.abort(sequence.id)
            self._drop_decoding(request)
            self._outbox.put(request.ticket, error)

    def _fault(self, sequences: Iterable[TokenSequence], what: str) -> None:
        requests = [self._requests[sequence.id] for sequence in sequences if sequence.id in self._requests]
        self._num_faults += 1
        _log.exception("%s failed", what, extra={"request_ids": [request.request_id for request in requests]})
        for request in requests:
            self._fail(request.sequence, request.fault())

    # --- pictures --------------------------------------------------------------------------------------------

    def _drop_decoding(self, request: Request) -> None:
        """Do not decode what nobody else waits for."""
        for picture in request.sequence.prompt.pictures:
            if not self._scheduler.waiting_for(picture.key):
                self._decoding.drop(picture.key)

    def _take_picture(self, decoded: Decoded) -> None:
        self._decoding.came_back(decoded.key)
        if decoded.error is not None:
            self._fail_picture(decoded.key, decoded.error)
            return
        if self.trace is not None:
            self.trace.add("decode", "a picture", decoded.started_at, decoded.ended_at)
        for sequence in self._scheduler.waiting_for(decoded.key):
            self._requests[sequence.id].decoded_between(decoded.started_at, decoded.ended_at)
        self._scheduler.picture_decoded(decoded.key, decoded.outcome)

    def _fail_picture(self, key: PictureKey, error: FlashSightError) -> None:
        for sequence in self._scheduler.picture_failed(key, error):
            self._fail(sequence, error)

    def _encode(self, encodes: Sequence[Encode]) -> None:
        encodes = self._keeper.place_recalled(encodes)
        if not encodes:
            return
        started_at = self._clock()
        pictures = [encode.picture for encode in encodes]
        try:
            features = self._runner.encode(pictures, [encode.rows for encode in encodes])
        except Exception:
            waiting = {s.id: s for picture in pictures for s in self._scheduler.waiting_for(picture.key)}
            self._fault(waiting.values(), "an encoder step")
            for picture in pictures:
                self._fail_picture(picture.key, EngineFault("a picture could not be encoded; please send it again"))
            return
        if self.trace is not None:
            self.trace.ended("encode", f"{len(pictures)} pictures", started_at)
        seconds = self._clock() - started_at
        for sequence_id in {s.id for picture in pictures for s in self._scheduler.waiting_for(picture.key)}:
            self._requests[sequence_id].encode_seconds += seconds
        for picture, features_MC in zip(pictures, features, strict=True):
            self._keeper.note(picture.key)
            self._scheduler.picture_encoded(picture.key, features_MC)

    # --- tokens ----------------------------------------------------------------------------------------------

    def _begin(self, plan: Plan) -> Flight | None:
        """Start what a plan says; return its step of tokens, if it has one."""
        is_ahead, flight = self._runner.is_ahead, None
        if not plan.chunks:
            self._flights.pause()
        if plan.is_empty or (plan.encodes and not is_ahead):
            self._flush()
        self._decoding.start(plan.decode_requests)
        if plan.is_empty:
            return None
        self._num_steps += 1
        if self._is_takeover_due:
            self._took_over_at = self._num_steps
            self._runner.take_over()
        if not is_ahead:
            self._encode(plan.encodes)
        if plan.chunks:
            asking, now = self._asking(plan), self._clock()
            flight = self._launched(plan, lambda: self._flights.launch(plan, asking, self._features_of, now))
        if is_ahead:  # pictures are made ready, and what was published goes out, while the device computes tokens
            self._encode(plan.encodes)
            self._lost += self._outbox.flush()
            self._scheduler.prefix.prepare(plan.chunks[plan.num_decodes :])
        return flight

    def _welcome(self, flight: Flight) -> Flight:
        """Let newcomers in while a step runs; if it only decodes, their pictures are encoded right behind it."""
        self._decoding.start(self._scheduler.welcome())
        plan = self._scheduler.joined(flight.plan)
        if plan is not flight.plan:
            self._encode(plan.encodes)
        return replace(flight, plan=plan)

    def _follow(self, flight: Flight) -> Flight | None:
        """Launch the next step behind one that runs; its pictures first, since newcomers wait for them."""
        if not self._runner.is_ahead or self.trace is not None or self._is_takeover_due or flight.drawn is None:
            return None
        if (following := self._scheduler.plan_after(flight.plan)) is None:  # what is next depends on its tokens
            return None
        self._num_steps += 1
        plan, asking = following.plan, self._asking(following.plan)
        self._encode(plan.encodes)
        behind = self._launched(
            plan, lambda: self._flights.launch_behind(flight, following, asking, self._features_of, self._clock())
        )
        self._scheduler.prefix.prepare(plan.chunks[plan.num_decodes :])
        return behind

    @property
    def _is_takeover_due(self) -> bool:
        return self._runner.is_speeding_up and self._num_steps - self._took_over_at >= _TAKE_OVER_STEPS

    def _asking(self, plan: Plan) -> list[Request]:
        return [self._requests[chunk.sequence.id] for chunk in plan.chunks if chunk.samples]

    def _launched(self, plan: Plan, launch: Callable[[], Flight]) -> Flight | None:
        try:
            return launch()
        except Exception:
            self._fault([chunk.sequence for chunk in plan.chunks], "a step")
            return None

    def _land(self, flight: Flight) -> None:
        plan = flight.plan
        try:
            sampled = self._flights.land(flight)
        except Exception:
            self._fault([chunk.sequence for chunk in plan.chunks], "a step")
            return
        if self.trace is not None:
            lane: Lane = "prefill" if len(plan.chunks) > plan.num_decodes else "step"
            self.trace.ended(lane, f"{plan.num_tokens} tokens", flight.started_at)
        now = self._clock()
        for chunk in plan.chunks[plan.num_decodes :]:
            if chunk.sequence.id in self._requests:
                self._requests[chunk.sequence.id].prefill_seconds += now - flight.started_at
        self._num_computed += plan.num_tokens
        self._finish_step(flight, sampled, now)

    def _features_of(self, key: PictureKey) -> Tensor:
        features = self._scheduler.pictures.features(key)
        assert isinstance(features, Tensor), "the picture cache holds what encode returned"
        return features

    def _finish_step(self, flight: Flight, sampled: Sampled, now: float) -> None:
        tokens: dict[SequenceId, list[int]] = {}
        # Whoever ended or left while this step ran ahead is passed over.
        rows = [
            (request, held)
            for request, held in zip(flight.asking, flight.rows(sampled), strict=True)
            if request.sequence.phase is not Phase.FINISHED
        ]
        for request, held in rows:
            self._num_sampled += len(held)
            is_broken = any(row in sampled.broken for row in held)
            drawn = [sampled.tokens[row] for row in held]
            if not is_broken:
                for token in drawn:
                    if token not in request.sequence.sampling.stop_ids:
                        request.state.observe(token)
            if is_broken or request.state.error is not None:
                self._fail_row(request)
            else:
                tokens[request.sequence.id] = drawn
        complete = {sequence_id for sequence_id in tokens if self._requests[sequence_id].state.is_complete}
        finished = self._scheduler.commit(flight.plan, tokens, complete)
        for request, held in rows:
            if request.sequence.id in tokens:
                self._publish(request, sampled, held, now)
        for sequence in finished:
            if sequence.kind is Kind.PREWARM:
                request = self._requests.pop(sequence.id)
                self._outbox.put(request.ticket, TokenEvent(token=None, finish="stop", stats=request.stats(now)))

    def _fail_row(self, request: Request) -> None:
        """End one sequence of a step: its grammar gave up, or its logits are not numbers."""
        error = request.state.error
        if not isinstance(error, FlashSightError):
            self._num_faults += 1
            said = {"request_ids": [request.request_id]}
            _log.error("a row cannot be sampled: its logits are not numbers", exc_info=error, extra=said)
            error = request.fault()
        self._fail(request.sequence, error)

    def _publish(self, request: Request, sampled: Sampled, rows: range, now: float) -> None:
        sequence = request.sequence
        for row in rows:
            token, finish = sampled.tokens[row], sequence.finish if row == rows[-1] else None
            is_stop = finish == "stop" and token in sequence.sampling.stop_ids
            event = TokenEvent(
                token=None if is_stop else token,
                logprob=None if is_stop else sampled.logprobs[row],
                top=() if is_stop else sampled.tops[row],
                finish=finish,
                stats=None if request.is_answering else request.stats(now),
            )
            request.is_answering = True
            self._outbox.put(request.ticket, event)
        if sequence.finish is not None:
            del self._requests[sequence.id]

    def _count(self) -> EngineSnapshot:
        flights, progress = self._flights, self._runner.progress
        return EngineSnapshot(
            books=self._scheduler.snapshot(),
            total_steps=self._num_steps,
            total_tokens_computed=self._num_computed,
            total_tokens_sampled=self._num_sampled,
            total_faults=self._num_faults,
            total_steps_ahead=flights.num_ahead,
            total_gaps=flights.num_gaps,
            total_gap_microseconds=round(flights.gap_seconds * 1e6),
            kernels_in_use=int(progress.has_kernels),
            forms_recorded=progress.num_recorded,
            is_speeding_up=int(progress.is_under_way),
        )
