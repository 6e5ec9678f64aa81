from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from flashsight.core.errors import PictureError
from flashsight.core.types import Media
from flashsight.processing.header import read_header, tell_format
from flashsight.processing.picture import decode

from .pictures import encoded, scene, webp_canvas, with_exif

WHOLE = {kind: encoded(scene(40, 30), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")}


def media(content: bytes) -> Media:
    header = read_header(content)
    return Media(
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        format=header.format,
        width=header.width,
        height=header.height,
        orientation=header.orientation,
    )


def pixels(content: bytes, **options: Any) -> NDArray[np.int16]:
    return decode(media(content), **options).astype(np.int16)


@pytest.mark.parametrize(
    ("kind", "told"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp")]
)
def test_the_header_alone_tells_kind_and_size(kind: str, told: str) -> None:
    header = read_header(encoded(scene(37, 23), kind))
    assert (header.format, header.width, header.height, header.orientation) == (told, 37, 23, 1)


@pytest.mark.parametrize(("options", "tag"), [({"lossless": True}, b"VP8L"), ({"quality": 50}, b"VP8 ")])
def test_each_kind_of_webp_tells_its_size(options: dict[str, Any], tag: bytes) -> None:
    content = encoded(scene(37, 23), "WEBP", **options)
    assert content[12:16] == tag
    assert (read_header(content).width, read_header(content).height) == (37, 23)
    animated = encoded(scene(37, 23), "WEBP", save_all=True, append_images=[scene(37, 23, 1)])
    assert animated[12:16] == b"VP8X"
    assert (read_header(animated).width, read_header(animated).height) == (37, 23)
    huge = read_header(webp_canvas(16_000_000, 16_000_000))
    assert (huge.width, huge.height) == (16_000_000, 16_000_000)


def test_heic_pictures_are_read_turned() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    original = scene(64, 48)
    buffer = io.BytesIO()
    pillow_heif.from_pillow(original).save(buffer, quality=95)
    found = pixels(buffer.getvalue())
    assert found.shape == (48, 64, 3)
    assert np.abs(found - np.asarray(original, np.int16)).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_turned_as_pillow_turns_them(kind: str, orientation: int) -> None:
    content = with_exif(scene(40, 24), orientation, kind)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert np.array_equal(pixels(content), np.asarray(expected))
    width, height = media(content).turned_size
    assert decode(media(content)).shape == (height, width, 3)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_a_nonsense_orientation_turns_nothing(orientation: int) -> None:
    assert read_header(with_exif(scene(40, 24), orientation)).orientation == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_no_reason_to_refuse_a_picture() -> None:
    content = encoded(scene(40, 24), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert read_header(content).orientation == 1
    assert pixels(content).shape == (24, 40, 3)


def test_transparency_shows_white_not_the_colour_hidden_under_it() -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0], rgba[0, 1], rgba[1, 0] = (255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 128)
    expected = [[[255, 0, 0], [255, 255, 255]], [[127, 127, 127], [255, 255, 255]]]
    for kind in ("PNG", "WEBP"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        assert np.abs(pixels(encoded(Image.fromarray(rgba), kind, **options)) - expected).max() <= 1


def test_grey_with_alpha_and_palettes_with_transparency_show_white() -> None:
    grey = Image.merge("LA", [Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 0)])
    assert (pixels(encoded(grey)) == 255).all()
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 30, 40])
    assert (pixels(encoded(palette)) == (200, 30, 40)).all()
    assert (pixels(encoded(palette, transparency=1)) == 255).all()
    assert (pixels(encoded(palette, transparency=bytes([255, 0]))) == 255).all()
    assert (pixels(encoded(palette, "GIF", transparency=1)) == 255).all()
    assert (pixels(encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3))) == 255).all()


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    expected = np.round(ramp / 257.0)
    found = pixels(encoded(Image.fromarray(ramp)))
    assert np.abs(found - expected[..., None]).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_every_mode_reads_as_pillow_converts_it(mode: str) -> None:
    image = scene(16, 16).convert(mode)
    assert np.array_equal(pixels(encoded(image)), np.asarray(image.convert("RGB")))


def test_cmyk_jpegs_read_as_pillow_converts_them() -> None:
    content = encoded(scene(32, 32).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.int16)
    assert np.array_equal(pixels(content), expected)
    assert np.abs(expected - np.asarray(scene(32, 32), np.int16)).mean() < 20


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_shows_its_first_frame(kind: str) -> None:
    red, blue = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    content = encoded(red, kind, save_all=True, append_images=[blue] * 50, duration=10)
    found = pixels(content)
    assert np.abs(found - (255, 0, 0)).max() <= 3


def test_a_large_jpeg_is_decoded_smaller_and_shown_the_same() -> None:
    content = with_exif(scene(1600, 1200), 6, quality=92)
    whole, reduced = decode(media(content)), decode(media(content), shown=(336, 252))
    assert whole.shape == (1600, 1200, 3)
    assert reduced.shape == (800, 600, 3)
    shown = [
        np.asarray(Image.fromarray(one).resize((252, 336), Image.Resampling.BICUBIC), np.int16)
        for one in (whole, reduced)
    ]
    assert np.abs(shown[0] - shown[1]).mean() < 1
    assert decode(media(content), shown=(1596, 1204)).shape == (1600, 1200, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_cut_off_picture_is_refused_with_our_own_words(kind: str) -> None:
    whole = encoded(scene(200, 200), kind)
    with pytest.raises(PictureError, match="damaged or cut off") as caught:
        pixels(whole[: len(whole) // 2])
    assert caught.value.__cause__ is None
    assert caught.value.code == "invalid_image"


def test_pixels_are_read_with_the_size_that_was_checked() -> None:
    checked = media(encoded(scene(8, 8)))
    other = Media(content=encoded(scene(9, 8)), sha256="", format="png", width=checked.width, height=checked.height)
    with pytest.raises(PictureError, match="damaged"):
        decode(other)


@few(max_examples=60)
@given(
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8), cut=st.floats(0.3, 1)
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_bytes_changed_on_the_way_give_pixels_or_a_picture_error(
    kind: str, edits: list[tuple[float, int]], cut: float
) -> None:
    changed = bytearray(WHOLE[kind])
    for where, value in edits:
        changed[int(where * len(changed))] = value
    try:
        found = decode(media(bytes(changed[: int(cut * len(changed))])))
    except PictureError:
        return
    assert found.dtype == np.uint8
    assert found.ndim == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"II*\0\x08\0\0\0", "a TIFF file"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'>", "an SVG drawing"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "an AVIF picture"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1", "an AVIF picture"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"RIFF\0\0\0\0WAVE", "of another kind"),
        (b"hello", "of another kind"),
        (b"", "of another kind"),
    ],
)
def test_other_kinds_are_refused_by_what_they_are(content: bytes, said: str) -> None:
    with pytest.raises(PictureError, match=said) as caught:
        tell_format(content)
    assert caught.value.code == "image_format"
    assert "JPEG, PNG, WebP, GIF, BMP and HEIC" in caught.value.message


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000", "AVIF", "ICO", "PPM", "TGA"])
def test_readable_but_not_allowed_kinds_never_reach_a_reader(kind: str) -> None:
    try:
        content = encoded(scene(16, 16), kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {kind}")
    with pytest.raises(PictureError) as caught:
        read_header(content)
    assert caught.value.code == "image_format"
