"""From a conversation to what the engine reads. Looks at pictures' headers only; pixels are decoded when asked for.

Placeholders equal pictures by construction: a picture's ids, its place and its positions come from one size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PictureError, UnreadablePicture
from flashsight.core.types import (
    Conversation,
    Detail,
    Grid,
    Media,
    Message,
    ModelInput,
    PictureInput,
    PictureKey,
    PicturePart,
    PictureRef,
    TextPart,
)
from flashsight.processing.picture import decode
from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.resize import PictureSettings, shown_size
from flashsight.processing.sheets import Sheets
from flashsight.processing.template import ChatTemplate, Piece
from flashsight.processing.tiles import Tiling, plan_tiles
from flashsight.processing.tokenizer import Tokenizer

TILES_FOLLOW = "\nThe picture above again in parts, {rows} x {columns}, row by row; positions are those of the whole:\n"
"""What the model is told between the overview of a picture and its tiles."""

TILED_SHARE = 0.5
"""Most of the context that one picture takes, overview and tiles together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCost:
    """What a picture takes in a prompt: (height, width) in pixels as the model is shown it, patches and tokens.

    num_tokens counts the placeholders, the tiles' too; a begin and an end token stand around those of each.
    tiles: how it is shown again in detail, beside the overview that `resized` and `grid` are of; None: it is not.
    """

    resized: tuple[int, int]
    grid: Grid
    num_tokens: int
    tiles: Tiling | None = None


class Processor:
    """Prepares prompts for one checkpoint. Takes milliseconds for long texts: call it off the event loop.

    tokenizer and settings are the checkpoint's own, for whoever reads answers and pixels.
    """

    def __init__(self, files: Path, media: MediaConfig, *, context_tokens: int | None = None) -> None:
        """Read tokenizer.json and preprocessor_config.json of a folder; CheckpointError when they are bad.

        context_tokens: of prompt and answer together; tiles of a picture take no more than a share of it.
        """
        self.tokenizer = Tokenizer(files)
        self.settings = PictureSettings.load(files)
        self._template = ChatTemplate(self.tokenizer)
        self._placeholder = self.tokenizer.id_of("<|image|>")
        self._max_side, self._max_tiles = media.max_side, media.max_tiles
        self._picture_tokens = None if context_tokens is None else int(TILED_SHARE * context_tokens)
        self._sheets = Sheets()
        settings = json.dumps([self.settings.mean, self.settings.std, self.settings.patch, self.settings.merge])
        self._settings_tag = hashlib.sha256(settings.encode()).hexdigest()[:8]

    def prepare(self, conversation: Conversation) -> ModelInput:
        """Return the prompt of a conversation that asks for its next answer.

        Raises OptionRefused for a message that the template has no place for, PictureError for an impossible size.
        """
        messages = [self._in_detail(message) for message in conversation.messages]
        tools = conversation.tools
        return self._put_together(self._template.lay_out(messages, thinking=conversation.thinking, tools=tools))

    def prepare_opening(self, picture: PicturePart) -> ModelInput:
        """Return the beginning of every chat that opens with this picture: up to the picture's end, thinking or not."""
        return self._put_together(self._template.opening(picture))

    def _put_together(self, pieces: Iterable[Piece]) -> ModelInput:
        ids: list[int] = []
        pictures: list[PictureInput] = []
        for piece in pieces:
            if isinstance(piece, PicturePart):
                pictures.append(self._place(piece, start=len(ids)))
                ids.extend([self._placeholder] * pictures[-1].num_tokens)
            elif isinstance(piece, str):
                ids.extend(self.tokenizer.encode(piece))
            else:
                ids.append(piece)
        positions, delta = mrope_positions(len(ids), [self._span(picture) for picture in pictures])
        return ModelInput(ids=np.array(ids, np.int64), positions=positions, delta=delta, pictures=tuple(pictures))

    def describe(self, media: Media, detail: Detail = "auto") -> PictureCost:
        """Tell what a picture would cost, before asking."""
        overview = self._cost(media.turned_size, detail)
        tiles = self._tiling(media, overview.num_tokens) if detail == "high" else None
        if tiles is None:
            return overview
        return replace(overview, num_tokens=overview.num_tokens + tiles.num_tokens, tiles=tiles)

    def _cost(self, turned_size: tuple[int, int], detail: Detail) -> PictureCost:
        resized = shown_size(turned_size, self.settings, max_side=self._max_side, detail=detail)
        grid, num_tokens = self.settings.grid(resized), self.settings.num_tokens(resized)
        return PictureCost(resized=resized, grid=grid, num_tokens=num_tokens)

    def _tiling(self, media: Media, overview_tokens: int) -> Tiling | None:
        budget = self._picture_tokens
        return plan_tiles(
            media.turned_size,
            self.settings,
            max_side=self._max_side,
            max_tiles=self._max_tiles,
            max_tokens=None if budget is None else budget - overview_tokens,
        )

    def _in_detail(self, message: Message) -> Message:
        """Put its tiles behind each picture that is to be read in detail, as pictures of their own."""
        if not any(isinstance(part, PicturePart) and part.detail == "high" for part in message.parts):
            return message
        return replace(message, parts=tuple(shown for part in message.parts for shown in self._unfolded(part)))

    def _unfolded(self, part: TextPart | PictureRef | PicturePart) -> Iterator[TextPart | PictureRef | PicturePart]:
        yield part
        if not isinstance(part, PicturePart) or part.detail != "high":
            return
        tiles = self.describe(part.media, "high").tiles
        if tiles is not None:
            yield TextPart(text=TILES_FOLLOW.format(rows=tiles.rows, columns=tiles.columns))
            yield from (replace(part, region=region) for region in tiles.regions(part.media.turned_size))

    def _place(self, part: PicturePart, *, start: int) -> PictureInput:
        """A tile is a picture of its own to the engine; its key says what it is a part of."""
        turned_size = part.media.turned_size
        if part.region is not None:
            left, top, right, bottom = part.region
            turned_size = (right - left, bottom - top)
        cost = self._cost(turned_size, part.detail)
        height, width = cost.resized
        place = "" if part.region is None else ":" + ",".join(map(str, part.region))
        key = PictureKey(f"{part.media.sha256}:{height}x{width}:{self._settings_tag}{place}")
        return PictureInput(
            key=key,
            grid=cost.grid,
            resized=cost.resized,
            start=start,
            num_tokens=cost.num_tokens,
            load=partial(_load, key, self._reader(part, cost)),
            param=part.param,
        )

    def _reader(self, part: PicturePart, cost: PictureCost) -> Callable[[], NDArray[np.uint8]]:
        if part.region is None:
            return partial(decode, part.media, shown=cost.resized)
        tiles = self.describe(part.media, "high").tiles
        assert tiles is not None, "a tile is of a picture that is read in tiles"
        sheet = self._sheets.sheet(part.media, shown=tiles.shown, num_parts=tiles.num_tiles)
        return partial(sheet.part, part.region)

    def _span(self, picture: PictureInput) -> PictureSpan:
        merge = self.settings.merge
        return PictureSpan(start=picture.start, rows=picture.grid.h // merge, columns=picture.grid.w // merge)


def _load(key: PictureKey, read: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Decode a picture; an error names the picture, whoever in the end asked for it first."""
    try:
        return read()
    except PictureError as error:
        raise UnreadablePicture(error.message, code=error.code, key=key) from None
