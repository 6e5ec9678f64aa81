"""Bytes of a picture that the request itself carries or that lies under the media root. Looks into no picture.

Everything here blocks and belongs on a thread. Sizes are checked before anything is decoded or read.
"""

from __future__ import annotations

import binascii
import os
import stat
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from flashsight.core.errors import PictureError

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def too_large(num_bytes: int | None, max_bytes: int) -> PictureError:
    """Return the error of a picture with too many bytes; None for a number that is not known."""
    found = "more bytes than allowed" if num_bytes is None else f"{num_bytes} bytes"
    return PictureError(
        f"the picture has {found}, the limit is {max_bytes}; send a smaller or more compressed one",
        code="image_too_large",
    )


def data_url_bytes(url: str, max_bytes: int) -> bytes:
    """Return what a data URL holds (RFC 2397), base64 or percent-encoded; the type it claims is not looked at."""
    head, comma, payload = url.partition(",")
    if not comma:
        raise PictureError("the data URL has no comma before its content; write data:image/png;base64,…")
    if "base64" in (parameter.strip().lower() for parameter in head.split(";")[1:]):
        return base64_bytes(payload, max_bytes)
    if len(payload) > 3 * max_bytes:
        raise too_large(None, max_bytes)
    if not payload.isascii():
        raise PictureError("the data URL holds characters beyond ASCII; percent-encode its bytes or use base64")
    return unquote_to_bytes(payload)


def base64_bytes(text: str, max_bytes: int) -> bytes:
    """Return the bytes of base64: either alphabet, padded or not; white space and percent-encoding are allowed."""
    if len(text) > 4 * max_bytes + 4096:  # every character percent-encoded is four per byte
        raise too_large(None, max_bytes)
    if "%" in text:
        text = unquote(text)
    try:
        packed = text.encode("ascii").translate(_URL_SAFE, b" \t\r\n\f\v").rstrip(b"=")
        num_bytes = len(packed) * 3 // 4
        if num_bytes > max_bytes:
            raise too_large(num_bytes, max_bytes)
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except ValueError:
        raise PictureError(
            "the picture is no valid base64; encode the whole file as base64, without changing it afterwards",
            code="invalid_base64",
        ) from None


def file_bytes(url: str, media_root: Path | None, max_bytes: int) -> bytes:
    """Return the content of a `file://` URL that lies under media_root, symbolic links resolved."""
    if media_root is None:
        raise _refused("reading file:// pictures is off; start the server with --media-root FOLDER")
    root = os.path.realpath(media_root)
    real = os.path.realpath(_path_of(url))
    if os.path.commonpath([root, real]) != root or real == root:
        raise _refused("the file lies outside the media root; put it there or send the picture as a data URL")
    try:
        handle = _open_beneath(root, os.path.relpath(real, root).split(os.sep))
    except OSError:
        raise _refused("there is no readable file of that name under the media root") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _refused("the name under the media root is not a regular file")
        if status.st_size > max_bytes:
            raise too_large(status.st_size, max_bytes)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(max_bytes + 1)
    finally:
        os.close(handle)


def _path_of(url: str) -> str:
    """Percent-decoded exactly once: `%252e` is the name `%2e` and not a dot."""
    host, slash, path = url[len("file://") :].partition("/")
    try:
        decoded = unquote("/" + path, errors="strict")
        decoded.encode()
    except UnicodeError:  # not UTF-8, or half a surrogate pair out of JSON
        decoded = "\0"
    if not slash or host.lower() not in ("", "localhost") or "\0" in decoded:
        raise _refused("the file URL is malformed; write file:///absolute/path/to/picture.jpg")
    return decoded


def _open_beneath(root: str, parts: list[str]) -> int:
    """Walk down folder by folder without following a link, so that none put in later leads out of the root."""
    folder = os.open(root, _OPEN | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _OPEN | os.O_NONBLOCK, dir_fd=folder)  # a pipe without a writer must not hang us
    finally:
        os.close(folder)


def _refused(message: str) -> PictureError:
    return PictureError(message, code="file_refused")
