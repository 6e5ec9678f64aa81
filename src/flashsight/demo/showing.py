"""Shows a drawn sample as a checkpoint's processor shows it: enlarged or shrunk, its patches' labels with it.

So training and measuring see what a service sees. Knows sizes and pixels, no scene and no tensor.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flashsight.demo.sample import PATCH, Labels, Sample
from flashsight.processing.resize import PictureSettings, smart_resize


def as_shown(sample: Sample, settings: PictureSettings) -> Sample:
    """The sample with its pictures at the size at which they are shown; pictures of equal sizes stay equal.

    Resized by Pillow, as the reference does it; the service's own resizing stays within two steps of 255 of it. A patch
    gets the label of the drawn patch in which its middle lies.
    """
    height, width, _ = sample.pictures[0].shape
    drawn, shown = (height, width), smart_resize(height, width, settings)
    if shown == drawn:
        return sample
    pictures = [Image.fromarray(picture).resize(shown[::-1], Image.Resampling.BICUBIC) for picture in sample.pictures]
    rows, columns = (_places(now, before) for now, before in zip(shown, drawn, strict=True))
    labels = [
        Labels(*(getattr(each, part.name)[np.ix_(rows, columns)] for part in fields(Labels))) for each in sample.labels
    ]
    return replace(sample, pictures=tuple(map(np.asarray, pictures)), labels=tuple(labels))


def _places(shown: int, drawn: int) -> NDArray[np.int64]:
    """For each patch along a side of `shown` pixels, the one of `drawn` pixels that its middle lies in."""
    now, before = shown // PATCH, drawn // PATCH
    return (2 * np.arange(now) + 1) * before // (2 * now)
