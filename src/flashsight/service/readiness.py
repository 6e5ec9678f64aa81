"""What the server may say of the model while it loads, and the parts that answer once it has. Loads nothing itself.

The launcher makes one Readiness, hands it to `server.build_app`, starts listening, and then, from any thread:

    readiness.enter("reading weights")      # as often as there are phases; /health and 503s show phase and seconds
    readiness.open(Serving(chat=..., plan=..., snapshot=..., about=...))
    readiness.fail()                        # instead, when the model cannot be loaded
    readiness.close()                       # when stopping: new requests get 503, those under way are finished
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flashsight.core.errors import NotReady
from flashsight.core.line import Waiting
from flashsight.service.chat import ChatService
from flashsight.service.library import Library
from flashsight.service.pace import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The finished parts behind the API.

    plan: returns the memory plan, a dataclass or a mapping; `/v1/plan` shows it.
    snapshot: returns the engine's numbers now, a dataclass (nested ones too) or a mapping; `/metrics` shows each as
    `flashsight_engine_<name>`. It is called on the event loop and must not wait for the engine's thread.
    line: returns who waits for room, in the order in which they get it; `/v1/queue` tells of it. Like snapshot it must
    not wait.
    library: uploaded pictures, or None where none are kept.
    pace: how fast pictures are read; it observes chat and library.
    about: what /health adds for whoever looks: `model` (the checkpoint's name), `device`; `fetches` where pictures may
    come by address.
    """

    chat: ChatService
    plan: Callable[[], object]
    snapshot: Callable[[], object]
    line: Callable[[], Sequence[Waiting]] = tuple
    library: Library | None = None
    pace: Pace = field(default_factory=Pace)
    about: Mapping[str, str] = field(default_factory=dict)


class Readiness:
    """One process's state: loading (with a phase), ready, failed or stopping. Each change is one atomic assignment."""

    def __init__(self, phase: str = "starting", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = clock()
        self._took: float | None = None
        self._entered_at = self._began_at
        self._serving: Serving | None = None
        self.phase = phase

    @property
    def is_ready(self) -> bool:
        """True when requests are answered."""
        return self._serving is not None

    @property
    def has_failed(self) -> bool:
        """True when the model could not be loaded; it will not be by waiting."""
        return self.phase == "failed"

    @property
    def seconds(self) -> float:
        """Seconds since the start while loading; afterwards, what loading took."""
        return self._clock() - self._began_at if self._took is None else self._took

    @property
    def about(self) -> Mapping[str, str]:
        """What is served, once it is."""
        return self._serving.about if self._serving is not None else {}

    @property
    def phase_seconds(self) -> float:
        """Seconds since the phase began."""
        return self._clock() - self._entered_at

    @property
    def serving(self) -> Serving | None:
        """The parts that answer, once there are any."""
        return self._serving

    def enter(self, phase: str) -> None:
        """Say what loading does now, in a few words that a person reads."""
        self._entered_at = self._clock()
        self.phase = phase

    def open(self, serving: Serving) -> None:
        """Answer requests from now on."""
        self._took = self._clock() - self._began_at
        self._serving = serving
        self.enter("ready")

    def fail(self) -> None:
        """Say that the model cannot be loaded; the reason belongs in the log."""
        self._took = self._clock() - self._began_at
        self._serving = None
        self.enter("failed")

    def close(self) -> None:
        """Take no new requests."""
        self._serving = None
        self.enter("stopping")

    def require(self) -> Serving:
        """Return the parts that answer; raise NotReady with the phase and the seconds so far."""
        serving = self._serving
        if serving is not None:
            return serving
        if self.has_failed:
            raise NotReady("the model could not be loaded; the server's log says why", code="model_failed")
        if self.phase == "stopping":
            raise NotReady("the server is stopping", code="stopping")
        raise NotReady(f"the model is still loading: {self.phase}, {self.seconds:.0f} s so far; try again shortly")
