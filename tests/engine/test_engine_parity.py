"""The whole engine against transformers' generate: greedy tokens, whatever the batch, the chunks and the caches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import llguidance
import llguidance.numpy
import numpy as np
import pytest
import torch
from tests.engine.rig import Rig
from tests.support.prompts import Prompt, greedy, hf_greedy, hf_inputs, model_input, some_picture, special_ids

from flashsight.core.types import Salt, TokenSampling

NUM_TOKENS = 10
LONG_TEXT = [int(token) for token in np.random.default_rng(0).integers(0, 500, 90)]

PROMPTS = {
    "a few words": Prompt(([11, 12, 13],)),
    "one token": Prompt(([42],)),
    "a long text": Prompt((LONG_TEXT,)),
    "a picture before the question": Prompt((some_picture(1), [20, 21, 22, 23])),
    "a picture after it": Prompt(([5, 6, 7], some_picture(2, 112, 84))),
    "nothing but a picture": Prompt((some_picture(3, 140, 84),)),
    "two pictures of different shape": Prompt((some_picture(4), some_picture(5, 84, 168), [30, 31])),
    "three turns": Prompt(([1, 2], some_picture(6), [3, 4, 5, 6], some_picture(7, 112, 112), [8, 9], [10] * 5)),
    "one picture twice": Prompt(([7], some_picture(8), [8, 9], some_picture(8), [10])),
}


@pytest.fixture(scope="module")
def expected(tiny_reference: Any) -> dict[str, list[int]]:
    return {name: hf_greedy(prompt, tiny_reference, NUM_TOKENS) for name, prompt in PROMPTS.items()}


def test_the_oracle_tells_prompts_apart(expected: dict[str, list[int]]) -> None:
    assert len({tuple(answer) for answer in expected.values()}) == len(PROMPTS)


@pytest.mark.parametrize(
    "limits",
    [
        {"step_tokens": 7, "block_size": 4},
        {"step_tokens": 16, "block_size": 1, "num_blocks": 1200},
        {"step_tokens": 2048, "block_size": 16},
        {"step_tokens": 33, "block_size": 5, "encode_patches": 1, "max_sequences": 3},
        {"step_tokens": 64, "picture_tokens": 24},
        {"step_tokens": 24, "has_prefix_cache": False},
    ],
    ids=str,
)
async def test_greedy_answers_equal_transformers_all_at_once(
    make_rig: Callable[..., Rig], tiny_reference: Any, expected: dict[str, list[int]], limits: dict[str, Any]
) -> None:
    rig = make_rig(**limits)
    sampling = greedy(tiny_reference, NUM_TOKENS)
    answers = await asyncio.gather(*(rig.tokens(model_input(p, tiny_reference), sampling) for p in PROMPTS.values()))
    assert dict(zip(PROMPTS, answers, strict=True)) == expected
    await rig.settle()


async def test_answers_do_not_depend_on_who_comes_and_goes(
    make_rig: Callable[..., Rig], tiny_reference: Any, expected: dict[str, list[int]]
) -> None:
    rig = make_rig(step_tokens=9, max_sequences=4)
    sampling = greedy(tiny_reference, NUM_TOKENS)

    async def late(number: int, name: str) -> list[int]:
        for _ in range(number * 7):
            await asyncio.sleep(0)
        return await rig.tokens(model_input(PROMPTS[name], tiny_reference), sampling)

    names = [*PROMPTS, *reversed(PROMPTS)]
    answers = await asyncio.gather(*(late(number, name) for number, name in enumerate(names)))
    assert answers == [expected[name] for name in names]
    await rig.settle()


async def test_a_pool_too_small_for_all_sends_sequences_back_and_answers_the_same(
    make_rig: Callable[..., Rig], tiny_reference: Any
) -> None:
    rig = make_rig(num_blocks=34, step_tokens=32, has_prefix_cache=False)
    prompts = [Prompt(([i, i + 1, i + 2], some_picture(i), [9])) for i in range(4)]
    answers = await asyncio.gather(
        *(rig.tokens(model_input(prompt, tiny_reference), greedy(tiny_reference, 24)) for prompt in prompts)
    )
    assert answers == [hf_greedy(prompt, tiny_reference, 24) for prompt in prompts]
    assert (await rig.settle()).preemptions > 0


async def test_logprobs_are_those_of_the_reference(make_rig: Callable[..., Rig], tiny_reference: Any) -> None:
    prompt = PROMPTS["three turns"]
    with torch.no_grad():
        logits = tiny_reference(**hf_inputs(prompt, tiny_reference)).logits[0, -1].double().clone()
    logits[list(special_ids(tiny_reference))] = -torch.inf
    best = logits.log_softmax(0).topk(5)
    sampling = TokenSampling(num_logprobs=5, banned_ids=special_ids(tiny_reference))
    (event,) = await make_rig(step_tokens=8).answer(model_input(prompt, tiny_reference), sampling)
    assert [top.token for top in event.top] == best.indices.tolist()
    assert [top.logprob for top in event.top] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert event.logprob == event.top[0]


async def test_the_same_picture_again_costs_no_encoder_call_and_few_tokens(
    make_rig: Callable[..., Rig], tiny_reference: Any
) -> None:
    rig, prompt = make_rig(), model_input(PROMPTS["a picture before the question"], tiny_reference)
    sampling = greedy(tiny_reference, NUM_TOKENS)
    first = await rig.answer(prompt, sampling)
    before = await rig.settle()
    computed = rig.engine.snapshot().total_tokens_computed
    again = await rig.answer(prompt, sampling)
    after = await rig.settle()
    assert [event.token for event in again] == [event.token for event in first]
    assert after.encoder_calls == before.encoder_calls == 1
    assert first[0].stats is not None
    assert again[0].stats is not None
    assert first[0].stats.cached_tokens == 0
    # Its last block, which the answer has filled, is copied; a token is left to sample from.
    assert again[0].stats.cached_tokens == len(prompt.ids) - 1
    assert rig.engine.snapshot().total_tokens_computed - computed == NUM_TOKENS


async def test_another_question_about_a_known_picture_finds_its_features(
    make_rig: Callable[..., Rig], tiny_reference: Any
) -> None:
    rig, sampling = make_rig(), greedy(tiny_reference, NUM_TOKENS)
    await rig.answer(model_input(Prompt(([1, 2], some_picture(1), [3])), tiny_reference), sampling)
    other = Prompt(([77, 78, 79], some_picture(1), [80]))
    answer = await rig.answer(model_input(other, tiny_reference), sampling)
    assert [event.token for event in answer] == hf_greedy(other, tiny_reference, NUM_TOKENS)
    stats = answer[0].stats
    assert stats is not None
    assert (stats.cached_tokens, stats.picture_level) == (0, "device")
    totals = await rig.settle()
    assert (totals.encoder_calls, totals.picture_hits) == (1, 1)


async def test_callers_of_different_salts_share_no_prefix(make_rig: Callable[..., Rig], tiny_reference: Any) -> None:
    rig, prompt = make_rig(), model_input(PROMPTS["a long text"], tiny_reference)
    answers = [await rig.answer(prompt, greedy(tiny_reference, 3), Salt(salt)) for salt in (b"one", b"two", b"one")]
    assert [[event.token for event in answer] for answer in answers[1:]] == [[e.token for e in answers[0]]] * 2
    assert [answer[0].stats.cached_tokens for answer in answers if answer[0].stats] == [0, 0, len(prompt.ids) - 1]


async def test_choices_of_one_prompt_share_its_prefill(make_rig: Callable[..., Rig], tiny_reference: Any) -> None:
    rig, prompt = make_rig(step_tokens=128), model_input(PROMPTS["a long text"], tiny_reference)
    samplings = [TokenSampling(temperature=1.0, seed=seed, max_tokens=4) for seed in range(3)]
    await asyncio.gather(*(rig.answer(prompt, sampling) for sampling in samplings))
    await rig.settle()
    assert rig.engine.snapshot().total_tokens_computed == 90 + 2 * (90 - 88) + 3 * 3


async def test_a_seeded_answer_is_the_same_in_any_company(make_rig: Callable[..., Rig], tiny_reference: Any) -> None:
    prompt = model_input(PROMPTS["a picture after it"], tiny_reference)
    seeded = TokenSampling(temperature=1.2, top_p=0.95, seed=5, max_tokens=12, presence_penalty=0.5)
    alone = await make_rig().tokens(prompt, seeded)
    company = [TokenSampling(temperature=1.0, max_tokens=n) for n in (3, 9, 14)]
    crowd = make_rig(step_tokens=11)
    answers = await asyncio.gather(
        *(crowd.tokens(model_input(PROMPTS["a long text"], tiny_reference), other) for other in company),
        crowd.tokens(prompt, seeded),
    )
    assert answers[-1] == alone
    assert await crowd.tokens(prompt, TokenSampling(temperature=1.2, top_p=0.95, seed=6, max_tokens=12)) != alone


class Grammar:
    """llguidance on the tiny checkpoint's tokenizer."""

    def __init__(self, tokenizer: llguidance.LLTokenizer, schema: dict[str, Any], vocab_size: int) -> None:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False})
        self._matcher = llguidance.LLMatcher(tokenizer, grammar)
        self._mask = llguidance.numpy.allocate_token_bitmask(1, vocab_size)

    def write_mask(self, words: np.ndarray[Any, Any]) -> None:
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask)
        words[:] = self._mask[0]

    def advance(self, token: int) -> None:
        assert self._matcher.consume_token(token)

    @property
    def is_finished(self) -> bool:
        return bool(self._matcher.is_stopped())


async def test_constrained_answers_are_valid_json(
    make_rig: Callable[..., Rig], tiny_checkpoint: Path, tiny_reference: Any
) -> None:
    from tokenizers import Tokenizer

    text = (tiny_checkpoint / "tokenizer.json").read_text()
    vocab_size = tiny_reference.config.text_config.vocab_size
    lark = llguidance.LLTokenizer(text, n_vocab=vocab_size)
    schema = {
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 99},
            "is_on": {"type": "boolean"},
        },
        "required": ["colour", "count", "is_on"],
        "additionalProperties": False,
    }
    rig, stop = make_rig(), frozenset(tiny_reference.config.text_config.eos_token_id)
    samplings = [
        TokenSampling(
            temperature=float(i), seed=i, max_tokens=80, stop_ids=stop, constraint=Grammar(lark, schema, vocab_size)
        )
        for i in range(4)
    ]
    prompt = model_input(PROMPTS["a picture after it"], tiny_reference)
    free = rig.tokens(model_input(PROMPTS["three turns"], tiny_reference), greedy(tiny_reference, NUM_TOKENS))
    *answers, unconstrained = await asyncio.gather(*(rig.answer(prompt, s) for s in samplings), free)
    for answer in answers:
        assert answer[-1].finish == "stop"
        text = Tokenizer.from_str((tiny_checkpoint / "tokenizer.json").read_text()).decode(
            [event.token for event in answer if event.token is not None], skip_special_tokens=True
        )
        jsonschema.validate(json.loads(text), schema)
    assert unconstrained == hf_greedy(PROMPTS["three turns"], tiny_reference, NUM_TOKENS)
    assert len({tuple(event.token for event in answer) for answer in answers}) > 1
