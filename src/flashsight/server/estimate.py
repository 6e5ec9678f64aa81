"""POST /v1/images/estimate: what a picture would cost, before asking. Reads its header only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flashsight.core.errors import OptionRefused
from flashsight.core.types import Media, PictureRef
from flashsight.processing.processor import PictureCost
from flashsight.processing.tiles import Tiling
from flashsight.server.faults import sentence
from flashsight.server.parse import picture_ref
from flashsight.server.protocol import Body, NamedPicture
from flashsight.server.sse import CLIENT_CLOSED_REQUEST, ClientGone, read_body
from flashsight.service import Estimate, Readiness


class EstimateBody(Body):
    """A picture, named as in a chat."""

    image_url: NamedPicture


def estimate_endpoint(readiness: Readiness) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint; it asks `readiness` for the parts with each request."""

    async def estimate_image(request: Request) -> Response:
        """Tell the size at which the model is shown a picture, its tokens and, once it is known, the time it takes."""
        serving = readiness.require()
        if serving.library is None:
            raise OptionRefused("the backend behind this server does not tell what pictures cost")
        try:
            body = await read_body(request)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        ref = await asyncio.to_thread(_parse, body)
        media = await serving.chat.picture(ref, caller=request.state.caller)
        cost = serving.library.reader.cost(media, ref.detail)
        return JSONResponse(_described(media, cost, serving.pace.estimate(cost.num_tokens)))

    return estimate_image


def _parse(body: bytes) -> PictureRef:
    try:
        parsed = EstimateBody.model_validate_json(body)
    except ValidationError as error:
        raise sentence(error) from None
    return picture_ref("image_url", parsed.image_url)


def _described(media: Media, cost: PictureCost, estimate: Estimate | None) -> dict[str, Any]:
    """Sizes in pixels, the picture's own as a person sees it; the grid in patches; the times without any queue."""
    width, height = media.turned_size
    spent = None
    if estimate is not None:
        spent = {
            "image": round(estimate.picture_seconds * 1e3, 1),
            "prefill": round(estimate.prefill_seconds * 1e3, 1),
        }
    return {
        "object": "image.estimate",
        "bytes": len(media.content),
        "format": media.format,
        "sha256": media.sha256,
        "width": width,
        "height": height,
        "resized": {"width": cost.resized[1], "height": cost.resized[0]},
        "grid": {"t": cost.grid.t, "h": cost.grid.h, "w": cost.grid.w},
        "image_tokens": cost.num_tokens,
        "tiles": None if cost.tiles is None else _tiles(cost.tiles),
        "estimated_ms": spent,
    }


def _tiles(tiles: Tiling) -> dict[str, Any]:
    height, width = tiles.resized
    return {
        "count": tiles.num_tiles,
        "rows": tiles.rows,
        "columns": tiles.columns,
        "resized": {"width": width, "height": height},
        "image_tokens": tiles.num_tokens,
    }
