"""The rating page over HTTP: one run, or two, without any model. Names no file in an address: items go by number.

GET  /workbench                        the page
GET  /workbench/api/run                what is rated
GET  /workbench/api/items?rater=       every item with this rater's own rating
POST /workbench/api/ratings            {rater, turn, place, score, tags, is_accepted, corrected}
POST /workbench/api/undo               {rater, turn}
GET  /workbench/api/pictures/{place}/{number}
GET  /workbench/api/pairs?rater=       blind: which places have two answers, and what was chosen
GET  /workbench/api/pairs/{place}?rater=
POST /workbench/api/choices            {rater, turn, place, side}
GET  /workbench/api/preferred          the outcome of the blind comparison

turn, which may be left out: a number that grows with whatever a rater says. What was overtaken on its way by a later
word about the same item changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from pathlib import Path
from typing import Any, Literal, Protocol

from fastapi import FastAPI
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from flashsight import __version__
from flashsight.core.errors import PictureError
from flashsight.core.types import Media
from flashsight.guard import AccessPolicy
from flashsight.processing.picture import decode
from flashsight.server.app import handle_errors
from flashsight.server.frontdoor import Capped, Guarded, Named
from flashsight.server.page import page_endpoint, read_page
from flashsight.workbench.panel import Panel
from flashsight.workbench.rating_records import Said
from flashsight.workbench.records import CasePicture, RunError

PAGE, API = "/workbench", "/workbench/api"
MAX_BODY_BYTES = 1 << 20
_BORROWED = ("/style.css", "/icon.svg", "/js/first.js", "/js/keep.js")
_STATUS = {"ratings_locked": 503, "disk_full": 507}
_SHOWN = {"jpeg", "png", "webp", "gif", "bmp"}
"""Kinds that every browser shows as they are."""


class Gate(Protocol):
    """Checks that bytes are a picture within the limits."""

    async def admit_bytes(self, content: bytes, *, param: str) -> Media:
        """Raise PictureError naming the reason and the limit."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    rater: str
    turn: int | None = Field(default=None, ge=0, lt=1 << 53)


class RatingBody(_Body):
    """All that a rater says of one item; it takes the place of what was said before."""

    place: int
    score: int | None = None
    tags: list[str] = []
    is_accepted: bool = False
    corrected: str | None = None


class UndoBody(_Body):
    """Whose last word is taken back."""


class ChoiceBody(_Body):
    """Which side a rater prefers; None takes it back."""

    place: int
    side: Literal["left", "right", "same"] | None


def build_workbench(
    panel: Panel, gate: Gate, *, access: AccessPolicy, page: Path, borrowed: Path, max_picture_bytes: int
) -> FastAPI:
    """Return the ASGI application.

    page: the folder of the rating page. borrowed: the main page's, whose look it shares. Pictures are read from the
    run's own list only, and only while their bytes are those that the run was made of.
    """
    app = FastAPI(
        title="FlashSight workbench", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    _add_ratings(app, panel)
    _add_pairs(app, panel)
    _add_pictures(app, panel, gate, max_picture_bytes)
    shared = read_page(borrowed)
    files = {**{path: shared[path] for path in _BORROWED}, **read_page(page, at=PAGE)}
    for path, file in files.items():
        app.router.add_route(path, page_endpoint(file), methods=["GET"], include_in_schema=False)

    async def home(request: Request) -> Response:
        return RedirectResponse(PAGE)

    app.router.add_route("/", home, methods=["GET"], include_in_schema=False)
    handle_errors(app)
    app.add_exception_handler(RunError, _cannot_keep)
    # The last one added is the outermost.
    app.add_middleware(Capped, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(Guarded, policy=access, public=frozenset({"/", *files}))
    app.add_middleware(Named, ended=lambda scope, status: None)
    return app


async def _cannot_keep(request: Request, error: Exception) -> Response:
    assert isinstance(error, RunError)
    told = {"message": error.message, "type": "server_error", "param": error.param, "code": error.code}
    return JSONResponse({"error": told}, status_code=_STATUS.get(error.code, 500))


def _add_ratings(app: FastAPI, panel: Panel) -> None:
    # Plain functions: SQLite waits for its turn on a thread, never on the event loop.
    @app.get(f"{API}/run")
    def about() -> Any:
        """Say what is rated."""
        return panel.about()

    @app.get(f"{API}/items")
    def items(rater: str) -> Any:
        """List every item with this rater's own rating."""
        return {"items": panel.items(rater)}

    @app.post(f"{API}/ratings")
    def rate(body: RatingBody) -> Any:
        """Keep what a rater says of an item."""
        said = Said(score=body.score, tags=tuple(body.tags), is_accepted=body.is_accepted, corrected=body.corrected)
        return {"rating": panel.rate(body.rater, body.place, said, turn=body.turn)}

    @app.post(f"{API}/undo")
    def undo(body: UndoBody) -> Any:
        """Take back what a rater said last."""
        return panel.undo(body.rater, turn=body.turn)


def _add_pairs(app: FastAPI, panel: Panel) -> None:
    @app.get(f"{API}/pairs")
    def pairs(rater: str) -> Any:
        """List the items that both rounds have, and what this rater chose."""
        return {"pairs": panel.choices(rater)}

    @app.get(f"{API}/pairs/{{place}}")
    def pair(place: int, rater: str) -> Any:
        """Show both answers to an item, on the sides drawn for this rater."""
        return panel.pair(rater, place)

    @app.post(f"{API}/choices")
    def choose(body: ChoiceBody) -> Any:
        """Keep which side a rater prefers."""
        panel.choose(body.rater, body.place, body.side, turn=body.turn)
        return {"side": body.side}

    @app.get(f"{API}/preferred")
    def preferred() -> Any:
        """Tell which round people prefer, and what the rounds are called."""
        first, second = panel.rounds()
        return panel.preferred().as_dict() | {"first": first, "second": second}


def _add_pictures(app: FastAPI, panel: Panel, gate: Gate, max_bytes: int) -> None:
    @app.get(f"{API}/pictures/{{place}}/{{number}}", response_class=Response)
    async def picture(place: int, number: int) -> Response:
        """Send a picture of the run's own list."""
        file, known = panel.picture(place, number)
        content = await asyncio.to_thread(_read, file, known, max_bytes)
        media = await gate.admit_bytes(content, param="picture")
        kind = media.format
        if kind not in _SHOWN:
            content, kind = await asyncio.to_thread(_as_jpeg, media), "jpeg"
        headers = {"Cache-Control": "private, max-age=3600", "Content-Security-Policy": "default-src 'none'"}
        return Response(content, media_type=f"image/{kind}", headers=headers)


def _read(file: Path, known: CasePicture, max_bytes: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(max_bytes + 1)
    except (OSError, ValueError):
        raise PictureError(
            f"there is no picture {known.shown} any more; put it back where it lay", code="picture_missing"
        ) from None
    if hashlib.sha256(content).hexdigest() != known.sha256:
        raise PictureError(
            f"the picture {known.shown} has changed since the run was made; put the old one back",
            code="picture_changed",
        )
    return content


def _as_jpeg(media: Media) -> bytes:
    written = io.BytesIO()
    Image.fromarray(decode(media)).save(written, "JPEG", quality=90)
    return written.getvalue()
