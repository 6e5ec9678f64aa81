"""Greedy answers to many questions about drawn pictures at once, for measuring. Knows no truth and no score.

It asks as a server would: each question alone with its pictures, GLM's template, thinking off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from flashsight.core.types import Grid
from flashsight.demo.attention import Decoding, EqualPictures
from flashsight.demo.augment import Handling
from flashsight.demo.packing import Packer
from flashsight.demo.recipe import MERGE, PATCH
from flashsight.demo.sample import Sample
from flashsight.models.glm4v.model import Glm4v
from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.tokenizer import Tokenizer


class Answerer:
    """Answers every pair's question of samples."""

    def __init__(self, model: Glm4v, tokenizer: Tokenizer, packer: Packer, *, max_tokens: int = 192) -> None:
        self._model, self._tokenizer, self._packer, self._max_tokens = model, tokenizer, packer, max_tokens
        self._handling = Handling(model.device, 0)
        self._attend_pictures = EqualPictures()
        model.vision.attend = self._attend_pictures
        self._stops = torch.tensor(sorted(tokenizer.stop_ids), device=model.device)
        self._banned = torch.tensor(tokenizer.banned_ids(model.shape.vocab_size), device=model.device, dtype=torch.long)

    def answers(self, samples: Sequence[Sample], *, at_once: int = 32) -> dict[tuple[int, int], str]:
        """Return the answer to pair p of sample s under (s, p); `at_once` samples of one size share a batch."""
        kinds: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, sample in enumerate(samples):
            kinds[len(sample.pictures), *sample.pictures[0].shape[:2]].append(number)
        found: dict[tuple[int, int], str] = {}
        for numbers in kinds.values():
            for start in range(0, len(numbers), at_once):
                found.update(self._batch(samples, numbers[start : start + at_once]))
        return found

    @torch.inference_mode()
    def _batch(self, samples: Sequence[Sample], numbers: Sequence[int]) -> Iterator[tuple[tuple[int, int], str]]:
        features_SMC = self._encode([samples[number] for number in numbers])
        asked = [(row, pair) for row, number in enumerate(numbers) for pair in range(len(samples[number].pairs))]
        first = samples[numbers[0]]
        side = PATCH * MERGE
        sizes = [(picture.shape[0] // side, picture.shape[1] // side) for picture in first.pictures]
        prompts = [self._packer.prompt(sizes, samples[numbers[row]].pairs[pair].question) for row, pair in asked]
        rows = torch.tensor([row for row, _ in asked], device=self._model.device)
        told = self._generate(prompts, sizes, features_SMC[rows].flatten(0, 1))
        return zip([(numbers[row], pair) for row, pair in asked], map(self._tokenizer.decode, told), strict=True)

    def _encode(self, samples: Sequence[Sample]) -> Tensor:
        pixels = torch.from_numpy(np.stack([picture for sample in samples for picture in sample.pictures]))
        num, height, width, _ = pixels.shape
        patches_PK = self._handling.patches(pixels.to(self._model.device).float() / 255).to(self._model.dtype)
        self._attend_pictures.num_pictures = num
        features_MC = self._model.encode(patches_PK, [Grid(t=num, h=height // PATCH, w=width // PATCH)])
        features_SMC: Tensor = features_MC.unflatten(0, (len(samples), -1))
        return features_SMC

    def _generate(
        self, prompts: Sequence[list[int]], sizes: Sequence[tuple[int, int]], features_MC: Tensor
    ) -> list[list[int]]:
        """Return the new ids of each prompt, without the id that ended it."""
        device, shape = self._model.device, self._model.shape
        width = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[0] * (width - len(prompt))] for prompt in prompts], device=device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        positions, delta = self._positions(prompts[0], sizes, width)
        attend = Decoding(
            lengths,
            num_layers=shape.num_layers,
            num_kv_heads=shape.num_kv_heads,
            head_size=shape.head_size,
            room=width + self._max_tokens,
            dtype=self._model.dtype,
        )
        hidden_TC = self._model.embed(ids.flatten())
        hidden_TC[ids.flatten() == self._packer.picture_token] = features_MC.to(hidden_TC.dtype)
        hidden_TC = self._model(hidden_TC, positions.to(device).repeat(1, len(prompts)), attend)
        last = torch.arange(len(prompts), device=device) * width + lengths - 1
        tokens, told = self._pick(hidden_TC[last]), []
        is_over = torch.isin(tokens, self._stops)
        for step in range(self._max_tokens):
            told.append(torch.where(is_over, -1, tokens))
            if step % 8 == 7 and bool(is_over.all()):
                break
            attend.advance()
            hidden_BC = self._model(self._model.embed(tokens), (lengths + step + delta).repeat(3, 1), attend)
            tokens = self._pick(hidden_BC)
            is_over |= torch.isin(tokens, self._stops)
        return [[token for token in row if token >= 0] for row in torch.stack(told, dim=1).tolist()]

    def _pick(self, hidden_NC: Tensor) -> Tensor:
        return self._model.logits(hidden_NC).index_fill(1, self._banned, -torch.inf).argmax(-1)

    def _positions(self, prompt: list[int], sizes: Sequence[tuple[int, int]], width: int) -> tuple[Tensor, int]:
        begins = [place for place, token in enumerate(prompt[:-1]) if prompt[place + 1] == self._packer.picture_token]
        starts = [place + 1 for place in begins if prompt[place] != self._packer.picture_token]
        spans = [PictureSpan(start=s, rows=rows, columns=cols) for s, (rows, cols) in zip(starts, sizes, strict=True)]
        positions, delta = mrope_positions(width, spans)
        return torch.from_numpy(positions), delta
