"""Two places that answer: the engine of this process, or a running server over HTTP. Both are a stream of Delta."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from uuid import uuid4

from flashsight.cli.parts import load_parts
from flashsight.core.config import Config
from flashsight.core.types import Caller, ChatRequest, Conversation, Delta, Salt
from flashsight.service.upstream import UpstreamBackend

TERMINAL = Caller(name="terminal", salt=Salt(b"terminal"))

Ask = Callable[[ChatRequest], AsyncGenerator[Delta, None]]


@contextmanager
def local_answers(config: Config, enter: Callable[[str], None]) -> Iterator[Ask]:
    """Load the model into this process; it is put away at the end."""
    parts = load_parts(config, enter)
    from flashsight.launcher.build import build_chat

    chat = build_chat(config, parts)
    try:
        yield lambda request: chat.stream(request, caller=TERMINAL, request_id="ask")
    finally:
        parts.engine.stop()


def remote_answers(url: str, key: str | None) -> Ask:
    """Ask a server that speaks OpenAI's protocol. `url` with or without /v1; it fetches the pictures' references."""

    async def ask(request: ChatRequest) -> AsyncGenerator[Delta, None]:
        conversation = Conversation(
            messages=request.messages, caller=TERMINAL, request_id=f"ask-{uuid4().hex[:12]}", thinking=request.thinking
        )
        async with (
            UpstreamBackend(url, model=request.model, api_key=key) as upstream,
            aclosing(upstream.stream(conversation, request.sampling)) as deltas,
        ):
            async for delta in deltas:
                yield delta

    return ask
