"""Makes drawn pictures look handled: rescaled, blurred, bolder, tinted, grainy, saved as JPEG. Then cuts them up.

Works on a whole batch on its device. Moves nothing by more than a pixel, so patch labels stay true. Knows no label.
"""

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# Annex K of the JPEG standard (ITU-T T.81), luminance; good enough for both chrominance channels of an imitation.
QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
# RGB to luminance and two chrominances (ITU-T T.871)
LUMINANCE = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


class Handling:
    """The effects, with their constants on one device so that no step waits for a copy."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self._device = device
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._chance = random.Random(seed)
        self._mean, self._std = torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
        self._colours = torch.tensor(LUMINANCE, device=device)
        self._from_colours = torch.linalg.inv(torch.tensor(LUMINANCE)).to(device)
        self._table = torch.tensor(QUANTISATION, device=device) / 255
        self._cosines = _cosines().to(device)
        line = torch.tensor([0.25, 0.5, 0.25])
        self._blur = (line[:, None] * line).expand(3, 1, 3, 3).contiguous().to(device)

    def patches(self, pixels_NHWC: Tensor, *, patch: int = 14, merge: int = 2) -> Tensor:
        """Return patches_PK of pictures in [0, 1]: normalised, (C, row, column) each, in squares of patches."""
        num, height, width, _ = pixels_NHWC.shape
        normal = (pixels_NHWC - self._mean) / self._std
        rows, columns = height // (patch * merge), width // (patch * merge)
        squares = normal.view(num, rows, merge, patch, columns, merge, patch, 3)
        return squares.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(-1, 3 * patch * patch)

    def touch(self, pixels_NHWC: Tensor) -> Tensor:
        """Return float [N, H, W, 3] in [0, 1] of uint8 pictures; each effect meets some of them in its strength.

        Which ones is chosen here, as neighbours in the batch: so an effect costs only what it changes, and no step
        waits for the device to say.
        """
        pictures = self._rescaled(pixels_NHWC.permute(0, 3, 1, 2).float() / 255)
        some = self._some(pictures, 0.35)
        some += self._strength(some, -0.6, 0.9) * (self._blurred(some) - some)
        some = self._some(pictures, 0.15)
        some += self._strength(some, 0.1, 0.5) * (F.max_pool2d(some, 3, 1, 1) - some)  # thinner strokes on light ground
        some = self._some(pictures, 0.15)
        some -= self._strength(some, 0.1, 0.5) * (some + F.max_pool2d(-some, 3, 1, 1))  # bolder ones
        some = self._some(pictures, 0.5)
        middle = some.mean(dim=(1, 2, 3), keepdim=True)
        contrast, light = self._strength(some, -0.25, 0.15), self._strength(some, -0.08, 0.08)
        some += (some - middle) * contrast + light
        some = self._some(pictures, 0.3)
        some *= 1 + self._strength(some, -0.05, 0.05, channels=3)
        some = self._some(pictures, 0.2)
        grain = torch.randn(some.shape, device=self._device, generator=self._generator)
        some += self._strength(some, 0.005, 0.04) * grain
        pictures.clamp_(0, 1)
        some = self._some(pictures, 0.5)
        some.copy_(self.saved(some, self._strength(some, 0.15, 2.0)))
        return pictures.permute(0, 2, 3, 1)

    def saved(self, pictures: Tensor, coarseness: Tensor) -> Tensor:
        """Round the 8 x 8 cosine coefficients of [N, 3, H, W] as a JPEG does; coarseness 1 is about quality 50."""
        height, width = pictures.shape[-2:]
        padded = F.pad(pictures, (0, -width % 8, 0, -height % 8), mode="replicate")
        blocks = torch.einsum("dc,nchw->ndhw", self._colours, padded).unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
        steps = self._table[:, None, :] * coarseness[..., None, None]
        coefficients = torch.einsum("ia,ncyaxb,jb->ncyixj", self._cosines, blocks, self._cosines)
        rounded = (coefficients / steps).round() * steps
        restored = torch.einsum("ia,ncyixj,jb->ncyaxb", self._cosines, rounded, self._cosines)
        pixels = torch.einsum("cd,ndhw->nchw", self._from_colours, restored.flatten(4, 5).flatten(2, 3))
        return pixels[..., :height, :width].clamp(0, 1)

    def _some(self, pictures: Tensor, share: float) -> Tensor:
        """A share of the pictures that follow each other, as a view."""
        exact = share * len(pictures)
        count = int(exact) + (self._chance.random() < exact - int(exact))
        start = self._chance.randint(0, len(pictures) - count)
        return pictures[start : start + count]

    def _strength(self, pictures: Tensor, low: float, high: float, channels: int = 1) -> Tensor:
        """Strengths [N, channels, 1, 1] in [low, high]."""
        shape = (len(pictures), channels, 1, 1)
        return low + (high - low) * torch.rand(shape, device=self._device, generator=self._generator)

    def _rescaled(self, pictures: Tensor) -> Tensor:
        """Shrink the batch a little and bring it back, in a quarter of the calls."""
        if self._chance.random() > 0.25:
            return pictures
        scale, size = self._chance.uniform(0.8, 1.0), tuple(pictures.shape[-2:])
        smaller = F.interpolate(pictures, scale_factor=scale, mode="bilinear", antialias=True)
        return F.interpolate(smaller, size=size, mode="bicubic").clamp(0, 1)

    def _blurred(self, pictures: Tensor) -> Tensor:
        return F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), self._blur, groups=3)


def _cosines() -> Tensor:
    """The orthonormal 8-point DCT-II, frequency by place."""
    places = torch.arange(8)
    waves = torch.cos(math.pi / 8 * (places + 0.5) * places[:, None]) / 2
    waves[0] /= math.sqrt(2)
    return waves
