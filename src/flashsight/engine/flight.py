"""Steps on their way through the device: launched, perhaps followed by the next one, then landed. Keeps no books."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flashsight.engine.ahead import Following
from flashsight.engine.device import Stamp
from flashsight.engine.plan import Plan
from flashsight.engine.request import Request
from flashsight.engine.runner import DrawnBefore, FeaturesOf, Runner
from flashsight.engine.sampler import Drawn, Sampled, Sampler


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """A step that was launched. asking: whose tokens it draws, in the order of the plan; drawn: None if nobody's.

    began: None where no other step has run just before it, so that no gap is to be measured.
    """

    plan: Plan
    asking: Sequence[Request]
    drawn: Drawn | None
    began: Stamp | None
    ended: Stamp
    started_at: float

    def rows(self, sampled: Sampled) -> Iterator[range]:
        """For each who asks, the rows whose tokens stand: those up to the first guess that did not hold or to the end
        of the answer."""
        first = 0
        for chunk in self.plan.chunks:
            if chunk.samples:
                last = first
                for draft in chunk.drafts:
                    token = sampled.tokens[last]
                    if token != draft or token in chunk.sequence.sampling.stop_ids:
                        break
                    last += 1
                yield range(first, last + 1)
                first += chunk.num_samples


class Flights:
    """Launches steps in their order and lands them in the same. Used by the engine's thread only."""

    def __init__(self, runner: Runner, sampler: Sampler) -> None:
        self._runner, self._sampler = runner, sampler
        self._last_ended: Stamp | None = None
        self.num_launched = self.num_ahead = self.num_gaps = 0
        self.gap_seconds = 0.0

    def launch(self, plan: Plan, asking: Sequence[Request], features_of: FeaturesOf, now: float) -> Flight:
        """Begin a step whose ids are all known."""
        return self._launch(plan, asking, features_of, now, None)

    def launch_behind(
        self, flight: Flight, following: Following, asking: Sequence[Request], features_of: FeaturesOf, now: float
    ) -> Flight:
        """Begin the step that goes on from the tokens of one that has not landed."""
        assert flight.drawn is not None, "a step is followed by the tokens that it draws"
        self.num_ahead += 1
        return self._launch(following.plan, asking, features_of, now, (flight.drawn.tokens, following.rows))

    def land(self, flight: Flight) -> Sampled:
        """Wait for a step's tokens."""
        if flight.drawn is None:
            self._last_ended = None  # hardly anybody waits for such a step, so when it ends is not known here
            if any(chunk.end == len(chunk.sequence) for chunk in flight.plan.chunks):
                flight.ended.wait()  # reading ahead is over when its blocks can be used, not when they are on their way
            return Sampled([], [], [])
        sampled = flight.drawn.read()
        if self._runner.is_ahead and self._last_ended is not None and flight.began is not None:
            self.num_gaps += 1
            self.gap_seconds += max(0.0, flight.began.seconds_since(self._last_ended))
        # Pictures that are made ready behind a step keep the device busy until the next one.
        self._last_ended = None if flight.plan.encodes else flight.ended
        return sampled

    def pause(self) -> None:
        """The device has other work now, or none: what passes until the next step is no gap."""
        self._last_ended = None

    def _launch(
        self,
        plan: Plan,
        asking: Sequence[Request],
        features_of: FeaturesOf,
        now: float,
        before: DrawnBefore | None,
    ) -> Flight:
        self.num_launched += 1
        is_first = before is None and self._last_ended is None
        began = None if is_first or (before is not None and plan.encodes) else self._runner.stamp()
        logits_NV = self._runner.logits(plan.chunks, features_of, before)
        drawn = None
        if logits_NV is not None:
            samples = zip(asking, (chunk.num_samples for chunk in plan.chunks if chunk.samples), strict=True)
            states = [request.state for request, num_samples in samples for _ in range(num_samples)]
            drawn = self._sampler.draw(logits_NV, states)
        ended = drawn.ended if drawn is not None else self._runner.stamp()
        return Flight(plan, asking, drawn, began, ended, now)
