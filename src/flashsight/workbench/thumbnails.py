"""Small pictures for tables and reports, as a person sees the large ones. Judges no answer."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from flashsight.core.errors import PictureError
from flashsight.core.types import Media
from flashsight.processing.header import read_header
from flashsight.processing.picture import decode


def small_picture(file: Path, side: int) -> tuple[Image.Image, tuple[int, int]] | None:
    """A picture with its longest side at most so many pixels, and the (width, height) that it has in full.

    None for one that is gone or cannot be shown.
    """
    try:
        content = file.read_bytes()
        header = read_header(content)
        media = Media(
            content=content,
            sha256="",
            format=header.format,
            width=header.width,
            height=header.height,
            orientation=header.orientation,
        )
        image = Image.fromarray(decode(media, shown=(side, side)))
    except (OSError, ValueError, PictureError):
        return None
    image.thumbnail((side, side))
    return image, media.turned_size
