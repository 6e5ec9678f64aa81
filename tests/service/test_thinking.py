"""A thinking's budget and its circles, from the request's sampling to the usage of the answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from flashsight.core.config import MediaConfig
from flashsight.core.types import (
    Caller,
    Conversation,
    Delta,
    JsonConstraint,
    Message,
    ReasoningDelta,
    Salt,
    Sampling,
    TextDelta,
    TextPart,
    Usage,
)
from flashsight.processing.processor import Processor
from flashsight.service.local import LocalBackend
from tests.service.obedient_engine import ObedientEngine


@pytest.fixture(scope="module")
def processor(tiny_checkpoint: Path) -> Processor:
    return Processor(tiny_checkpoint, MediaConfig())


def answered(processor: Processor, script: list[int], **sampling: Any) -> tuple[str, str, Usage]:
    """The reasoning, the answer and the usage."""
    size = processor.tokenizer.size + 4
    backend = LocalBackend(processor, ObedientEngine(script, size), context_tokens=4000, vocabulary_size=size)
    asked = Conversation(
        messages=(Message(role="user", parts=(TextPart(text="hi"),)),),
        caller=Caller(name="tester", salt=Salt(b"s")),
        request_id="r",
        thinking=True,
    )

    async def run() -> list[Delta]:
        async with aclosing(backend.stream(asked, Sampling(**sampling))) as deltas:
            return [delta async for delta in deltas]

    deltas = asyncio.run(run())
    usage = deltas[-1]
    assert isinstance(usage, Usage)
    reasoning = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return reasoning, "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), usage


def thought(processor: Processor, text: str, answer: str) -> list[int]:
    tokenizer = processor.tokenizer
    ends = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
    return [ends[0], *tokenizer.encode(text), ends[1], *tokenizer.encode(answer)]


def test_a_thinking_within_its_budget_is_left_alone(processor: Processor) -> None:
    script = thought(processor, "the cup", " red")
    reasoning, answer, usage = answered(processor, script, thinking_tokens=50)
    assert (reasoning, answer) == ("the cup", " red")
    assert usage.reasoning_tokens == 2 + len(processor.tokenizer.encode("the cup"))


@pytest.mark.parametrize("budget", [2, 3, 10])
def test_a_spent_budget_closes_the_thinking_and_the_answer_follows(processor: Processor, budget: int) -> None:
    reasoning, _, usage = answered(processor, thought(processor, "0123456789abcdef" * 9, ""), thinking_tokens=budget)
    assert usage.reasoning_tokens == budget
    assert usage.completion_tokens > budget
    assert reasoning == processor.tokenizer.decode(processor.tokenizer.encode("0123456789abcdef")[: budget - 2])


def test_a_thinking_in_circles_is_closed(processor: Processor) -> None:
    _, _, usage = answered(processor, thought(processor, " is it red? no, is it blue? no," * 99, ""))
    assert usage.reasoning_tokens < 200


def test_a_schema_holds_after_a_thinking_that_was_closed(processor: Processor) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["b"]}}, "required": ["a"], "additionalProperties": False}
    script = thought(processor, "never mind " * 3, "")
    _, answer, usage = answered(processor, script, thinking_tokens=4, constraint=JsonConstraint(schema=schema))
    assert json.loads(answer) == {"a": "b"}
    assert usage.reasoning_tokens == 4
