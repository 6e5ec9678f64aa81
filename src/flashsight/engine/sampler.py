"""Draws the next token of every sampled row of a step in one pass. Knows logits and token ids: no blocks, no text.

A row's scores are made in this order: repetition penalty on the raw logit (over prompt and answer, Keskar et al. 2019,
https://arxiv.org/abs/1909.05858), presence and frequency penalties (over the answer only, as OpenAI defines them),
logit_bias, banned ids, grammar. Logprobs speak of these scores. Drawing then divides by the temperature and cuts by
top_k, top_p (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751, over what top_k left) and min_p (Nguyen et al.
2024, https://arxiv.org/abs/2407.01082). A row depends on its own scores and generator, never on its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flashsight.core.types import TokenConstraint, TokenLogprob, TokenSampling
from flashsight.engine.device import Stamp
from flashsight.engine.greedy import is_greedy

_LARGEST_DRAW = 1.0 - 2.0**-23
"""A draw times a float32 total must stay below the total, or a token of probability 0 could be met."""
_MOST_BANNED = 16
"""Sets of banned ids whose masks are kept."""
_HEAD = 256
"""Likeliest tokens that are looked at before all of them are sorted."""


class SamplingState:
    """What the sampler remembers of one sequence: its settings, its generator, the tokens it has seen.

    It lives as long as the sequence and survives preemption, so that a seeded answer is the same after it.
    """

    def __init__(self, sampling: TokenSampling, prompt_ids: NDArray[np.int64]) -> None:
        self.sampling = sampling
        self.is_greedy = is_greedy(sampling)
        self.is_truncated = sampling.top_k > 0 or sampling.top_p < 1 or sampling.min_p > 0
        self.is_counting = (
            sampling.repetition_penalty != 1 or sampling.presence_penalty != 0 or sampling.frequency_penalty != 0
        )
        self.error: Exception | None = None
        """Why the grammar gave up, if it did; the sequence cannot go on."""
        self._generator: np.random.Generator | None = None
        if not self.is_greedy:
            seed = None if sampling.seed is None else sampling.seed % 2**64
            self._generator = np.random.Generator(np.random.PCG64(seed))
        self._place_of: dict[int, int] = {}
        self._seen = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)
        if self.is_counting:
            self._remember_prompt(prompt_ids)

    @property
    def constraint(self) -> TokenConstraint | None:
        """The grammar at work on this sequence, if any."""
        return self.sampling.constraint

    @property
    def is_complete(self) -> bool:
        """True when the grammar allows nothing more but the end."""
        return self.sampling.constraint is not None and self.sampling.constraint.is_finished

    def observe(self, token: int) -> None:
        """Take the token that was drawn and belongs to the answer: counts it and moves the grammar on."""
        if self.is_counting:
            place = self._place_of.setdefault(token, len(self._place_of))
            if place >= len(self._seen):
                self._seen, self._counts = _grown(self._seen), _grown(self._counts)
            self._seen[place] = token
            self._counts[place] += 1
        if self.sampling.constraint is not None:
            try:
                self.sampling.constraint.advance(token)
            except Exception as error:
                self.error = error

    def draw(self) -> float:
        """A uniform number of [0, 1), the next one of this sequence's own generator."""
        assert self._generator is not None, "a greedy sequence draws nothing"
        return min(self._generator.random(), _LARGEST_DRAW)

    def penalties(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids seen so far, each once, and what presence and frequency take off their scores."""
        num_seen = len(self._place_of)
        counts = self._counts[:num_seen]
        taken = counts * self.sampling.frequency_penalty + (counts > 0) * self.sampling.presence_penalty
        return self._seen[:num_seen], taken.astype(np.float32)

    def _remember_prompt(self, prompt_ids: NDArray[np.int64]) -> None:
        if self.sampling.repetition_penalty == 1:
            return
        self._seen = np.unique(prompt_ids)
        self._counts = np.zeros_like(self._seen)
        self._place_of = {int(token): place for place, token in enumerate(self._seen)}


def _grown(row: NDArray[np.int64]) -> NDArray[np.int64]:
    wider = np.zeros(max(16, 2 * len(row)), np.int64)
    wider[: len(row)] = row
    return wider


@dataclass(frozen=True, slots=True)
class Sampled:
    """The outcome of one step, row by row.

    logprobs and tops hold None and () for rows that did not ask. `broken` lists rows whose scores are not numbers or
    allow no token at all; their token means nothing.
    """

    tokens: list[int]
    logprobs: list[TokenLogprob | None]
    tops: list[tuple[TokenLogprob, ...]]
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tokens of a step on their way to the host.

    tokens: [N] on the device, where the next step may read them before anybody else does.
    """

    tokens: Tensor
    ended: Stamp
    _found: Tensor
    _reported: Tensor | None
    _batch: _Batch

    def read(self) -> Sampled:
        """Wait for the tokens."""
        self.ended.wait()
        numbers, peaks = self._found.tolist()
        tokens = [int(number) for number in numbers]
        logprobs: list[TokenLogprob | None] = [None] * len(tokens)
        tops: list[tuple[TokenLogprob, ...]] = [()] * len(tokens)
        reported = [] if self._reported is None else self._reported.tolist()
        for row, (chosen, *best) in zip(self._batch.reporting, reported, strict=True):
            num_top = self._batch.states[row].sampling.num_logprobs or 0
            values, ids = best[: len(best) // 2], best[len(best) // 2 :]
            pairs = list(zip(ids, values, strict=True))[:num_top]
            logprobs[row] = TokenLogprob(token=tokens[row], logprob=chosen)
            tops[row] = tuple(TokenLogprob(token=int(i), logprob=value) for i, value in pairs if value > -math.inf)
        broken = tuple(row for row, peak in enumerate(peaks) if not math.isfinite(peak))
        return Sampled(tokens, logprobs, tops, broken)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What stays the same from step to step while the same sequences are sampled, as tensors."""

    states: tuple[SamplingState, ...]
    bias_places: Tensor | None
    bias_values: Tensor
    banned: Tensor | None
    counting: tuple[int, ...]
    constrained: tuple[int, ...]
    constrained_rows: Tensor
    plain: _Draws | None
    truncated: _Draws | None
    reporting: tuple[int, ...]
    reporting_rows: Tensor
    num_top: int

    @property
    def is_greedy_only(self) -> bool:
        return not (self.plain or self.truncated or self.counting or self.reporting or self.bias_places is not None)


@dataclass(frozen=True, slots=True)
class _Draws:
    """The rows drawn in one way and their settings, each [n, 1]."""

    states: tuple[SamplingState, ...]
    rows: Tensor
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor
    largest_top_k: int


class Sampler:
    """Samples steps of up to max_sequences rows over a vocabulary of vocab_size ids on one device."""

    def __init__(self, *, vocab_size: int, max_sequences: int, device: torch.device) -> None:
        self._vocab_size = vocab_size
        self._device = device
        self._words = np.zeros((max_sequences, -(-vocab_size // 32)), np.int32)
        self._shifts = torch.arange(32, dtype=torch.int32, device=device)
        self._none = torch.empty(0, device=device)
        """In place of rows and values of what nobody asks for; never read."""
        self._batch: _Batch | None = None
        self._banned: dict[int, tuple[tuple[int, ...], Tensor]] = {}

    def sample(self, logits_NV: Tensor, states: Sequence[SamplingState]) -> Sampled:
        """Draw one token for each row; the logits are overwritten. Observing the tokens is left to the caller."""
        return self.draw(logits_NV, states).read()

    @torch.inference_mode()
    def draw(self, logits_NV: Tensor, states: Sequence[SamplingState]) -> Drawn:
        """The same without waiting for the device, unless a row is cut by top_k, top_p or min_p."""
        batch = self._batch_of(tuple(states))
        scores_NV = logits_NV if batch.is_greedy_only else logits_NV.float()
        self._edit(scores_NV, batch)
        peaks_N, tokens_N = scores_NV.max(dim=-1)
        for draws, choose in ((batch.plain, _choose_plain), (batch.truncated, _choose_truncated)):
            if draws is not None:
                tokens_N[draws.rows] = choose(scores_NV.index_select(0, draws.rows), self._uniforms(draws), draws)
        # One copy back, and so one wait for the device; a float holds every id that a vocabulary has.
        found = self._on_host(torch.stack((tokens_N.to(peaks_N.dtype), peaks_N)))
        reported = self._reported(scores_NV, tokens_N, batch)
        return Drawn(tokens_N, Stamp(self._device), found, reported, batch)

    # --- what stays between steps ------------------------------------------------------------------------------

    def _batch_of(self, states: tuple[SamplingState, ...]) -> _Batch:
        if self._batch is None or self._batch.states != states:
            self._batch = self._plan(states)
        return self._batch

    def _plan(self, states: tuple[SamplingState, ...]) -> _Batch:
        rows = range(len(states))
        bias = [(row, *pair) for row in rows for pair in states[row].sampling.logit_bias]
        constrained = tuple(row for row in rows if states[row].constraint is not None)
        reporting = tuple(row for row in rows if states[row].sampling.num_logprobs is not None)
        random = [row for row in rows if not states[row].is_greedy]
        return _Batch(
            states=states,
            bias_places=self._ints([row * self._vocab_size + token for row, token, _ in bias]) if bias else None,
            bias_values=self._floats([value for _, _, value in bias]) if bias else self._none,
            banned=self._banned_of([state.sampling.banned_ids for state in states]),
            counting=tuple(row for row in rows if states[row].is_counting),
            constrained=constrained,
            constrained_rows=self._ints(constrained) if constrained else self._none,
            plain=self._draws_of(states, [row for row in random if not states[row].is_truncated]),
            truncated=self._draws_of(states, [row for row in random if states[row].is_truncated]),
            reporting=reporting,
            reporting_rows=self._ints(reporting) if reporting else self._none,
            num_top=max((states[row].sampling.num_logprobs or 0 for row in reporting), default=0),
        )

    def _banned_of(self, banned: Sequence[tuple[int, ...]]) -> Tensor | None:
        """Return which ids of which row are never drawn, [N, V], or [1, V] where all rows ban the same."""
        if not any(banned):
            return None
        rows = banned[:1] if all(ids is banned[0] for ids in banned) else banned
        masks = [self._mask_of(ids) for ids in rows]
        return masks[0].unsqueeze(0) if len(masks) == 1 else torch.stack(masks)

    def _mask_of(self, ids: tuple[int, ...]) -> Tensor:
        """Return [V], made once for one tuple: requests share a few, of up to a vocabulary's length."""
        known = self._banned.get(id(ids))
        if known is None:
            mask_V = torch.zeros(self._vocab_size, dtype=torch.bool, device=self._device)
            known = (ids, mask_V.index_fill_(0, self._ints(ids), True))
            if len(self._banned) >= _MOST_BANNED:
                self._banned.clear()
            self._banned[id(ids)] = known  # which keeps the tuple, and so its id
        return known[1]

    def _draws_of(self, states: tuple[SamplingState, ...], rows: list[int]) -> _Draws | None:
        if not rows:
            return None
        chosen = tuple(states[row] for row in rows)
        settings = [state.sampling for state in chosen]
        top_k = [min(setting.top_k or self._vocab_size, self._vocab_size) for setting in settings]
        return _Draws(
            states=chosen,
            rows=self._ints(rows),
            temperature=self._floats([setting.temperature for setting in settings]).unsqueeze(1),
            top_k=self._ints(top_k).unsqueeze(1),
            top_p=self._floats([setting.top_p for setting in settings]).unsqueeze(1),
            min_p=self._floats([setting.min_p for setting in settings]).unsqueeze(1),
            largest_top_k=max((setting.top_k for setting in settings if setting.top_k < self._vocab_size), default=0),
        )

    # --- scores ------------------------------------------------------------------------------------------------

    def _edit(self, scores_NV: Tensor, batch: _Batch) -> None:
        flat = scores_NV.view(-1)
        if batch.counting:
            self._penalise(flat, batch)
        if batch.bias_places is not None:
            flat.index_add_(0, batch.bias_places, batch.bias_values)
        if batch.banned is not None:
            scores_NV.masked_fill_(batch.banned, -math.inf)
        if batch.constrained:
            allowed_NV = self._allowed(batch)
            kept_NV = scores_NV.index_select(0, batch.constrained_rows).masked_fill_(~allowed_NV, -math.inf)
            scores_NV.index_copy_(0, batch.constrained_rows, kept_NV)

    def _penalise(self, flat: Tensor, batch: _Batch) -> None:
        places, factors, taken = [], [], []
        for row in batch.counting:
            ids, off = batch.states[row].penalties()
            places.append(ids + row * self._vocab_size)
            taken.append(off)
            factors.append(np.full(len(ids), batch.states[row].sampling.repetition_penalty, np.float32))
        at = self._on_device(np.concatenate(places))
        factor, off_scores = self._on_device(np.concatenate(factors)), self._on_device(np.concatenate(taken))
        seen = flat.index_select(0, at)
        flat.index_copy_(0, at, torch.where(seen > 0, seen / factor, seen * factor) - off_scores)

    def _allowed(self, batch: _Batch) -> Tensor:
        words = self._words[: len(batch.constrained)]
        for place, row in enumerate(batch.constrained):
            constraint = batch.states[row].constraint
            assert constraint is not None, "a constrained row has a constraint"
            try:
                constraint.write_mask(words[place])
            except Exception as error:
                # A grammar that gives up must not take its neighbours along: its row is broken, theirs are not.
                batch.states[row].error = error
                words[place] = 0
        bits = (self._on_device(words).unsqueeze(-1) >> self._shifts) & 1
        return bits.flatten(1)[:, : self._vocab_size].bool()

    # --- logprobs ----------------------------------------------------------------------------------------------

    def _reported(self, scores_NV: Tensor, tokens_N: Tensor, batch: _Batch) -> Tensor | None:
        """Send each reporting row's own logprob, the best logprobs and their ids to the host: [n, 1 + 2 best]."""
        if not batch.reporting:
            return None
        all_NV = torch.log_softmax(scores_NV.index_select(0, batch.reporting_rows), dim=-1)
        chosen_N1 = all_NV.gather(1, tokens_N.index_select(0, batch.reporting_rows).unsqueeze(1))
        best = all_NV.topk(min(batch.num_top, self._vocab_size), dim=-1)
        return self._on_host(torch.cat((chosen_N1, best.values, best.indices.to(chosen_N1.dtype)), dim=1))

    # --- tensors -----------------------------------------------------------------------------------------------

    def _uniforms(self, draws: _Draws) -> Tensor:
        return self._floats([state.draw() for state in draws.states]).unsqueeze(1)

    def _on_host(self, tensor: Tensor) -> Tensor:
        """Return a copy that is there when everything launched so far is done; on a CPU the tensor itself."""
        if self._device.type == "cpu":
            return tensor
        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)

    def _ints(self, numbers: Sequence[int] | NDArray[np.int64]) -> Tensor:
        return self._on_device(np.asarray(numbers, np.int64))

    def _floats(self, numbers: Sequence[float]) -> Tensor:
        return self._on_device(np.asarray(numbers, np.float32))

    def _on_device(self, numbers: NDArray[Any]) -> Tensor:
        """Return a copy; from pinned memory to a GPU: a copy from other memory would wait for the whole step."""
        tensor = torch.from_numpy(numbers)
        if self._device.type == "cpu" or not numbers.size:
            return tensor.to(self._device, copy=True)
        return tensor.pin_memory().to(self._device, non_blocking=True)


def _choose_plain(scores_NV: Tensor, uniforms_N1: Tensor, draws: _Draws) -> Tensor:
    """Inverse transform sampling over the whole vocabulary, in the order of the ids."""
    return _invert(_softmax(scores_NV, draws.temperature), uniforms_N1).squeeze(1)


def _choose_truncated(scores_NV: Tensor, uniforms_N1: Tensor, draws: _Draws) -> Tensor:
    """The same over what the cuts leave, likeliest first: only a prefix of that order ever survives them."""
    num_ids = scores_NV.shape[1]
    probs_NV = _softmax(scores_NV, draws.temperature)
    ordered_NV, ids_NV = probs_NV.topk(min(max(_HEAD, draws.largest_top_k), num_ids), dim=-1)
    if not _cuts_within(ordered_NV, draws):
        ordered_NV, ids_NV = probs_NV.sort(dim=-1, descending=True, stable=True)
    ranks_V = torch.arange(ordered_NV.shape[1], device=scores_NV.device)
    is_below_NV = ranks_V >= draws.top_k
    ordered_NV = ordered_NV.masked_fill(is_below_NV, 0.0)
    before_NV = ordered_NV.cumsum(dim=-1) - ordered_NV
    total_N1 = torch.where(draws.top_k < num_ids, ordered_NV.sum(dim=-1, keepdim=True), 1.0)
    cut_NV = (before_NV >= draws.top_p * total_N1) | (ordered_NV < draws.min_p * ordered_NV[:, :1])
    cut_NV[:, 0] = False
    places_N1 = _invert(ordered_NV.masked_fill_(cut_NV, 0.0), uniforms_N1)
    return ids_NV.gather(1, places_N1).squeeze(1)


def _cuts_within(head_NV: Tensor, draws: _Draws) -> bool:
    """True if every row's cuts fall within its likeliest tokens, so that the whole vocabulary needs no sorting."""
    mass_N1, last_N1, first_N1 = head_NV.sum(dim=-1, keepdim=True), head_NV[:, -1:], head_NV[:, :1]
    is_within_N1 = (draws.top_k <= head_NV.shape[1]) | (mass_N1 >= draws.top_p) | (last_N1 < draws.min_p * first_N1)
    return bool(is_within_N1.all())


def _softmax(scores_NV: Tensor, temperature_N1: Tensor) -> Tensor:
    # The peak comes off first: a tiny temperature would overflow float32 otherwise.
    return torch.softmax((scores_NV - scores_NV.amax(dim=-1, keepdim=True)) / temperature_N1, dim=-1)


def _invert(weights_NV: Tensor, uniforms_N1: Tensor) -> Tensor:
    cumulated_NV = weights_NV.cumsum(dim=-1)
    targets_N1 = uniforms_N1 * cumulated_NV[:, -1:]
    return torch.searchsorted(cumulated_NV, targets_N1, right=True).clamp_(max=weights_NV.shape[1] - 1)
