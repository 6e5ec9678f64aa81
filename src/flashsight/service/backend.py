"""The door to whatever answers a conversation. Knows no HTTP and no way of answering."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from flashsight.core.types import Caller, Conversation, Delta, Detail, Media, PictureRef, PromptStats, Sampling
from flashsight.processing.processor import PictureCost


class ChatBackend(Protocol):
    """Answers conversations."""

    def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of all `sampling.n` choices; one Finish for each of them, Usage last.

        Closing the generator early (`aclosing`) abandons the work. Errors of the request (PromptTooLong, SchemaError,
        PictureError, Overloaded …) come before the first delta wherever they can be known then.
        """


class PromptReader(Protocol):
    """Tells how the model would read a prompt, without answering it."""

    @property
    def context_tokens(self) -> int:
        """The limit of prompt and answer together."""

    async def read(self, prompt: Conversation | str) -> list[int]:
        """Return the ids of a conversation that asks for its next answer, or of a bare text; no picture is decoded."""


class PictureReader(Protocol):
    """Knows what a picture costs, and reads it before anybody asks."""

    async def prewarm(self, media: Media, *, caller: Caller, request_id: str) -> PromptStats:
        """Bring the beginning of a chat that opens with this picture into the caches, behind all answers.

        Cancelling it drops the work. Raises PictureError if it can't be decoded, PromptTooLong, Overloaded or NotReady.
        """

    def cost(self, media: Media, detail: Detail) -> PictureCost:
        """Tell what the picture takes in a prompt, from its header alone."""


class UploadGate(Protocol):
    """Turns uploaded bytes into a checked picture, without decoding a pixel."""

    async def admit_bytes(self, content: bytes, *, param: str) -> Media:
        """Raise PictureError naming `param`, the reason and the limit."""


class PictureGate(Protocol):
    """Turns a picture's reference into checked bytes, without decoding a pixel."""

    async def admit(self, ref: PictureRef) -> Media:
        """Raise PictureError naming `ref.param`, the reason and the limit."""
