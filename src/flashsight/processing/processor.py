"""From a conversation to what the engine reads. Looks at pictures' headers only; pixels are decoded when asked for.

Placeholders equal pictures by construction: a picture's ids, its place and its positions come from one size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PictureError
from flashsight.core.types import (
    Conversation,
    Detail,
    Grid,
    Media,
    ModelInput,
    PictureInput,
    PictureKey,
    PicturePart,
)
from flashsight.processing.picture import decode
from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.resize import PictureSettings, shown_size
from flashsight.processing.template import ChatTemplate, Piece
from flashsight.processing.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCost:
    """What a picture takes in a prompt: (height, width) in pixels as the model is shown it, patches and tokens.

    num_tokens counts the placeholders; a begin and an end token stand around them.
    """

    resized: tuple[int, int]
    grid: Grid
    num_tokens: int


class Processor:
    """Prepares prompts for one checkpoint. Takes milliseconds for long texts: call it off the event loop.

    tokenizer and settings are the checkpoint's own, for whoever reads answers and pixels.
    """

    def __init__(self, files: Path, media: MediaConfig) -> None:
        """Read tokenizer.json and preprocessor_config.json of a folder; CheckpointError when they are bad."""
        self.tokenizer = Tokenizer(files)
        self.settings = PictureSettings.load(files)
        self._template = ChatTemplate(self.tokenizer)
        self._placeholder = self.tokenizer.id_of("<|image|>")
        self._max_side = media.max_side
        settings = json.dumps([self.settings.mean, self.settings.std, self.settings.patch, self.settings.merge])
        self._settings_tag = hashlib.sha256(settings.encode()).hexdigest()[:8]

    def prepare(self, conversation: Conversation) -> ModelInput:
        """Return the prompt of a conversation that asks for its next answer.

        Raises OptionRefused for a message that the template has no place for, PictureError for an impossible size.
        """
        messages, tools = conversation.messages, conversation.tools
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
        resized = shown_size(media.turned_size, self.settings, max_side=self._max_side, detail=detail)
        grid, num_tokens = self.settings.grid(resized), self.settings.num_tokens(resized)
        return PictureCost(resized=resized, grid=grid, num_tokens=num_tokens)

    def _place(self, part: PicturePart, *, start: int) -> PictureInput:
        cost = self.describe(part.media, part.detail)
        height, width = cost.resized
        return PictureInput(
            key=PictureKey(f"{part.media.sha256}:{height}x{width}:{self._settings_tag}"),
            grid=cost.grid,
            resized=cost.resized,
            start=start,
            num_tokens=cost.num_tokens,
            load=partial(_load, part, cost.resized),
        )

    def _span(self, picture: PictureInput) -> PictureSpan:
        merge = self.settings.merge
        return PictureSpan(start=picture.start, rows=picture.grid.h // merge, columns=picture.grid.w // merge)


def _load(part: PicturePart, shown: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a picture; an error names the field of the request."""
    try:
        return decode(part.media, shown=shown)
    except PictureError as error:
        raise PictureError(error.message, code=error.code, param=part.param) from None
