"""/v1/files in OpenAI's shape: upload, list, retrieve, content, delete. Parses, calls the library, encodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flashsight.core.errors import RequestError
from flashsight.server.faults import refuse_unknown
from flashsight.server.sse import CLIENT_CLOSED_REQUEST, ClientGone
from flashsight.server.upload import Upload, read_upload
from flashsight.service import Library, PictureReader, Purpose, Readiness, StoredFile

_FIELDS = frozenset({"purpose", "expires_after[anchor]", "expires_after[seconds]"})
_FILTERS = frozenset({"purpose", "after", "limit", "order"})
_UPLOAD_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"enum": list(get_args(Purpose))},
                        "expires_after[anchor]": {"enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer", "minimum": 1},
                    },
                }
            }
        },
    }
}


def add_files(app: FastAPI, readiness: Readiness) -> None:
    """Add the routes; each asks `readiness` for the library as it is at that moment."""

    def library() -> Library:
        kept = readiness.require().library
        if kept is None:
            raise RequestError("this server keeps no files; send pictures with the question", code="not_found")
        return kept

    _add_upload(app, library)

    @app.get("/v1/files", tags=["files"])
    async def list_files(
        request: Request,
        purpose: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10000)] = 10000,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        """List the caller's own files, the newest first; `after` is the id of the last one seen."""
        refuse_unknown(request, _FILTERS)
        files = library().files(request.state.caller)
        files = [file for file in files[:: 1 if order == "desc" else -1] if purpose in (None, file.purpose)]
        if after is not None:
            files = files[_place(files, after) + 1 :]
        shown = [_described(file, library().reader) for file in files[:limit]]
        ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
        return {"object": "list", "data": shown, "has_more": len(files) > limit, **ends}

    @app.get("/v1/files/{file_id}", tags=["files"])
    async def retrieve_file(file_id: str, request: Request) -> dict[str, Any]:
        """Describe one file: `status` is `processed` once it has been read ahead."""
        return _described(library().get(file_id, request.state.caller), library().reader)

    @app.get("/v1/files/{file_id}/content", tags=["files"], response_class=Response)
    async def retrieve_file_content(file_id: str, request: Request) -> Response:
        """Return the file's bytes as they were uploaded."""
        media = library().get(file_id, request.state.caller).media
        headers = {
            "Content-Disposition": "attachment",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        return Response(media.content, media_type=f"image/{media.format}", headers=headers)

    @app.delete("/v1/files/{file_id}", tags=["files"])
    async def delete_file(file_id: str, request: Request) -> dict[str, Any]:
        """Forget a file; reading it ahead ends, if it is under way."""
        library().delete(file_id, request.state.caller)
        return {"id": file_id, "object": "file", "deleted": True}


def _add_upload(app: FastAPI, library: Callable[[], Library]) -> None:
    async def create_file(request: Request) -> Response:
        """Take a picture in and read it ahead, so that a chat that opens with it answers sooner."""
        kept = library()
        try:
            upload = await read_upload(request, max_file_bytes=kept.max_file_bytes, known=_FIELDS)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        file = await kept.upload(
            bytes(upload.content),
            filename=upload.filename,
            purpose=_purpose(upload),
            caller=request.state.caller,
            request_id=request.state.request_id,
            keep_seconds=_keep_seconds(upload),
        )
        return JSONResponse(_described(file, kept.reader))

    app.add_api_route(
        "/v1/files",
        create_file,
        methods=["POST"],
        tags=["files"],
        response_class=Response,
        openapi_extra=_UPLOAD_SCHEMA,
    )


def _purpose(upload: Upload) -> Purpose:
    if "purpose" not in upload.fields:
        raise RequestError("purpose is required: 'vision' or 'user_data'", param="purpose")
    for purpose in get_args(Purpose):
        if upload.fields["purpose"] == purpose:
            return purpose  # type: ignore[no-any-return]
    raise RequestError("purpose must be 'vision' or 'user_data'; other files are not kept here", param="purpose")


def _keep_seconds(upload: Upload) -> float | None:
    anchor, seconds = (upload.fields.get(f"expires_after[{name}]") for name in ("anchor", "seconds"))
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise RequestError("expires_after[anchor] must be 'created_at'", param="expires_after[anchor]")
    if seconds is None or not seconds.isascii() or not seconds.isdecimal() or len(seconds) > 9:
        raise RequestError("expires_after[seconds] must be a whole number of seconds", param="expires_after[seconds]")
    return float(seconds)


def _place(files: list[StoredFile], file_id: str) -> int:
    for index, file in enumerate(files):
        if file.id == file_id:
            return index
    raise RequestError("after is not the id of a file in this list", param="after")


def _described(file: StoredFile, reader: PictureReader) -> dict[str, Any]:
    """Return OpenAI's file object; `image` is ours."""
    width, height = file.media.turned_size
    return {
        "id": file.id,
        "object": "file",
        "bytes": len(file.media.content),
        "created_at": int(file.created_at),
        "expires_at": int(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status,
        "status_details": file.details,
        "image": {
            "sha256": file.media.sha256,
            "format": file.media.format,
            "width": width,
            "height": height,
            "image_tokens": reader.cost(file.media, "auto").num_tokens,
        },
    }
