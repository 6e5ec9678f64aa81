from __future__ import annotations

import pytest

from flashsight.core.errors import NotReady
from flashsight.service import ChatService, Readiness, Serving


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def parts() -> Serving:
    chat = ChatService(None, None, model="m", max_pictures=1)  # type: ignore[arg-type]
    return Serving(chat=chat, plan=dict, snapshot=dict)


def test_while_loading_the_error_tells_the_phase_and_the_seconds():
    clock = Clock()
    readiness = Readiness(clock=clock)
    clock.now += 7
    readiness.enter("reading weights")
    clock.now += 5
    assert (readiness.seconds, readiness.phase_seconds) == (12, 5)
    with pytest.raises(NotReady, match="reading weights, 12 s") as caught:
        readiness.require()
    assert caught.value.code == "model_loading"


def test_what_loading_took_is_kept_when_ready():
    clock = Clock()
    readiness = Readiness(clock=clock)
    clock.now += 3
    serving = parts()
    readiness.open(serving)
    clock.now += 1000
    assert readiness.require() is serving
    assert (readiness.is_ready, readiness.phase, readiness.seconds) == (True, "ready", 3)


@pytest.mark.parametrize(("end", "code"), [("fail", "model_failed"), ("close", "stopping")])
def test_after_the_end_requests_are_refused_with_the_reason(end: str, code: str):
    readiness = Readiness()
    readiness.open(parts())
    getattr(readiness, end)()
    assert not readiness.is_ready
    with pytest.raises(NotReady) as caught:
        readiness.require()
    assert caught.value.code == code
