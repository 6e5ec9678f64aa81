"""A tiny model of nano's shape and hand-made samples for the tests of training."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer as FastTokenizer

import flashsight
from flashsight.demo import recipe
from flashsight.demo.packing import Packer
from flashsight.demo.sample import NUM_FEATURES, Labels, Pair, Sample
from flashsight.demo.sample import SKILLS as ALL_SKILLS
from flashsight.models.glm4v.config import Glm4vConfig, parse_config
from flashsight.processing.tokenizer import Tokenizer

NANO = Path(flashsight.__file__).parent / "assets" / "nano"
SKILLS = ("read", "icon")
CLASSES = {"char": 5, "icon": 3, "colour": 3, "level": 4, "value": 4}
FEATURES = torch.eye(2, NUM_FEATURES)


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer(NANO)


def packer() -> Packer:
    return Packer(tokenizer(), SKILLS)


def packer_of_all_skills() -> Packer:
    return Packer(tokenizer(), ALL_SKILLS)


def config() -> Glm4vConfig:
    text = {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
    }
    vision = {"depth": 2, "hidden_size": 64, "num_heads": 2, "intermediate_size": 80, "image_size": 112}
    return parse_config(recipe.model_config(FastTokenizer.from_file(str(NANO / "tokenizer.json")), vision, text))


def sample(shade: int, answer: str, *, pictures: int = 1, size: tuple[int, int] = (84, 56)) -> Sample:
    """A picture of one shade with a brighter corner; `answer` is the answer to its first question."""
    pixels = np.full((*size, 3), shade, np.uint8)
    pixels[:14, :28] = 255 - shade
    shape = (size[0] // 14, size[1] // 14)
    char = np.zeros(shape, np.int16)
    char[0, :2] = 1 + shade % 4
    unknown = np.full(shape, -1, np.int16)
    icon, feature = (np.full(shape, shade % count, np.int16) for count in (3, 2))
    labels = Labels(char=char, icon=icon, colour=unknown, level=unknown, value=unknown, feature=feature)
    pairs = (Pair("这是什么？", answer, "icon"), Pair("What does it say?", f"shade {shade}", "read"))
    return Sample("test", (pixels,) * pictures, (labels,) * pictures, pairs)


def batch_tensors(arrays: object) -> dict[str, torch.Tensor]:
    assert isinstance(arrays, dict)
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
