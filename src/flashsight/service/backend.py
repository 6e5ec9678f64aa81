"""The door to whatever answers a conversation. Knows no HTTP and no way of answering."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from flashsight.core.types import Conversation, Delta, Media, PictureRef, Sampling


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


class PictureGate(Protocol):
    """Turns a picture's reference into checked bytes, without decoding a pixel."""

    async def admit(self, ref: PictureRef) -> Media:
        """Raise PictureError naming `ref.param`, the reason and the limit."""
