"""A multipart body -> one file in memory and a few short fields. Knows neither pictures nor who sends them.

Nothing is written to disk, and a body that outgrows its limits is refused before the rest of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from flashsight.core.errors import OptionRefused, RequestError
from flashsight.server.sse import pieces_of

MAX_FIELD_BYTES = 1024
MAX_HEADER_BYTES = 4096
"""Of all headers of one part."""
MAX_PARTS = 8
MAX_BOUNDARY_BYTES = 70
"""RFC 2046, section 5.1.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What a form carried; `fields` by name."""

    content: bytearray = field(repr=False)
    filename: str
    fields: dict[str, str]


async def read_upload(request: Request, *, max_file_bytes: int, known: frozenset[str]) -> Upload:
    """Read a form with one `file` and at most the `known` fields.

    Raises RequestError naming the field at fault, ClientGone if the sender left.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY_BYTES:
        raise RequestError("an upload is a multipart/form-data body with the fields file and purpose", param="file")
    form = _Form(boundary, max_file_bytes, known)
    async for piece in pieces_of(request):
        form.write(piece)
    return form.end()


class _Form:
    """The parts so far. One part is open at a time."""

    def __init__(self, boundary: bytes, max_file_bytes: int, known: frozenset[str]) -> None:
        self._max_file_bytes = max_file_bytes
        self._known = known
        self._content: bytearray | None = None
        self._filename = ""
        self._fields: dict[str, bytearray] = {}
        self._num_parts = 0
        self._is_whole = False
        self._begin()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header_name,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._take,
                "on_end": self._end,
            },
        )

    def write(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError:
            raise RequestError("the body is not a well-formed multipart form") from None

    def end(self) -> Upload:
        if not self._is_whole:
            raise RequestError("the multipart form is cut off: its closing boundary is missing", param="file")
        if self._content is None:
            raise RequestError("file is required", param="file")
        fields = {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}
        return Upload(content=self._content, filename=self._filename, fields=fields)

    # --- the parser's calls ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._header_name, self._header_value = b"", b""
        self._num_header_bytes = 0
        self._disposition = b""

    def _take_header_name(self, piece: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_name += piece[start:end]

    def _take_header_value(self, piece: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_value += piece[start:end]

    def _count_header(self, num_bytes: int) -> None:
        self._num_header_bytes += num_bytes
        if self._num_header_bytes > MAX_HEADER_BYTES:
            raise RequestError(f"a part of the form has more than {MAX_HEADER_BYTES} bytes of headers")

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name, self._header_value = b"", b""

    def _open(self) -> None:
        """The headers are there: say what the part is."""
        self._num_parts += 1
        if self._num_parts > MAX_PARTS:
            raise RequestError(f"the form has more than {MAX_PARTS} parts; send file and purpose")
        options = parse_options_header(self._disposition)[1]
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        if name not in self._known | {"file"}:
            raise OptionRefused(f"{name[:64]!r} is not a field that this server knows; leave it out", param=name[:64])
        if (name == "file") != (filename is not None):
            raise RequestError(
                f"{name} is sent the wrong way: file is a file with a name, all else is text", param=name
            )
        if name in self._fields or (name == "file" and self._content is not None):
            raise RequestError(f"{name} is sent twice; send it once", param=name)
        if filename is None:
            self._open_part = self._fields[name] = bytearray()
            self._limit = MAX_FIELD_BYTES
        else:
            self._open_part = self._content = bytearray()
            self._filename = filename.decode("utf-8", "replace")
            self._limit = self._max_file_bytes

    def _take(self, piece: bytes, start: int, end: int) -> None:
        if len(self._open_part) + end - start > self._limit:
            self._refuse()
        self._open_part += piece[start:end]

    def _refuse(self) -> None:
        if self._open_part is not self._content:
            raise RequestError(f"a field of the form has more than {MAX_FIELD_BYTES} bytes")
        raise RequestError(
            f"the file has more bytes than the limit of {self._max_file_bytes}; scale it down or save it as JPEG",
            code="image_too_large",
            param="file",
        )

    def _end(self) -> None:
        self._is_whole = True
