"""POST /tokenize against the whole road: what it counts is what a chat then reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from tokenizers import Tokenizer as FastTokenizer

from flashsight.launcher.build import LocalParts
from tests.server.live import Live
from tests.server.test_real_engine import CONTEXT, HELLO, about, ask, client, live, parts, picture

__all__ = ["client", "live", "parts"]


def counted(live: Live, **body: Any) -> httpx2.Response:
    return httpx2.post(f"{live.base}/tokenize", json=body, timeout=30)


@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("messages", [HELLO, about(picture(21)), about(picture(22, (112, 84)), picture(23, (56, 140)))])
def test_the_count_is_that_of_the_chats_usage(live: Live, client: openai.OpenAI, messages: list[Any], thinks: bool):
    thinking = {"type": "enabled" if thinks else "disabled"}
    told = counted(live, messages=messages, thinking=thinking).json()
    usage = ask(client, messages, max_tokens=1, extra_body={"thinking": thinking}).usage
    assert told["count"] == len(told["tokens"]) == usage.prompt_tokens
    assert told["max_model_len"] == CONTEXT


def test_a_pictures_tokens_are_placeholders_and_no_pixel_is_decoded(
    live: Live, parts: LocalParts, tiny_checkpoint: Path
):
    before = parts.engine.snapshot().books.totals.pictures_encoded
    tokens = counted(live, messages=about(picture(24, (112, 84)))).json()["tokens"]
    placeholder = FastTokenizer.from_file(str(tiny_checkpoint / "tokenizer.json")).token_to_id("<|image|>")
    assert tokens.count(placeholder) == (112 // 28) * (84 // 28)
    assert parts.engine.snapshot().books.totals.pictures_encoded == before


@pytest.mark.parametrize("text", ["", "请描述 this picture", "a <|image|> typed as text"])
def test_a_text_is_tokenised_as_it_is_and_reads_back(live: Live, tiny_checkpoint: Path, text: str):
    told = counted(live, text=text).json()
    reader = FastTokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))
    assert reader.decode(told["tokens"], skip_special_tokens=True) == text


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "messages", "invalid_request"),
        ({"text": "a", "messages": HELLO}, "messages", "invalid_request"),
        ({"text": "a", "thinking": {"type": "enabled"}}, "text", "invalid_request"),
        ({"text": 3}, "text", "invalid_request"),
        ({"text": "a", "add_special_tokens": True}, "add_special_tokens", "unsupported_option"),
        ({"messages": about({"type": "image_url", "image_url": "data:image/png;base64,AA=="})},
         "messages[0].content[0].image_url", "image_format"),
        ({"messages": HELLO, "thinking": {"type": "enabled", "budget_tokens": 9}},
         "thinking.budget_tokens", "unsupported_option"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused_by_name(live: Live, body: dict[str, Any], param: str, code: str):
    answer = counted(live, **body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)


def test_an_unknown_model_is_404(live: Live):
    for asked in ({"messages": HELLO}, {"text": "a"}):
        answer = counted(live, **asked, model="gpt-9")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
