"""The gate that every picture passes: from a reference in a request to bytes whose header is within the limits.

No pixel is decoded here and nothing blocks the event loop for longer than a thread's turn takes. Knows no model.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PictureError
from flashsight.core.types import Media, PictureRef
from flashsight.processing.fetch import Fetcher
from flashsight.processing.header import Header, allow_pixels, count_jpeg_scans, is_plain_jpeg, read_header
from flashsight.processing.references import base64_bytes, data_url_bytes, file_bytes, too_large

MAX_JPEG_SCANS = 100
"""Each scan of a progressive JPEG walks over the whole picture; ten are usual, thousands are an attack."""

_INLINE_CHARACTERS = 512 * 1024
"""Of a reference; no more than that is hashed in a fraction of what a thread's turn costs."""
_AT_ONCE_CHARACTERS = 128 * 1024
"""Of a reference; no more than that is unpacked in what a thread's turn costs beside a busy engine."""
_MOST_KNOWN_BYTES = 32 << 20
"""Of pictures that came in a reference and are remembered by it."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


class MediaGate:
    """Admits pictures under one set of limits. Every refusal is a PictureError that names the field of the request."""

    def __init__(self, config: MediaConfig, *, offline: bool = False, fetcher: Fetcher | None = None) -> None:
        """`fetcher` replaces the one that http(s) references are fetched with, if they are fetched at all."""
        self._config = config
        self._offline = offline
        self._fetcher = fetcher or Fetcher(max_bytes=config.max_bytes, timeout_seconds=config.fetch_timeout_seconds)
        self._known: OrderedDict[bytes, Media] = OrderedDict()
        """By the hash of the reference as it was written: what has passed passes again, unpacked and read already."""
        self._num_known_bytes = 0
        allow_pixels(config.max_pixels)

    async def admit(self, ref: PictureRef) -> Media:
        """Return the picture that a reference names: data URL, bare base64, `file://` or `http(s)://`."""
        try:
            return await self._admit(ref.url)
        except PictureError as error:
            raise PictureError(error.message, code=error.code, param=ref.param) from None

    async def admit_bytes(self, content: bytes, *, param: str = "file") -> Media:
        """Return a picture that came as bytes: an upload, or a file that the user of this machine named."""
        try:
            return await asyncio.to_thread(self._examine, content)
        except PictureError as error:
            raise PictureError(error.message, code=error.code, param=param) from None

    async def _admit(self, url: str) -> Media:
        # Only the beginning is looked at here: a data URL may be megabytes long.
        start = url[:64].lstrip()
        found = _SCHEME.match(start)
        scheme = found[1].lower() if found else None
        if scheme in ("http", "https"):
            content = await self._fetch(url.strip())
            return await asyncio.to_thread(self._examine, content)
        if scheme not in (None, "data", "file"):
            raise PictureError(
                "a picture is named by a data URL, bare base64, file:// or http(s)://; this is none of them",
                code="image_url_unsupported",
            )
        if scheme == "file" or len(url) > _INLINE_CHARACTERS:
            return await asyncio.to_thread(self._read_and_examine, url, scheme)
        return await self._recognise(url, scheme)

    async def _recognise(self, url: str, scheme: str | None) -> Media:
        """Admit a picture that the reference itself holds: at once if it has passed before or is a small plain JPEG,
        else on a thread.

        Unpacking base64 takes ten times as long as hashing it, and keeps the interpreter's lock all the while.
        """
        written = hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(written)
        if known is not None:
            self._known.move_to_end(written)
            return known
        if len(url) > _AT_ONCE_CHARACTERS:
            media = await asyncio.to_thread(self._read_and_examine, url, scheme)
        elif is_plain_jpeg(content := self._unpacked(url, scheme)):
            media = self._examine(content)
        else:
            media = await asyncio.to_thread(self._examine, content)
        if written not in self._known:
            self._known[written] = media
            self._num_known_bytes += len(media.content)
        while self._num_known_bytes > _MOST_KNOWN_BYTES:
            self._num_known_bytes -= len(self._known.popitem(last=False)[1].content)
        return media

    async def _fetch(self, url: str) -> bytes:
        if self._offline or not self._config.allow_fetch:
            way_out = "this server is offline" if self._offline else "or start the server with --allow-fetch"
            raise PictureError(
                f"fetching pictures by their address is off; send the picture itself as a data URL ({way_out})",
                code="fetch_refused",
            )
        return await self._fetcher.fetch(url)

    def _read_and_examine(self, url: str, scheme: str | None) -> Media:
        return self._examine(self._unpacked(url, scheme))

    def _unpacked(self, url: str, scheme: str | None) -> bytes:
        limit = self._config.max_bytes
        if scheme is None:
            return base64_bytes(url, limit)
        if scheme == "data":
            return data_url_bytes(url, limit)
        return file_bytes(url.strip(), self._config.media_root, limit)

    def _examine(self, content: bytes) -> Media:
        if not content:
            raise PictureError("the picture has 0 bytes; send the whole file", code="image_empty")
        if len(content) > self._config.max_bytes:
            raise too_large(len(content), self._config.max_bytes)
        header = read_header(content)
        self._check_size(header)
        if header.format == "jpeg" and count_jpeg_scans(content, at_most=MAX_JPEG_SCANS) > MAX_JPEG_SCANS:
            raise PictureError(
                f"the JPEG has more than {MAX_JPEG_SCANS} scans; save it again with usual settings",
                code="image_too_many_scans",
            )
        return Media(
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            format=header.format,
            width=header.width,
            height=header.height,
            orientation=header.orientation,
        )

    def _check_size(self, header: Header) -> None:
        config, size = self._config, f"the picture is {header.width} x {header.height} pixels"
        shortest, longest = sorted((header.width, header.height))
        if header.width * header.height > config.max_pixels:
            raise PictureError(
                f"{size}, the limit is {config.max_pixels} pixels in all; scale it down", code="image_too_many_pixels"
            )
        if shortest < config.min_side:
            raise PictureError(
                f"{size}, each side must have at least {config.min_side}; send a larger one", code="image_too_small"
            )
        if longest > config.max_aspect * shortest:
            raise PictureError(
                f"{size}, one side may be at most {config.max_aspect:g} times the other; crop it", code="image_aspect"
            )
