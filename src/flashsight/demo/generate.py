"""Greedy answers to many questions about drawn pictures at once, for measuring. Knows no truth and no score.

It asks as a server would: each question alone with its pictures, GLM's template, thinking off. Questions about one
picture share what was computed of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.demo.attention import Memory
from flashsight.demo.augment import Handling
from flashsight.demo.packing import Packer
from flashsight.demo.recipe import MERGE, PATCH
from flashsight.demo.sample import Sample
from flashsight.models.attention.sdpa import SdpaPictures
from flashsight.models.glm4v.model import Glm4v
from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.tokenizer import Tokenizer

AT_ONCE = {False: 32, True: 96}  # samples of a batch: on a CPU, on a GPU
DROPPED_EVERY = 8  # steps: then answers that are over leave the batch


class Answerer:
    """Answers every pair's question of samples."""

    def __init__(
        self,
        model: Glm4v,
        tokenizer: Tokenizer,
        packer: Packer,
        *,
        max_tokens: int = 192,
        show: Callable[[Sample], Sample] = lambda sample: sample,
    ) -> None:
        """show: a sample as the model is shown it; pictures of equal sizes stay equal."""
        self._model, self._tokenizer, self._packer, self._max_tokens = model, tokenizer, packer, max_tokens
        self._show = show
        self._handling = Handling(model.device, 0)
        self._stops = torch.tensor(sorted(tokenizer.stop_ids), device=model.device)
        self._banned = torch.tensor(tokenizer.banned_ids(model.shape.vocab_size), device=model.device, dtype=torch.long)

    def answers(self, samples: Sequence[Sample]) -> dict[tuple[int, int], str]:
        """Return the answer to pair p of sample s under (s, p)."""
        return dict(self.told(samples))

    def told(self, samples: Sequence[Sample]) -> Iterator[tuple[tuple[int, int], str]]:
        """Yield the answers batch by batch, each as ((sample, pair), text); samples of one size share a batch."""
        at_once = AT_ONCE[self._model.device.type == "cuda"]
        kinds: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, sample in enumerate(samples):
            kinds[len(sample.pictures), *sample.pictures[0].shape[:2]].append(number)
        for numbers in kinds.values():
            for start in range(0, len(numbers), at_once):
                yield from self._batch(samples, numbers[start : start + at_once])

    @torch.inference_mode()
    def _batch(self, samples: Sequence[Sample], numbers: Sequence[int]) -> Iterator[tuple[tuple[int, int], str]]:
        shown = [self._show(samples[number]) for number in numbers]
        side = PATCH * MERGE
        sizes = [(picture.shape[0] // side, picture.shape[1] // side) for picture in shown[0].pictures]
        memory, length, delta = self._look(shown, sizes)
        asked = [(row, pair) for row, number in enumerate(numbers) for pair in range(len(samples[number].pairs))]
        memory.choose(torch.tensor([row for row, _ in asked], device=self._model.device))
        prompts = [self._packer.prompt(sizes, samples[numbers[row]].pairs[pair].question) for row, pair in asked]
        told = self._tell(memory, [prompt[length:] for prompt in prompts], length, delta)
        return zip([(numbers[row], pair) for row, pair in asked], map(self._tokenizer.decode, told), strict=True)

    def _look(self, samples: Sequence[Sample], sizes: Sequence[tuple[int, int]]) -> tuple[Memory, int, int]:
        """Read what every question of these samples begins with; return it, its length and the positions' delta."""
        device = self._model.device
        shared = self._packer.shared(sizes)
        ids = torch.tensor(shared, device=device).repeat(len(samples))
        hidden_TC = self._model.embed(ids)
        features_MC = self._encode(samples)
        hidden_TC[ids == self._packer.picture_token] = features_MC.to(hidden_TC.dtype)
        positions, delta = self._positions(shared, sizes)
        memory = Memory(self._model.shape.num_layers)
        memory.begin(torch.zeros(len(samples), dtype=torch.long, device=device), len(shared))
        self._model(hidden_TC, positions.to(device).repeat(1, len(samples)), memory)
        return memory, len(shared), delta

    def _encode(self, samples: Sequence[Sample]) -> Tensor:
        pixels = torch.from_numpy(np.stack([picture for sample in samples for picture in sample.pictures]))
        num, height, width, _ = pixels.shape
        patches_PK = self._handling.patches(pixels.to(self._model.device).float() / 255).to(self._model.dtype)
        grids = [Grid(t=1, h=height // PATCH, w=width // PATCH)] * num
        return self._model.encode(patches_PK, grids, SdpaPictures())

    def _tell(self, memory: Memory, rests: Sequence[list[int]], num_shared: int, delta: int) -> list[list[int]]:
        """Return the new ids of each question, whose ids after the shared ones are given, without what ended it."""
        device, width = self._model.device, max(map(len, rests))
        ids = torch.tensor([[*rest, *[0] * (width - len(rest))] for rest in rests], device=device)
        lengths = num_shared + torch.tensor([len(rest) for rest in rests], device=device)
        memory.begin(torch.full_like(lengths, num_shared), width)
        positions = torch.arange(num_shared, num_shared + width, device=device) + delta
        hidden_TC = self._model(self._model.embed(ids.flatten()), positions.repeat(3, len(rests)), memory)
        last = torch.arange(len(rests), device=device) * width + lengths - num_shared - 1
        tokens = self._pick(hidden_TC[last])
        told: list[list[int]] = [[] for _ in rests]
        rows, said = torch.arange(len(rests), device=device), []
        for step in range(1, self._max_tokens + 1):
            said.append(tokens)
            if step % DROPPED_EVERY == 0 or step == self._max_tokens:
                going = self._keep(told, rows.tolist(), torch.stack(said, dim=1))
                rows, tokens, lengths, said = rows[going], tokens[going], lengths[going], []
                memory.choose(going)
                if not len(rows):
                    break
            memory.begin(lengths, 1)
            hidden_BC = self._model(self._model.embed(tokens), (lengths + delta).repeat(3, 1), memory)
            tokens, lengths = self._pick(hidden_BC), lengths + 1
        return told

    def _keep(self, told: list[list[int]], rows: Sequence[int], said_BN: Tensor) -> Tensor:
        """Add the latest ids to the answers of these rows; return which of the rows go on."""
        is_stop = torch.isin(said_BN, self._stops).tolist()
        going = []
        for place, (row, ids, stops) in enumerate(zip(rows, said_BN.tolist(), is_stop, strict=True)):
            told[row] += ids[: stops.index(True)] if True in stops else ids
            if True not in stops:
                going.append(place)
        return torch.tensor(going, dtype=torch.long, device=said_BN.device)

    def _pick(self, hidden_NC: Tensor) -> Tensor:
        return self._model.logits(hidden_NC).index_fill(1, self._banned, -torch.inf).argmax(-1)

    def _positions(self, shared: list[int], sizes: Sequence[tuple[int, int]]) -> tuple[Tensor, int]:
        token = self._packer.picture_token
        starts = [place for place, id_ in enumerate(shared) if id_ == token and shared[place - 1] != token]
        spans = [PictureSpan(start=s, rows=rows, columns=cols) for s, (rows, cols) in zip(starts, sizes, strict=True)]
        positions, delta = mrope_positions(len(shared), spans)
        return torch.from_numpy(positions), delta
