"""Serves static pages from memory: read once, so no request ever names a file. Knows nothing of their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of a page; a packed one's content is gzip."""

    content: bytes = field(repr=False)
    media_type: str
    etag: str
    is_packed: bool = False


DOCS_FOLDER = Path(__file__).parent / "docs"
"""The API's documentation as a page: Swagger UI and what starts it."""


def read_page(folder: Path, *, at: str = "") -> Mapping[str, PageFile]:
    """Return the folder's files by URL path under `at`; `index.html` is also `at` itself. Hidden files are left out.

    A file that lies packed as `name.gz` is served as `name`.
    """
    files: dict[str, PageFile] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        content = path.read_bytes()
        is_packed = path.suffix == ".gz"
        name = relative.with_suffix("") if is_packed else relative
        kind = _TYPES.get(name.suffix) or mimetypes.guess_type(name.name)[0] or "application/octet-stream"
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        file = PageFile(content=content, is_packed=is_packed, media_type=kind, etag=etag)
        files[f"{at}/{name.as_posix()}"] = file
    if f"{at}/index.html" in files:
        files[at or "/"] = files[f"{at}/index.html"]
    return files


def page_endpoint(file: PageFile) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint that serves this file, 304 when the browser has it."""

    async def serve(request: Request) -> Response:
        headers = {**_HEADERS, "ETag": file.etag}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if not file.is_packed:
            return Response(file.content, media_type=file.media_type, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(file.content), media_type=file.media_type, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(file.content, media_type=file.media_type, headers=headers)

    return serve
