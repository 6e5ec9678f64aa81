"""What a user of litellm does, as a process of its own: `python -m tests.server.litellm_client BASE MODEL PICTURE`.

Prints one JSON object: what came back for each thing asked, and every address that was sought beside the server.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

OUTSIDE: list[str] = []
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "paint",
            "parameters": {
                "type": "object",
                "properties": {"colour": {"enum": ["red", "blue"]}},
                "required": ["colour"],
                "additionalProperties": False,
            },
        },
    }
]


def watch_the_network() -> None:
    """Refuse and note every connection that leaves this machine."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def connect_here(one: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            OUTSIDE.append(str(address))
            raise OSError("this machine only")
        connect(one, address)

    def resolve_here(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", "::1", None):
            OUTSIDE.append(str(host))
            raise OSError("this machine only")
        return resolve(host, *rest, **more)

    socket.socket.connect = connect_here  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = resolve_here


def main(base: str, model: str, picture: str) -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    watch_the_network()
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    common: dict[str, Any] = {
        "model": f"openai/{model}", "api_base": f"{base}/v1", "api_key": "unused", "max_tokens": 60, "num_retries": 0
    }  # fmt: skip

    def ask(content: Any, **fields: Any) -> Any:
        return litellm.completion(messages=[{"role": "user", "content": content}], **common | fields)

    def refusal(call: Callable[[], Any]) -> dict[str, Any]:
        try:
            call()
        except Exception as error:  # told to the test, whatever it is
            return {"kind": type(error).__name__, "said": str(error), "status": getattr(error, "status_code", None)}
        return {"kind": "none"}

    def about(url: str) -> list[dict[str, Any]]:
        return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]

    whole = ask("hello")
    chunks = list(ask("hello", stream=True, stream_options={"include_usage": True}))
    seen = ask(about(picture))
    called = ask("paint it", tools=TOOLS, tool_choice="required")
    pieces = list(ask("paint it", tools=TOOLS, tool_choice="required", stream=True))
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    told = {
        "whole": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "usage": [whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens],
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "streamed_usage": [getattr(chunks[-1], "usage", None) and chunks[-1].usage.prompt_tokens],
        "picture_tokens": seen.usage.prompt_tokens_details.image_tokens,
        "call": [[each.function.name, each.function.arguments] for each in called.choices[0].message.tool_calls],
        "call_finish": called.choices[0].finish_reason,
        "streamed_call": "".join(
            each.function.arguments or "" for piece in pieces for each in piece.choices[0].delta.tool_calls or []
        ),
        "schema": ask("hello", response_format=form).choices[0].message.content,
        "bad_picture": refusal(lambda: ask(about("data:image/png;base64,@@@@"))),
        "bad_picture_streamed": refusal(lambda: list(ask(about("data:image/png;base64,@@@@"), stream=True))),
        "bad_model": refusal(lambda: ask("hello", model="openai/gpt-4o")),
        "too_long": refusal(lambda: ask("one two three " * 2000)),
        "outside": OUTSIDE,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
