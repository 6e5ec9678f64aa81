"""What a picture's first bytes say: kind, size in pixels, orientation. Decodes no pixel and knows no limits.

The kind is told by the bytes, never by a name or a claimed type, and only that kind's reader gets to see them. Library
errors end here: whatever goes wrong inside a reader becomes one fixed sentence.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import ExifTags, Image

from flashsight.core.errors import PictureError
from flashsight.core.types import PictureFormat

ALLOWED: Final = "JPEG, PNG, WebP, GIF, BMP and HEIC"

# Odd metadata is not worth a line in the console; but a reader that warns of a bomb and goes on is no protection.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_READERS: Final[dict[PictureFormat, str]] = {
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "gif": "GIF",
    "bmp": "BMP",
    "heic": "HEIF",
}

_BEGINNINGS: Final[tuple[tuple[bytes, PictureFormat], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
)

_REFUSED: Final = (
    (b"%PDF", "a PDF document"),
    (b"II*\0", "a TIFF file"),
    (b"MM\0*", "a TIFF file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG file"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)

_HEIC_BRANDS: Final = frozenset((b"heic", b"heix", b"heim", b"heis", b"mif1"))

# Inside a scan's bytes 0xFF is followed by 0 or a restart marker; anything else begins the next segment.
_MARKER: Final = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Header:
    """Kind, size as stored (width, height in pixels) and EXIF orientation, 1 to 8."""

    format: PictureFormat
    width: int
    height: int
    orientation: int


def damaged(param: str | None = None) -> PictureError:
    """Return the one error of every picture that a reader cannot read."""
    return PictureError("the picture is damaged or cut off; export it again or send another one", param=param)


def tell_format(content: bytes) -> PictureFormat:
    """Tell the kind by the first bytes. Raises PictureError (code image_format) for every kind that is not allowed."""
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS and b"avif" not in content[8:48]:
        return "heic"
    start = content[:64].lstrip().lower()
    found = next((name for beginning, name in _REFUSED if start.startswith(beginning.lower())), "of another kind")
    if content[4:8] == b"ftyp":
        found = "an AVIF picture or a video"
    raise PictureError(
        f"the file is {found}; allowed are {ALLOWED}, told by their bytes; convert it first", code="image_format"
    )


def read_header(content: bytes) -> Header:
    """Read the header alone. Raises PictureError when the kind is not allowed or the header is damaged."""
    kind = tell_format(content)
    if kind == "webp":
        width, height = _webp_size(content)
        if width * height > (Image.MAX_IMAGE_PIXELS or 0):  # its reader reserves the whole canvas on opening
            return Header(kind, width, height, 1)
    with opened(content, kind) as image:
        return Header(kind, image.width, image.height, _orientation(image, kind))


@contextmanager
def opened(content: bytes, kind: PictureFormat) -> Iterator[Image.Image]:
    """Open a picture lazily with that kind's reader; every failure inside the block is a PictureError."""
    if kind == "heic":
        _register_heic()
    try:
        with Image.open(BytesIO(content), formats=[_READERS[kind]]) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError("the picture has far too many pixels; scale it down", code="image_too_many_pixels") from None
    except PictureError:
        raise
    except Exception:  # a reader fed with hostile bytes may raise anything
        raise damaged() from None


def count_jpeg_scans(content: bytes, *, at_most: int) -> int:
    """Count the scans of a JPEG by walking its segments to the end of the picture; stops early beyond `at_most`.

    What follows the picture is not looked at: phones append whole videos there.
    """
    num_scans, found = 0, _MARKER.search(content, 2)
    while found is not None and found[1] != b"\xd9" and num_scans <= at_most:
        num_scans += found[1] == b"\xda"
        length = int.from_bytes(content[found.end() : found.end() + 2], "big")
        found = _MARKER.search(content, found.end() + length)
    return num_scans


_PLAIN_HEADER_BYTES, _PLAIN_MARKERS = 4096, 2048


def is_plain_jpeg(content: bytes) -> bool:
    """Tell a JPEG whose segments are few and short, so that reading its header takes next to nothing.

    What a reader makes of other beginnings, and how long that takes, is up to whoever made them.
    """
    begins_soon = content.startswith(b"\xff\xd8\xff") and b"\xff\xda" in content[:_PLAIN_HEADER_BYTES]
    return begins_soon and content.count(b"\xff") <= _PLAIN_MARKERS


def allow_pixels(num_pixels: int) -> None:
    """Raise the reader's process-wide bomb limit to what a gate allows; it is never lowered."""
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, num_pixels)


def _orientation(image: Image.Image, kind: PictureFormat) -> int:
    """The HEIC reader turns pictures itself; PNG's own method would decode all pixels to look behind them."""
    if kind == "heic":
        return 1
    try:
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # nonsense in EXIF is no reason to refuse a picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _webp_size(content: bytes) -> tuple[int, int]:
    """(width, height) of the canvas, from the first chunk. https://developers.google.com/speed/webp/docs/riff_container"""
    chunk, body = content[12:16], content[20:30]
    if len(body) < 10:
        raise damaged()
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _register_heic() -> None:
    """Loaded on the first HEIC picture: most processes never see one."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
