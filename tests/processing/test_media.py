from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PictureError
from flashsight.core.types import Media, PictureRef
from flashsight.processing import media
from flashsight.processing.header import count_jpeg_scans, read_header
from flashsight.processing.media import MediaGate
from flashsight.processing.references import base64_bytes

from .pictures import chunk, encoded, png, scene, webp_canvas, with_exif

PNG = encoded(scene(32, 24))
JPEG = encoded(scene(32, 24), "JPEG")
B64 = base64.b64encode(PNG).decode()


def admit(url: str, config: MediaConfig | None = None) -> Media:
    gate = MediaGate(config or MediaConfig())
    return asyncio.run(gate.admit(PictureRef(url=url, param="messages[0].content[1].image_url.url")))


def admit_bytes(content: bytes, config: MediaConfig | None = None) -> Media:
    return asyncio.run(MediaGate(config or MediaConfig()).admit_bytes(content))


def refusal(url: str, config: MediaConfig | None = None) -> PictureError:
    with pytest.raises(PictureError) as caught:
        admit(url, config)
    error = caught.value
    assert error.param == "messages[0].content[1].image_url.url"
    assert error.__suppress_context__
    return error


def refusal_of_bytes(content: bytes, config: MediaConfig | None = None) -> PictureError:
    with pytest.raises(PictureError) as caught:
        admit_bytes(content, config)
    assert caught.value.param == "file"
    return caught.value


# --- a picture that comes again --------------------------------------------------------------------------------


def test_a_picture_that_passed_before_passes_again_without_unpacking_a_reader_or_a_thread(
    monkeypatch: pytest.MonkeyPatch,
):
    reads, unpacked, hops = [], [], []
    monkeypatch.setattr(media, "read_header", lambda content: (reads.append(1), read_header(content))[1])
    monkeypatch.setattr(media, "base64_bytes", lambda text, most: (unpacked.append(1), base64_bytes(text, most))[1])

    async def counted(call: Callable[..., Media], *given: object) -> Media:
        hops.append(call)
        return call(*given)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    gate = MediaGate(MediaConfig())
    large = base64.b64encode(PNG + bytes(200_000)).decode()
    refs = [PictureRef(url=url) for url in (B64, f" {B64}\n", large)]
    first = [asyncio.run(gate.admit(ref)) for ref in refs]
    again = [asyncio.run(gate.admit(ref)) for ref in refs for _ in range(2)]
    assert len(reads) == len(unpacked) == len(hops) == len(refs), "once for each way in which a picture is written"
    assert again == [each for each in first for _ in range(2)]
    assert [one.content for one in first] == [PNG, PNG, PNG + bytes(200_000)]


@pytest.mark.parametrize(
    ("content", "num_hops"),
    [
        (JPEG, 0),
        (JPEG + bytes(200_000), 1),
        (PNG, 1),
        (JPEG[:2] + b"\xff\xfe\x0f\xfe" + bytes(4092) + JPEG[2:], 1),
        (JPEG + b"\xff\xfe\0\2" * 2049, 1),
    ],
    ids=["plain", "large", "another kind", "a long header", "many segments"],
)
def test_only_a_small_plain_jpeg_is_examined_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, content: bytes, num_hops: int
) -> None:
    hops = []

    async def counted(call: Callable[..., Media], *given: object) -> Media:
        hops.append(call)
        return call(*given)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    found = asyncio.run(MediaGate(MediaConfig()).admit(PictureRef(url=base64.b64encode(content).decode())))
    assert (found.content, found.width, found.height) == (content, 32, 24)
    assert len(hops) == num_hops


def test_what_was_refused_is_refused_again():
    gate = MediaGate(MediaConfig(min_side=28))
    ref = PictureRef(url=B64)
    for _ in range(2):
        with pytest.raises(PictureError, match="at least 28"):
            asyncio.run(gate.admit(ref))


def test_only_so_many_bytes_of_pictures_are_remembered(monkeypatch: pytest.MonkeyPatch):
    reads = []
    monkeypatch.setattr(media, "read_header", lambda content: (reads.append(1), read_header(content))[1])
    pictures = [encoded(scene(32, 24, seed)) for seed in range(3)]
    monkeypatch.setattr(media, "_MOST_KNOWN_BYTES", sum(map(len, pictures)) - 1)
    gate = MediaGate(MediaConfig())
    urls = [base64.b64encode(picture).decode() for picture in pictures]
    for url in (*urls, urls[2], urls[1], urls[0]):
        asyncio.run(gate.admit(PictureRef(url=url)))
    assert len(reads) == 4, "three at first, and the first again, which had to make room"


def test_a_picture_that_is_asked_about_twice_at_once_is_counted_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(media, "_MOST_KNOWN_BYTES", 2 * len(PNG) - 1)
    gate = MediaGate(MediaConfig())

    async def ask(times: int) -> list[Media]:
        return await asyncio.gather(*(gate.admit(PictureRef(url=B64)) for _ in range(times)))

    asyncio.run(ask(2))
    monkeypatch.setattr(media, "read_header", lambda content: pytest.fail("it had to make room for itself"))
    asyncio.run(ask(1))


# --- data URLs and base64 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{B64}",
        f"DATA:IMAGE/PNG;BASE64,{B64}",
        f"  \n data:image/png;base64,{B64}",
        f"data:image/png;charset=utf-8;name=a.png; base64 ,{B64}",
        f"data:;base64,{B64}",
        f"data:application/pdf;base64,{B64}",
        f"data:image/png;base64,{quote(B64, safe='')}",
        "data:image/png;base64," + "\r\n".join(B64[i : i + 76] for i in range(0, len(B64), 76)),
        f"data:image/png;base64,{B64.rstrip('=')}",
        f"data:image/png;base64,{base64.urlsafe_b64encode(PNG).decode()}",
        f"data:image/png,{quote_from_bytes(PNG)}",
        B64,
        f"\n{B64}\n",
    ],
)
def test_every_spelling_of_a_data_url_gives_the_same_picture(url: str) -> None:
    media = admit(url)
    assert media.content == PNG
    assert media.sha256 == hashlib.sha256(PNG).hexdigest()
    assert (media.format, media.width, media.height, media.orientation) == ("png", 32, 24, 1)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64", "invalid_image"),
        ("data:image/png;base64,", "image_empty"),
        ("data:,", "image_empty"),
        ("", "image_empty"),
        ("   ", "image_empty"),
        ("data:image/png;base64,!!!!", "invalid_base64"),
        ("data:image/png;base64,A", "invalid_base64"),
        ("data:image/png;base64,AA=A", "invalid_base64"),
        ("data:image/png;base64,图片", "invalid_base64"),
        ("data:image/png;base64,\ud83d", "invalid_base64"),
        ("data:image/png,\ud83d", "invalid_image"),
        ("\ud83d", "invalid_base64"),
        ("http://\ud83d/", "fetch_refused"),
        (f"data:image/png;base64,{B64[:40]}*{B64[41:]}", "invalid_base64"),
        ("not base64 at all!", "invalid_base64"),
        ("data:image/png;base64,aGVsbG8gd29ybGQ=", "image_format"),
        ("ftp://example.com/a.png", "image_url_unsupported"),
        ("javascript:alert(1)", "image_url_unsupported"),
        ("C:\\pictures\\a.png", "image_url_unsupported"),
        ("/etc/passwd", "image_format"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_code_and_the_field(url: str, code: str) -> None:
    assert refusal(url).code == code


@given(text=st.text())
def test_any_text_is_a_picture_or_a_picture_error(text: str) -> None:
    with pytest.raises(PictureError):
        admit("data:image/png;base64," + text)


# --- limits --------------------------------------------------------------------------------------------------


def test_bytes_are_counted_before_base64_is_decoded() -> None:
    config = MediaConfig(max_bytes=len(PNG))
    assert admit(B64, config).content == PNG
    for url in (f"{B64}AAAA", "A" * 10_000_000, "%41" * 3_000_000, "data:," + "%41" * 100_000):
        error = refusal(url, config)
        assert error.code == "image_too_large"
        assert str(len(PNG)) in error.message
    assert refusal_of_bytes(PNG + b"x", config).code == "image_too_large"


@pytest.mark.parametrize(
    "content",
    [
        png(60_000, 60_000, b"\0"),
        png(2**31 - 1, 2**31 - 1, b"\0"),
        png(12_000, 12_000, b"\0" * 40_000_000),
        webp_canvas(16_000_000, 16_000_000),
        webp_canvas(10_000, 10_000),
        b"BM" + bytes(12) + (40).to_bytes(4, "little") + (30_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24),
        b"GIF89a" + (65_535).to_bytes(2, "little") * 2 + b"\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;",
    ],
    ids=["png", "largest png", "full png", "webp", "middling webp", "bmp", "gif"],
)
def test_a_bomb_is_refused_by_its_header(content: bytes) -> None:
    error = refusal_of_bytes(content)
    assert error.code == "image_too_many_pixels"


def test_the_pixel_limit_is_exact_and_named() -> None:
    config = MediaConfig(max_pixels=32 * 24)
    assert admit_bytes(PNG, config).width == 32
    error = refusal_of_bytes(PNG, MediaConfig(max_pixels=32 * 24 - 1))
    assert error.message == "the picture is 32 x 24 pixels, the limit is 767 pixels in all; scale it down"


def test_a_gate_may_allow_more_pixels_than_the_library_would() -> None:
    content = encoded(Image.new("1", (14_000, 14_000)))
    assert refusal_of_bytes(content).code == "image_too_many_pixels"
    assert admit_bytes(content, MediaConfig(max_pixels=200_000_000)).width == 14_000


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((1, 1), "image_too_small"),
        ((1, 5000), "image_too_small"),
        ((5000, 1), "image_too_small"),
        ((2, 201), "image_aspect"),
    ],
)
def test_slivers_are_refused(size: tuple[int, int], code: str) -> None:
    assert refusal_of_bytes(encoded(Image.new("RGB", size))).code == code


def test_the_least_side_and_the_greatest_aspect_still_pass() -> None:
    assert admit_bytes(encoded(Image.new("RGB", (2, 200)))).height == 200


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", PNG[:20], b"\xff\xd8\xff", b"BM", b"GIF89a", b"RIFF\0\0\0\0WEBP"]
)
def test_nothing_and_next_to_nothing_are_refused(content: bytes) -> None:
    assert refusal_of_bytes(content).code in ("image_empty", "invalid_image")


def test_an_animation_of_many_frames_counts_as_its_first() -> None:
    frames = [Image.new("P", (16, 16), number % 256) for number in range(2000)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert admit_bytes(buffer.getvalue()).width == 16


def test_a_text_chunk_that_unpacks_to_a_hundred_megabytes_is_not_unpacked() -> None:
    import zlib

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    bomb = PNG[:33] + chunk(b"zTXt", b"k\0\0" + packed) + PNG[33:]
    assert refusal_of_bytes(bomb).code == "invalid_image"


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    content = encoded(scene(64, 64), "JPEG", progressive=True)
    assert admit_bytes(content).format == "jpeg"
    at = content.rindex(b"\xff\xda")
    scan = content[at:-2]
    assert refusal_of_bytes(content[:-2] + scan * 200 + content[-2:]).code == "image_too_many_scans"


def test_what_a_phone_appends_to_a_jpeg_counts_for_nothing() -> None:
    jpeg = encoded(scene(64, 64), "JPEG", progressive=True, exif=b"Exif\0\0" + b"\xff\xda\xff\xd9" * 300)
    video = b"\xff\xda\0\x08" * 5000
    assert admit_bytes(encoded(scene(64, 64), "JPEG") + video).format == "jpeg"
    assert count_jpeg_scans(jpeg + video, at_most=1000) == count_jpeg_scans(jpeg, at_most=1000) == 10


@pytest.mark.parametrize("tail", [b"PK\x03\x04" + bytes(100), b"<script>alert(1)</script>", b"%PDF-1.7", PNG])
def test_a_polyglot_is_what_its_first_bytes_say(tail: bytes) -> None:
    jpeg = encoded(scene(20, 10), "JPEG")
    media = admit_bytes(jpeg + tail)
    assert (media.format, media.width, media.height) == ("jpeg", 20, 10)


def test_a_false_name_changes_nothing() -> None:
    content = with_exif(scene(40, 24), 6)
    media = admit("data:image/png;base64," + base64.b64encode(content).decode())
    assert (media.format, media.orientation, media.turned_size) == ("jpeg", 6, (24, 40))


@given(cut=st.integers(0, len(PNG)), position=st.integers(0, len(PNG) - 1), value=st.integers(0, 255))
def test_damaged_headers_are_picture_errors_and_nothing_else(cut: int, position: int, value: int) -> None:
    damaged = bytearray(PNG[:cut])
    if position < cut:
        damaged[position] = value
    message = ""
    try:
        admit_bytes(bytes(damaged))
    except PictureError as error:
        message = error.message
    assert "0x" not in message
    assert len(message) < 200


# --- file:// -------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A media root beside a folder that is nobody's business."""
    inside, outside = tmp_path / "media root", tmp_path / "secret"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (inside / "图 1.png").write_bytes(PNG)
    (inside / "sub" / "a.png").write_bytes(PNG)
    (outside / "b.png").write_bytes(PNG)
    (inside / "link-out.png").symlink_to(outside / "b.png")
    (inside / "dir-out").symlink_to(outside)
    (inside / "link-in.png").symlink_to(inside / "sub" / "a.png")
    os.mkfifo(inside / "pipe.png")
    return inside


def file_url(path: Path | str) -> str:
    return "file://" + quote(str(path))


@pytest.mark.parametrize("name", ["图 1.png", "sub/a.png", "sub/../图 1.png", "./sub//a.png", "link-in.png"])
def test_files_under_the_media_root_are_read(root: Path, name: str) -> None:
    config = MediaConfig(media_root=root)
    assert admit(file_url(f"{root}/{name}"), config).content == PNG
    assert admit("file://localhost" + quote(f"{root}/{name}"), config).content == PNG
    assert admit("FILE://" + quote(f"{root}/{name}"), config).content == PNG


@pytest.mark.parametrize(
    "path",
    [
        "{root}/../secret/b.png",
        "{root}/%2e%2e/secret/b.png",
        "{root}/%2E%2E%2Fsecret%2Fb.png",
        "{root}/sub/../../secret/b.png",
        "{root}/link-out.png",
        "{root}/dir-out/b.png",
        "{root}/%252e%252e/secret/b.png",
        "{root}/..%00/b.png",
        "{root}/sub/a.png%00.txt",
        "{root}/pipe.png",
        "{root}/sub",
        "{root}",
        "{root}/",
        "{root}/missing.png",
        "{root}2/b.png",
        "/etc/passwd",
        "/etc/passwd%00.png",
        "/dev/zero",
        "/proc/self/environ",
        "/%ff%fe.png",
        "{root}/\ud83d.png",
        "{root}/%ed%a0%bd.png",
        "/" + "a" * 5000,
        "",
    ],
)
def test_nothing_else_is_read(root: Path, path: str) -> None:
    quoted_root = quote(str(root))
    error = refusal("file://" + path.replace("{root}", quoted_root), MediaConfig(media_root=root))
    assert error.code == "file_refused"
    assert str(root) not in error.message


@pytest.mark.parametrize(
    "url", ["file://etc/passwd", "file://evil.example{root}/sub/a.png", "file:///../..", "file:a.png"]
)
def test_other_hosts_and_odd_forms_are_refused(root: Path, url: str) -> None:
    error = refusal(url.replace("{root}", quote(str(root))), MediaConfig(media_root=root))
    assert error.code == "file_refused"


def test_a_link_put_in_after_the_check_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.path.realpath

    def swapped(path: object, **options: object) -> str:
        resolved = real(path)  # type: ignore[call-overload]
        if resolved.endswith("sub/a.png"):
            (root / "sub" / "a.png").unlink()
            (root / "sub" / "a.png").symlink_to(root.parent / "secret" / "b.png")
        return str(resolved)

    monkeypatch.setattr(os.path, "realpath", swapped)
    assert refusal(file_url(f"{root}/sub/a.png"), MediaConfig(media_root=root)).code == "file_refused"


def test_without_a_media_root_no_file_is_read(root: Path) -> None:
    error = refusal(file_url(root / "sub" / "a.png"))
    assert error.code == "file_refused"
    assert "--media-root" in error.message


def test_a_large_file_is_not_read(root: Path) -> None:
    with (root / "large.png").open("wb") as file:
        file.truncate(1 << 40)
    error = refusal(file_url(root / "large.png"), MediaConfig(media_root=root))
    assert error.code == "image_too_large"
    assert str(1 << 40) in error.message


# --- the event loop ------------------------------------------------------------------------------------------


def test_the_event_loop_does_no_work_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from flashsight.processing import media as gate_module

    seen: list[str] = []
    real = gate_module.read_header

    def watched(content: bytes) -> object:
        seen.append(threading.current_thread().name)
        return real(content)

    monkeypatch.setattr(gate_module, "read_header", watched)
    admit(B64)
    admit_bytes(PNG)
    assert len(seen) == 2
    assert threading.main_thread().name not in seen
