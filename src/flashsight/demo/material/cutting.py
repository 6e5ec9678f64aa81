"""Cuts pictures out and measures how dark they are. Knows no source and no concept."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

GROUND = (1, 254, 3)  # no photograph has this colour


def fitted(picture: Image.Image, pixels: int) -> Image.Image:
    """Cut to its edges and made small enough."""
    cut = picture.convert("RGBA")
    cut = cut.crop(cut.getbbox())
    cut.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return cut


def dark_share(drawing: Image.Image) -> float:
    """How much of what is seen of a drawing is nearly black."""
    pixels = np.asarray(drawing)
    seen = pixels[pixels[..., 3] > 127][:, :3]
    return float((seen.max(axis=1) < 80).mean()) if len(seen) else 0.0


def without_ground(photograph: Image.Image) -> Image.Image:
    """What stands before a plain light ground, cut out; a photograph with any other ground as it is."""
    pixels = np.asarray(photograph.convert("RGB")).astype(int)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(edge, axis=0)
    is_plain = (np.abs(edge - ground).max(axis=1) < 20).mean() > 0.8
    if not is_plain or ground.min() < 190:
        return photograph
    red, green, blue = (int(value) for value in ground)
    framed = ImageOps.expand(photograph.convert("RGB"), 1, (red, green, blue))
    ImageDraw.floodfill(framed, (0, 0), GROUND, thresh=66)
    kept = (np.asarray(ImageOps.crop(framed, 1)) != GROUND).any(axis=2)
    cut = photograph.convert("RGB")
    cut.putalpha(Image.fromarray(np.where(kept, 255, 0).astype(np.uint8)).filter(ImageFilter.MedianFilter(5)))
    return cut.crop(cut.getbbox())
