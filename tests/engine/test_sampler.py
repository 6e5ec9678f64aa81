"""The sampler against a textbook in numpy: one row at a time, float64, loops."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsight.core.types import TokenSampling
from flashsight.engine.sampler import Sampler, SamplingState

VOCAB = 40
NO_PROMPT = np.zeros(0, np.int64)


def textbook_scores(
    logits: np.ndarray[Any, Any],
    sampling: TokenSampling,
    prompt: list[int],
    answer: list[int],
    allowed: set[int] | None,
) -> np.ndarray[Any, Any]:
    scores = logits.astype(np.float64).copy()
    for token in set(prompt) | set(answer):
        penalty = sampling.repetition_penalty
        scores[token] = scores[token] / penalty if scores[token] > 0 else scores[token] * penalty
    for token, count in Counter(answer).items():
        scores[token] -= count * sampling.frequency_penalty + sampling.presence_penalty
    for token, bias in sampling.logit_bias:
        scores[token] += bias
    for token in range(len(scores)):
        if token in sampling.banned_ids or (allowed is not None and token not in allowed):
            scores[token] = -math.inf
    return scores


def textbook_probabilities(scores: np.ndarray[Any, Any], sampling: TokenSampling) -> np.ndarray[Any, Any]:
    if sampling.temperature == 0:
        return np.eye(len(scores))[int(scores.argmax())]
    weights = [math.exp((score - scores.max()) / sampling.temperature) for score in scores]
    order = sorted(range(len(weights)), key=lambda token: -weights[token])
    kept = order[: sampling.top_k] if sampling.top_k else order
    total = sum(weights[token] for token in kept)
    nucleus, mass = [], 0.0
    for token in kept:
        if nucleus and mass >= sampling.top_p:
            break
        nucleus.append(token)
        mass += weights[token] / total
    nucleus = [token for token in nucleus if weights[token] >= sampling.min_p * weights[order[0]]]
    probabilities = np.zeros(len(scores))
    for token in nucleus:
        probabilities[token] = weights[token] / sum(weights[other] for other in nucleus)
    return probabilities


class OnlyThese:
    """A grammar that allows a fixed set of tokens and remembers what it was told."""

    is_finished = False

    def __init__(self, allowed: set[int]) -> None:
        self.allowed = allowed
        self.taken: list[int] = []

    def write_mask(self, words: np.ndarray[Any, Any]) -> None:
        bits = np.zeros(len(words) * 32, bool)
        bits[list(self.allowed)] = True
        words[:] = np.packbits(bits, bitorder="little").view(np.int32)

    def advance(self, token: int) -> None:
        self.taken.append(token)


def sampler_of(rows: int, vocab: int = VOCAB) -> Sampler:
    return Sampler(vocab_size=vocab, max_sequences=rows, device=torch.device("cpu"))


def some_logits(seed: int, vocab: int = VOCAB) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(seed).standard_normal(vocab) * 2).astype(np.float32)


def frequencies(sampling: TokenSampling, logits: np.ndarray[Any, Any], draws: int = 4000) -> np.ndarray[Any, Any]:
    states = [SamplingState(replace(sampling, seed=seed), NO_PROMPT) for seed in range(draws)]
    rows = torch.from_numpy(np.tile(logits, (draws, 1)))
    tokens = sampler_of(draws, len(logits)).sample(rows, states).tokens
    return np.bincount(tokens, minlength=len(logits))


def assert_drawn_from(observed: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> None:
    assert not observed[probabilities == 0].any(), "a token outside the cut was drawn"
    expected = probabilities * observed.sum()
    common = expected >= 5
    statistic = float(((observed - expected)[common] ** 2 / expected[common]).sum())
    freedom = max(int(common.sum()) - 1, 1)
    # The Wilson-Hilferty cube root turns chi-square into a normal deviate; 4 is one seed in thirty thousand.
    deviate = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    assert deviate < 4


SETTINGS = st.builds(
    TokenSampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 1.7]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 3, VOCAB, 10 * VOCAB]),
    min_p=st.sampled_from([0.0, 0.05, 0.4]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.8]),
    presence_penalty=st.sampled_from([0.0, 0.7, -1.0]),
    frequency_penalty=st.sampled_from([0.0, 0.4, -0.2]),
    seed=st.integers(-(2**63), 2**63 - 1),
    logit_bias=st.lists(st.tuples(st.integers(0, VOCAB - 1), st.floats(-100, 100)), max_size=3).map(tuple),
    banned_ids=st.lists(st.integers(0, VOCAB - 1), max_size=4).map(tuple),
    num_logprobs=st.sampled_from([None, 0, 3, 20]),
)
TOKENS = st.lists(st.integers(0, VOCAB - 1), max_size=12)


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[TokenSampling, list[int], list[int], set[int] | None, int]]:
    one = st.tuples(
        SETTINGS,
        TOKENS,
        TOKENS,
        st.none() | st.sets(st.integers(0, VOCAB - 1), min_size=6, max_size=VOCAB),
        st.integers(0, 2**31),
    )
    return draw(st.lists(one, min_size=1, max_size=5))


@settings(max_examples=150, deadline=None)
@given(batches())
def test_every_row_of_a_mixed_batch_follows_its_own_settings(
    rows: list[tuple[TokenSampling, list[int], list[int], set[int] | None, int]],
) -> None:
    states, logits, oracle = [], [], []
    for sampling, prompt, answer, allowed, seed in rows:
        constraint = None if allowed is None else OnlyThese(allowed)
        state = SamplingState(replace(sampling, constraint=constraint), np.array(prompt, np.int64))
        for token in answer:
            state.observe(token)
        states.append(state)
        logits.append(some_logits(seed))
        oracle.append(textbook_scores(logits[-1], sampling, prompt, answer, allowed))
    sampled = sampler_of(len(rows)).sample(torch.from_numpy(np.stack(logits)), states)
    for row, scores in enumerate(oracle):
        if not np.isfinite(scores).any():
            assert row in sampled.broken
            continue
        assert row not in sampled.broken
        token, sampling = sampled.tokens[row], rows[row][0]
        if sampling.temperature == 0:
            assert scores[token] == pytest.approx(scores.max(), abs=1e-4)
        else:
            assert textbook_probabilities(scores, sampling)[token] > 0
        assert_reports(sampled.logprobs[row], sampled.tops[row], token, scores, sampling.num_logprobs)


def assert_reports(logprob: Any, top: Any, token: int, scores: np.ndarray[Any, Any], num_logprobs: int | None) -> None:
    if num_logprobs is None:
        assert logprob is None
        assert top == ()
        return
    expected = scores - scores.max() - math.log(sum(math.exp(score - scores.max()) for score in scores))
    assert logprob.token == token
    assert logprob.logprob == pytest.approx(expected[token], abs=1e-3)
    best = sorted((value for value in expected if value > -math.inf), reverse=True)[:num_logprobs]
    assert [entry.logprob for entry in top] == pytest.approx(best, abs=1e-3)
    assert all(entry.logprob == pytest.approx(expected[entry.token], abs=1e-3) for entry in top)


@pytest.mark.parametrize(
    "sampling",
    [
        TokenSampling(temperature=1.0),
        TokenSampling(temperature=0.6),
        TokenSampling(temperature=1.5, top_k=5),
        TokenSampling(temperature=1.0, top_p=0.8),
        TokenSampling(temperature=1.2, min_p=0.1),
        TokenSampling(temperature=2.0, top_k=12, top_p=0.9, min_p=0.05),
    ],
)
def test_draws_follow_the_textbook_distribution(sampling: TokenSampling) -> None:
    logits = some_logits(7)
    assert_drawn_from(frequencies(sampling, logits), textbook_probabilities(logits.astype(np.float64), sampling))


@pytest.mark.parametrize("spread", [0.05, 4.0])
@pytest.mark.parametrize(
    "sampling", [TokenSampling(temperature=1.0, top_p=0.9), TokenSampling(temperature=1.0, top_k=400)]
)
def test_a_cut_beyond_the_likeliest_tokens_follows_the_textbook_too(sampling: TokenSampling, spread: float) -> None:
    logits = some_logits(5, vocab=700) * spread
    assert_drawn_from(frequencies(sampling, logits), textbook_probabilities(logits.astype(np.float64), sampling))


def test_a_seed_gives_the_same_answer_alone_and_in_any_company() -> None:
    sampling = TokenSampling(temperature=1.0, top_p=0.9, seed=11)
    steps = [some_logits(seed) for seed in range(20)]

    def answer(company: list[TokenSampling]) -> list[int]:
        mine = SamplingState(sampling, NO_PROMPT)
        sampler, tokens = sampler_of(1 + len(company)), []
        for number, logits in enumerate(steps):
            others = [SamplingState(other, NO_PROMPT) for other in company]
            at = number % (len(company) + 1)
            states = [*others[:at], mine, *others[at:]]
            batch = torch.from_numpy(np.stack([some_logits(99 + i) for i in range(len(states))]))
            batch[at] = torch.from_numpy(logits)
            tokens.append(sampler.sample(batch, states).tokens[at])
        return tokens

    alone = answer([])
    assert alone == answer([TokenSampling(temperature=1.3), TokenSampling(temperature=0.9, top_k=4), TokenSampling()])
    assert len(set(alone)) > 5


def test_two_unseeded_sequences_differ() -> None:
    states = [SamplingState(TokenSampling(temperature=1.0), NO_PROMPT) for _ in range(64)]
    tokens = sampler_of(64).sample(torch.zeros(64, VOCAB), states).tokens
    assert len(set(tokens)) > 8


@pytest.mark.parametrize("temperature", [1e-6, 1e-30, 1e-300])
@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_a_tiny_temperature_is_as_good_as_greedy(temperature: float, top_p: float) -> None:
    logits = some_logits(3)
    observed = frequencies(TokenSampling(temperature=temperature, top_p=top_p), logits * 1e4, draws=50)
    assert observed[logits.argmax()] == 50


def test_what_many_sets_of_banned_ids_leave_behind_is_bounded_and_none_is_taken_for_another() -> None:
    sampler = sampler_of(1)
    logits = torch.from_numpy(some_logits(3)[None])
    for token in range(VOCAB):
        banned = tuple(other for other in range(VOCAB) if other != token)
        state = SamplingState(TokenSampling(banned_ids=banned), np.zeros(0, np.int64))
        for _ in range(2):
            assert sampler.sample(logits.clone(), [state]).tokens == [token]
    assert len(sampler._banned) <= 16


def test_a_token_of_no_probability_is_never_drawn_at_the_edges() -> None:
    logits = np.full(VOCAB, -np.inf, np.float32)
    logits[[5, 6]] = 0.0
    observed = frequencies(TokenSampling(temperature=1.0), logits, draws=2000)
    assert observed[[5, 6]].sum() == 2000
    assert observed[5] > 800


def test_bfloat16_logits_are_sampled_and_reported_in_full_precision() -> None:
    logits = torch.from_numpy(some_logits(2)).bfloat16()
    state = SamplingState(TokenSampling(num_logprobs=1), NO_PROMPT)
    sampled = sampler_of(1).sample(logits.clone().unsqueeze(0), [state])
    exact = logits.double().numpy()
    expected = float(exact.max() - np.log(np.exp(exact).sum()))
    assert sampled.logprobs[0] is not None
    assert sampled.logprobs[0].logprob == pytest.approx(expected, abs=1e-5)


def test_logits_that_are_not_numbers_are_told_row_by_row() -> None:
    logits = torch.zeros(3, VOCAB)
    logits[1, 4] = float("nan")
    states = [SamplingState(TokenSampling(temperature=t), NO_PROMPT) for t in (0.0, 0.0, 1.0)]
    assert sampler_of(3).sample(logits, states).broken == (1,)


def test_a_grammar_hears_of_each_token_that_joins_the_answer() -> None:
    grammar = OnlyThese({3, 8})
    state = SamplingState(TokenSampling(constraint=grammar), NO_PROMPT)
    token = sampler_of(1).sample(torch.from_numpy(some_logits(1))[None], [state]).tokens[0]
    state.observe(token)
    assert grammar.taken == [token]
    assert token in {3, 8}


def test_a_grammar_that_gives_up_breaks_its_own_row_only() -> None:
    class Broken(OnlyThese):
        def write_mask(self, words: np.ndarray[Any, Any]) -> None:
            raise RuntimeError("too complex")

    grammars = [None, Broken({1}), OnlyThese({4})]
    states = [SamplingState(TokenSampling(constraint=grammar), NO_PROMPT) for grammar in grammars]
    sampled = sampler_of(3).sample(torch.zeros(3, VOCAB), states)
    assert sampled.broken == (1,)
    assert sampled.tokens[2] == 4
