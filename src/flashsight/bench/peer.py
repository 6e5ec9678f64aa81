"""The peer: transformers on the same weights and pictures, in the same process and run. Needs the extra `compare`."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from flashsight.bench.measure import Measured
from flashsight.core.errors import ConfigError
from flashsight.models.glm4v.weights import to_checkpoint
from flashsight.models.loading import LoadedModel
from flashsight.models.storage import write_checkpoint

LayOut = Callable[[bytes, str], list[int]]
"""(JPEG, prompt) -> the ids that this project reads for them."""


def export_for_peer(loaded: LoadedModel, folder: Path) -> None:
    """Write the loaded weights, in their dtype, as a plain checkpoint that transformers reads."""
    config = json.loads((loaded.files / "config.json").read_text())
    write_checkpoint(folder, to_checkpoint(loaded.model), config)
    shutil.copy(loaded.files / "preprocessor_config.json", folder)


class TransformersTarget:
    """Glm4vForConditionalGeneration.generate, one answer at a time, as its own documentation uses it.

    `folder` is a checkpoint in Hugging Face layout; `lay_out` gives a prompt's ids, so that both systems read the very
    same tokens (and the peer is spared the work of making them).
    """

    def __init__(self, folder: Path, lay_out: LayOut, *, dtype: torch.dtype, device: torch.device) -> None:
        try:
            from transformers import Glm4vForConditionalGeneration
            from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil
        except ImportError as error:
            raise ConfigError("the peer needs transformers: pip install 'flashsight[compare]'") from error
        self.name = f"transformers {str(dtype).removeprefix('torch.')}"
        self._processor = Glm46VImageProcessorPil.from_pretrained(folder)
        self._model = Glm4vForConditionalGeneration.from_pretrained(folder, dtype=dtype).to(device).eval()
        self._lay_out = lay_out
        self._device = device
        self._turn = asyncio.Lock()

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        """Measure one answer; a second client waits for its turn, because generate serves one request."""
        start = time.perf_counter()
        async with self._turn:
            return await asyncio.to_thread(self._generate, start, picture, prompt, num_tokens)

    def _generate(self, start: float, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        inputs = self._processor(images=[image], return_tensors="pt")
        tokens = torch.tensor([self._lay_out(picture, prompt)])
        clock = _FirstToken(start)
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=tokens.to(self._device),
                attention_mask=torch.ones_like(tokens).to(self._device),
                mm_token_type_ids=(tokens == self._model.config.image_token_id).int().to(self._device),
                pixel_values=inputs["pixel_values"].to(self._device),
                image_grid_thw=inputs["image_grid_thw"].to(self._device),
                max_new_tokens=num_tokens,
                min_new_tokens=num_tokens,
                do_sample=False,
                streamer=clock,
            )
        total = time.perf_counter() - start
        return Measured(
            first_seconds=clock.first_seconds or total,
            total_seconds=total,
            prompt_tokens=tokens.shape[1],
            completion_tokens=output.shape[1] - tokens.shape[1],
        )


class _FirstToken:
    """A streamer for generate: it gets the prompt first, then each token."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.first_seconds: float | None = None
        self._has_prompt = False

    def put(self, value: Any) -> None:
        if not self._has_prompt:
            self._has_prompt = True
        elif self.first_seconds is None:
            self.first_seconds = time.perf_counter() - self.start

    def end(self) -> None:
        """Nothing to close."""
