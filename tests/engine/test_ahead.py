"""Where kernels run on after they are launched, what was published goes out behind the next launch: all of it, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.rig import LONG_TEXT, PICTURE, TEXT, MakeRig
from tests.support.prompts import model_input

from flashsight.core.types import TokenSampling
from flashsight.engine.runner import Runner


async def test_answers_are_the_same_and_gaps_are_counted(
    make_rig: MakeRig, tiny_reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [model_input(prompt, tiny_reference) for prompt in (TEXT, LONG_TEXT, PICTURE)]
    samplings = [TokenSampling(max_tokens=9), TokenSampling(max_tokens=5), TokenSampling(max_tokens=7)]
    plain = make_rig()
    expected = [await plain.tokens(*pair) for pair in zip(prompts, samplings, strict=True)]
    assert plain.engine.snapshot().total_gaps == 0
    monkeypatch.setattr(Runner, "is_ahead", True)
    ahead = make_rig()
    found = await asyncio.gather(*(ahead.tokens(*pair) for pair in zip(prompts, samplings, strict=True)))
    assert found == expected
    await ahead.settle()
    snapshot = ahead.engine.snapshot()
    assert 0 < snapshot.total_gaps < snapshot.total_steps
    assert snapshot.total_gap_microseconds > 0
