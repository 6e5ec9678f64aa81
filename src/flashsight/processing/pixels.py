"""Pixels to patches on whichever device they are: resize, normalise, cut. Knows no files and no prompt.

K is 3 * patch * patch in (colour, row, column) order. The P rows go by blocks of merge x merge patches, so that rows
4i..4i+3 become token i of the prompt. The reference doubles each patch in time; a still picture's two copies are equal,
so here stands one, and the model's patch embedding sums its weights over time.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from flashsight.processing.resize import PictureSettings


class PixelPath:
    """The pixel path of one checkpoint; stateless but for its constants, so any thread may call it."""

    def __init__(self, settings: PictureSettings) -> None:
        self._patch, self._merge = settings.patch, settings.merge
        std = torch.tensor(settings.std, dtype=torch.float64)
        mean = torch.tensor(settings.mean, dtype=torch.float64)
        self._scale = {torch.device("cpu"): (1 / (255 * std)).float()}
        self._shift = {torch.device("cpu"): (-mean / std).float()}

    def __call__(self, pixels_HWC: Tensor, resized: tuple[int, int], /) -> Tensor:
        """Return float32 patches_PK of uint8 pixels [H, W, 3] shown at (height, width), multiples of patch * merge."""
        pixels_CHW = pixels_HWC.permute(2, 0, 1)
        if pixels_CHW.shape[1:] != resized:
            pixels_CHW = resize_bicubic(pixels_CHW, resized)
        return self._normalise(self._cut(pixels_CHW))

    def _cut(self, pixels_CHW: Tensor) -> Tensor:
        """Return uint8 [P, C, patch * patch]; moving bytes is a quarter of the work of moving floats."""
        patch, merge = self._patch, self._merge
        _, height, width = pixels_CHW.shape
        blocks = pixels_CHW.reshape(3, height // (patch * merge), merge, patch, width // (patch * merge), merge, patch)
        return blocks.permute(1, 4, 2, 5, 0, 3, 6).reshape(-1, 3, patch * patch)

    def _normalise(self, patches: Tensor) -> Tensor:
        device = patches.device
        if device not in self._scale:
            self._scale[device] = self._scale[torch.device("cpu")].to(device)
            self._shift[device] = self._shift[torch.device("cpu")].to(device)
        scaled = torch.addcmul(self._shift[device][:, None], patches.float(), self._scale[device][:, None])
        return scaled.flatten(1)


def resize_bicubic(pixels_CHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Return uint8 [3, height, width], bicubic with antialiasing as Pillow does it, within one or two steps of 255.

    The CPU resizes bytes natively; other devices resize floats and round.
    """
    if pixels_CHW.device.type == "cpu":
        return interpolate(pixels_CHW[None], size=size, mode="bicubic", antialias=True)[0]
    return resize_bicubic_in_floats(pixels_CHW, size)


def resize_bicubic_in_floats(pixels_CHW: Tensor, size: tuple[int, int]) -> Tensor:
    """The same on a device that cannot resize bytes: rows first, then columns, rounded after each as Pillow does it."""
    height, width = size
    floats_CHW = pixels_CHW.float()
    for step in ((pixels_CHW.shape[1], width), (height, width)):
        floats_CHW = interpolate(floats_CHW[None], size=step, mode="bicubic", antialias=True)[0]
        floats_CHW = floats_CHW.round_().clamp_(0, 255)
    return floats_CHW.to(torch.uint8)
