"""The size at which a picture is shown to the model. Computes with sizes only, never with pixels.

The reference is the family's image processor in `transformers` (Glm46VImageProcessor). Its traps, kept on purpose:
sides are rounded half to even, and the pixel budgets count two frames, since a still picture is read as two equal ones.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashsight.core.errors import CheckpointError, PictureError
from flashsight.core.types import Detail, Grid

LOW_DETAIL_SIDE = 512
"""Longest side in pixels of a picture asked for with `detail: low`."""

_MAX_RATIO = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """What a checkpoint's preprocessor_config.json says.

    min_pixels and max_pixels count `frames` times height times width; mean and std are of RGB in [0, 1].
    """

    patch: int
    merge: int
    frames: int
    min_pixels: int
    max_pixels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def load(cls, files: Path) -> PictureSettings:
        """Read the checkpoint's folder; CheckpointError when the file is missing or lacks a value."""
        path = files / "preprocessor_config.json"
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                patch=int(values["patch_size"]),
                merge=int(values["merge_size"]),
                frames=int(values["temporal_patch_size"]),
                min_pixels=int(values["size"]["shortest_edge"]),
                max_pixels=int(values["size"]["longest_edge"]),
                mean=_three(values["image_mean"]),
                std=_three(values["image_std"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise CheckpointError(
                f"{path} is missing or incomplete; copy the checkpoint's preprocessor_config.json again"
            ) from None

    @property
    def factor(self) -> int:
        """Pixels of a side that one token of the prompt covers."""
        return self.patch * self.merge

    def grid(self, resized: tuple[int, int]) -> Grid:
        """Return the patches of a picture of (height, width) pixels."""
        return Grid(t=1, h=resized[0] // self.patch, w=resized[1] // self.patch)

    def num_tokens(self, resized: tuple[int, int]) -> int:
        """Return how many tokens a picture of (height, width) pixels takes in a prompt."""
        return (resized[0] // self.factor) * (resized[1] // self.factor)


def smart_resize(height: int, width: int, settings: PictureSettings) -> tuple[int, int]:
    """Return the (height, width) that the reference processor resizes to, both multiples of the factor.

    Raises PictureError when one side is more than 200 times the other.
    """
    factor, frames = settings.factor, settings.frames
    if height < factor or width < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    if max(height, width) / min(height, width) > _MAX_RATIO:
        raise PictureError(
            f"one side of the picture is more than {_MAX_RATIO} times the other; crop it", code="image_aspect"
        )
    new_height, new_width = round(height / factor) * factor, round(width / factor) * factor
    if frames * new_height * new_width > settings.max_pixels:
        shrink = math.sqrt(frames * height * width / settings.max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif frames * new_height * new_width < settings.min_pixels:
        grow = math.sqrt(settings.min_pixels / (frames * height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


def shown_size(
    turned_size: tuple[int, int], settings: PictureSettings, *, max_side: int, detail: Detail = "auto"
) -> tuple[int, int]:
    """Return the (height, width) in pixels at which a picture of turned_size (width, height) is shown.

    A picture within max_side is shown as the reference does; a larger one is scaled down first. Rounding to the factor
    may then add up to half of it, and a very thin picture stays one factor wide however long that makes it.
    """
    width, height = turned_size
    limit = min(max_side, LOW_DETAIL_SIDE) if detail == "low" else max_side
    longest = max(width, height)
    if longest > limit:
        height, width = -(-height * limit // longest), -(-width * limit // longest)
    return smart_resize(height, width, settings)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
