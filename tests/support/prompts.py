"""Prompts for a tiny checkpoint and what transformers makes of them; positions come from transformers too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from flashsight.core.types import Grid, ModelInput, PictureInput, PictureKey, TokenSampling

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

Picture = NDArray[np.uint8]


def some_picture(seed: int, height: int = 84, width: int = 112) -> Picture:
    """A smooth picture whose sides are multiples of 28, so that nothing is resized."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def pixel_path(pixels_HWC: torch.Tensor, resized: tuple[int, int]) -> torch.Tensor:
    """Normalise and cut into patches in 2x2 squares, columns in (channel, row, column) order; crops, never resizes."""
    pixels_HWC = pixels_HWC[: resized[0], : resized[1]]
    mean, std = _constants(pixels_HWC.device)
    values = (pixels_HWC.float() / 255 - mean) / std
    h, w = resized[0] // 28, resized[1] // 28
    squares = values.reshape(h, 2, 14, w, 2, 14, 3).permute(0, 3, 1, 4, 6, 2, 5)
    return squares.reshape(h * w * 4, 588)


@cache
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Made once: nothing may be copied from the host while a GPU's work is recorded."""
    return torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)


@dataclass(frozen=True)
class Prompt:
    """Text ids and pictures in order, in the terms of both sides."""

    parts: tuple[list[int] | Picture, ...]

    def ids(self, hf: Any) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids, and (start, num_tokens) of each picture among them."""
        ids: list[int] = []
        places = []
        for part in self.parts:
            if isinstance(part, list):
                ids += part
                continue
            num_tokens = part.shape[0] * part.shape[1] // 784
            ids.append(hf.config.image_start_token_id)
            places.append((len(ids), num_tokens))
            ids += [hf.config.image_token_id] * num_tokens + [hf.config.image_end_token_id]
        return ids, places

    def pictures(self) -> list[Picture]:
        return [part for part in self.parts if not isinstance(part, list)]


@lru_cache(maxsize=1)
def _processor() -> Any:
    from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil

    return Glm46VImageProcessorPil(size={"shortest_edge": 12544, "longest_edge": 9633792})


def hf_inputs(prompt: Prompt, hf: Any) -> dict[str, torch.Tensor]:
    """The arguments of transformers' forward and generate."""
    ids, _ = prompt.ids(hf)
    input_ids = torch.tensor([ids])
    inputs = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    inputs["mm_token_type_ids"] = (input_ids == hf.config.image_token_id).int()
    if prompt.pictures():
        made = _processor()(images=[Image.fromarray(p) for p in prompt.pictures()], return_tensors="pt")
        inputs |= {"pixel_values": made["pixel_values"], "image_grid_thw": made["image_grid_thw"]}
    return inputs


def model_input(prompt: Prompt, hf: Any, load: Any = None) -> ModelInput:
    """The prompt as the engine reads it. `load` wraps the loader of each picture: load(index, pixels) -> pixels."""
    ids, places = prompt.ids(hf)
    inputs = hf_inputs(prompt, hf)
    positions, delta = hf.model.get_rope_index(
        inputs["input_ids"],
        mm_token_type_ids=inputs["mm_token_type_ids"],
        image_grid_thw=inputs.get("image_grid_thw"),
        attention_mask=inputs["attention_mask"],
    )
    pictures = []
    for index, (pixels, (start, num_tokens)) in enumerate(zip(prompt.pictures(), places, strict=True)):
        height, width = pixels.shape[:2]
        pictures.append(
            PictureInput(
                key=PictureKey(hashlib.sha256(pixels.tobytes() + bytes([height // 28])).hexdigest()),
                grid=Grid(t=1, h=height // 14, w=width // 14),
                resized=(height, width),
                start=start,
                num_tokens=num_tokens,
                load=(lambda p=pixels: p) if load is None else (lambda i=index, p=pixels: load(i, p)),
            )
        )
    return ModelInput(
        ids=np.array(ids, np.int64),
        positions=positions[:, 0].numpy().astype(np.int64),
        delta=int(delta.item()),
        pictures=tuple(pictures),
    )


def special_ids(hf: Any) -> tuple[int, ...]:
    """Ids that no answer may contain."""
    config = hf.config
    return (
        config.image_start_token_id,
        config.image_end_token_id,
        config.image_token_id,
        config.video_start_token_id,
        config.video_end_token_id,
        config.video_token_id,
    )


def hf_greedy(prompt: Prompt, hf: Any, num_tokens: int) -> list[int]:
    """The greedy answer of transformers' generate, `num_tokens` long, without the ids that are banned."""
    inputs = hf_inputs(prompt, hf)
    with torch.inference_mode():
        out = hf.generate(
            **inputs,
            max_new_tokens=num_tokens,
            min_new_tokens=num_tokens,
            do_sample=False,
            suppress_tokens=list(special_ids(hf)),
            eos_token_id=None,
            pad_token_id=0,
        )
    return [int(token) for token in out[0, inputs["input_ids"].shape[1] :]]


def greedy(hf: Any, num_tokens: int) -> TokenSampling:
    """The same question to the engine."""
    return TokenSampling(max_tokens=num_tokens, banned_ids=special_ids(hf))
