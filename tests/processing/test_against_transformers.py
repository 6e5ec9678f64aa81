"""A whole conversation, prepared here and by transformers' own parts, on the tiny checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast
from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil

from flashsight.core.config import MediaConfig
from flashsight.core.types import Caller, Conversation, Media, Message, PicturePart, Salt, TextPart
from flashsight.processing.media import MediaGate
from flashsight.processing.pixels import PixelPath
from flashsight.processing.processor import Processor

from .pictures import encoded, scene

SIZES = [(400, 300), (90, 500), (336, 336)]
TEXT = (
    "[gMASK]<sop><|system|>\n只说事实。<|user|>\n"
    "<|begin_of_image|><|image|><|end_of_image|>What is this? <|begin_of_image|><|image|><|end_of_image|>/nothink"
    "<|assistant|>\n<think></think>\nA red cup.<|user|>\n"
    "And here?<|begin_of_image|><|image|><|end_of_image|>\n/nothink<|assistant|>\n<think></think>\n"
)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [scene(*size, seed=seed) for seed, size in enumerate(SIZES)]


def conversation(media: list[Media]) -> Conversation:
    parts = [PicturePart(media=one) for one in media]
    messages = (
        Message(role="system", parts=(TextPart(text="只说事实。"),)),
        Message(role="user", parts=(parts[0], TextPart(text="What is this? "), parts[1])),
        Message(role="assistant", parts=(TextPart(text="A red cup."),)),
        Message(role="user", parts=(TextPart(text="And here?"), parts[2], TextPart(text="\n"))),
    )
    return Conversation(messages=messages, caller=Caller(name="t", salt=Salt(b"")), request_id="r")


def test_ids_positions_and_patches_equal_those_of_transformers(
    tiny_checkpoint: Path, tiny_reference: Any, pictures: list[Image.Image]
) -> None:
    images = Glm46VImageProcessorPil.from_pretrained(tiny_checkpoint)(images=pictures, return_tensors="pt")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tiny_checkpoint / "tokenizer.json"))
    grids = images["image_grid_thw"]
    placeholder = tokenizer.convert_tokens_to_ids("<|image|>")
    counts = iter((grids.prod(-1) // 4).tolist())
    expected: list[int] = []
    for token in tokenizer.backend_tokenizer.encode(TEXT, add_special_tokens=False).ids:
        expected.extend([token] * next(counts) if token == placeholder else [token])
    ids = torch.tensor([expected])
    kinds = (ids == placeholder).int()
    positions, delta = tiny_reference.model.get_rope_index(ids, kinds, image_grid_thw=grids)

    async def admit() -> list[Media]:
        gate = MediaGate(MediaConfig())
        return [await gate.admit_bytes(encoded(picture)) for picture in pictures]

    processor = Processor(tiny_checkpoint, MediaConfig())
    prompt = processor.prepare(conversation(asyncio.run(admit())))
    assert prompt.ids.tolist() == expected
    assert np.array_equal(prompt.positions, positions[:, 0].numpy())
    assert prompt.delta == int(delta)

    path = PixelPath(processor.settings)
    found = torch.cat([path(torch.tensor(one.load()), one.resized) for one in prompt.pictures])
    patches = images["pixel_values"].reshape(-1, 3, 2, 196)[:, :, 0].flatten(1)
    assert [[1, one.grid.h, one.grid.w] for one in prompt.pictures] == grids.tolist()
    assert found.shape == patches.shape
    assert (found - patches).abs().max() < 0.031
    assert (found - patches).abs().mean() < 0.001


def test_the_checkpoint_inside_the_package_prepares_prompts() -> None:
    import flashsight

    files = Path(flashsight.__file__).parent / "assets" / "nano"
    processor = Processor(files, MediaConfig())
    message = Message(role="user", parts=(TextPart(text="请描述这张图片的内容"),))
    asked = Conversation(messages=(message,), caller=Caller(name="t", salt=Salt(b"")), request_id="r")
    text = processor.tokenizer.decode(processor.prepare(asked).ids.tolist(), keep_special=True)
    assert text == "[gMASK]<sop><|user|>\n请描述这张图片的内容/nothink<|assistant|>\n<think></think>\n"
    assert {processor.tokenizer.special[name] for name in ("<|endoftext|>", "<|user|>")} < processor.tokenizer.stop_ids
