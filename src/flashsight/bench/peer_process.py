"""The process in which transformers answers: `python -m flashsight.bench.peer_process FOLDER DTYPE DEVICE`.

A line of JSON in, {"picture": base64, "ids", "num_tokens"}; a line out, {"first_seconds", "total_seconds",
"num_tokens"}. The first line out says that the weights are read. A line may be {"error"} instead.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from flashsight.engine.process import tune_process


class Peer:
    """Glm4vForConditionalGeneration.generate on a checkpoint in Hugging Face layout."""

    def __init__(self, folder: str, dtype: torch.dtype, device: str) -> None:
        from transformers import Glm4vForConditionalGeneration
        from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil

        self._processor = Glm46VImageProcessorPil.from_pretrained(folder)
        self._model = Glm4vForConditionalGeneration.from_pretrained(folder, dtype=dtype).to(device).eval()
        self._device = device

    def answer(self, picture: bytes, ids: list[int], num_tokens: int) -> dict[str, Any]:
        """Answer with exactly num_tokens greedy tokens and say how long it took, from the JPEG's bytes on."""
        clock = _FirstToken(time.perf_counter())
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        inputs = self._processor(images=[image], return_tensors="pt")
        tokens = torch.tensor([ids])
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
        total = time.perf_counter() - clock.start
        num_new = output.shape[1] - tokens.shape[1]
        return {"first_seconds": clock.first_seconds or total, "total_seconds": total, "num_tokens": num_new}


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


def main(folder: str, dtype: str, device: str) -> None:
    """Answer until the input ends."""
    say = _only_voice()
    tune_process()
    try:
        peer = Peer(folder, getattr(torch, dtype), device)
    except ImportError:
        say({"error": "the peer needs transformers: pip install 'flashsight[compare]'"})
        return
    say({"ready": True})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        say(peer.answer(base64.b64decode(asked["picture"]), asked["ids"], asked["num_tokens"]))


def _only_voice() -> Callable[[dict[str, Any]], None]:
    """Return what writes a line to the standard output, which everybody else's words no longer reach."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(told: dict[str, Any]) -> None:
        lines.write(json.dumps(told) + "\n")
        lines.flush()

    return say


if __name__ == "__main__":
    main(*sys.argv[1:])
