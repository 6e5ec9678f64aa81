"""Pictures before the question, down to the engine: what is computed once, and what is never shared."""

from __future__ import annotations

import base64
import io
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig, ServerConfig
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import LocalParts, build_chat, build_library, build_local
from flashsight.server import Metrics, build_app
from flashsight.service import Pace, Readiness, Serving
from tests.server.live import Live, serving
from tests.server.support import MODEL

KEYS = ("first-key-123", "second-key-456")
SIZE = (448, 448)
TOKENS = (448 // 28) ** 2


@pytest.fixture(scope="module")
def parts(tiny_checkpoint: Path) -> Iterator[LocalParts]:
    engine = EngineConfig(context_tokens=1024, kv_bytes=16 << 20, picture_cache_bytes=4 << 20, max_sequences=8)
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), engine=engine, media=MediaConfig(max_side=448))
    built = build_local(config)
    yield built
    built.engine.stop()


@pytest.fixture(scope="module")
def live(parts: LocalParts, tiny_checkpoint: Path) -> Iterator[Live]:
    config = Config(
        model=ModelConfig(path=str(tiny_checkpoint)),
        media=MediaConfig(max_side=448),
        server=ServerConfig(api_keys=KEYS),
    )
    readiness, metrics = Readiness(), Metrics()
    pace = Pace()
    library = build_library(config, parts, observers=[metrics, pace])
    chat = build_chat(config, parts, observers=[metrics, pace], library=library)
    readiness.open(
        Serving(chat=chat, plan=lambda: parts.plan, snapshot=parts.engine.snapshot, library=library, pace=pace)
    )
    app = build_app(config.server, readiness=readiness, access=AccessPolicy(KEYS), metrics=metrics)
    with serving(app) as live:
        yield live


@pytest.fixture
def clients(live: Live) -> Iterator[list[openai.OpenAI]]:
    made = [openai.OpenAI(base_url=f"{live.base}/v1", api_key=key, max_retries=0, timeout=60) for key in KEYS]
    yield made
    for client in made:
        client.close()


def png(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (4, 3), random.Random(seed).randbytes(36)).resize(size).save(file, "PNG")
    return file.getvalue()


def url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def ask(client: openai.OpenAI, image: str, *before: Any, **fields: Any) -> Any:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": "请描述"}]
    messages: list[Any] = [*before, {"role": "user", "content": parts}]
    return client.chat.completions.create(model=MODEL, messages=messages, **{"max_tokens": 12} | fields)


def upload(client: openai.OpenAI, content: bytes) -> Any:
    made = client.files.create(file=("a.png", content), purpose="vision")
    return client.files.wait_for_processing(made.id, poll_interval=0.01)


def encoded(parts: LocalParts) -> int:
    return parts.engine.snapshot().books.totals.pictures_encoded


def estimate(client: openai.OpenAI, image_url: Any) -> Any:
    return client.post("/images/estimate", body={"image_url": image_url}, cast_to=object)


def test_a_picture_costs_what_was_estimated_before(clients: list[openai.OpenAI], parts: LocalParts):
    content, before = png(20, (300, 200)), encoded(parts)
    told = estimate(clients[0], {"url": url(content), "detail": "low"})
    assert told["estimated_ms"] is None, "no picture has been read yet"
    assert (told["width"], told["height"], told["format"], told["bytes"]) == (300, 200, "png", len(content))
    assert (told["resized"], told["grid"]) == ({"width": 308, "height": 196}, {"t": 1, "h": 14, "w": 22})
    assert encoded(parts) == before
    usage = ask(clients[0], url(content)).usage
    assert told["image_tokens"] == usage.prompt_tokens_details.image_tokens == 77
    again = estimate(clients[0], url(content))
    assert all(spent > 0 for spent in again.pop("estimated_ms").values())
    assert again == {name: value for name, value in told.items() if name != "estimated_ms"}


def test_an_estimate_takes_a_file_of_ones_own_and_refuses_as_a_chat_does(clients: list[openai.OpenAI]):
    file = upload(clients[0], png(21))
    assert estimate(clients[0], {"file_id": file.id})["image_tokens"] == TOKENS
    with pytest.raises(openai.NotFoundError):
        estimate(clients[1], {"file_id": file.id})
    for bad, param in (("data:image/png;base64,@@", "image_url"), ({}, "image_url.url"), (None, "image_url")):
        with pytest.raises(openai.BadRequestError) as caught:
            estimate(clients[0], bad)
        assert caught.value.param == param


@pytest.mark.parametrize("thinking", [False, True])
def test_an_uploaded_picture_is_encoded_once_and_only_what_follows_is_computed(
    clients: list[openai.OpenAI], parts: LocalParts, thinking: bool
):
    content = png(1 + thinking)
    before = encoded(parts)
    file = upload(clients[0], content)
    assert (file.status, file.image["image_tokens"]) == ("processed", TOKENS)
    assert encoded(parts) == before + 1
    answer = ask(clients[0], file.id, extra_body={"thinking": {"type": "enabled" if thinking else "disabled"}})
    details = answer.usage.prompt_tokens_details
    assert details.cached_tokens >= TOKENS
    assert answer.usage.prompt_tokens - details.cached_tokens < 40
    assert (details.image_tokens, details.image_cache) == (TOKENS, "device")
    assert encoded(parts) == before + 1


def test_the_answer_is_the_same_as_without_the_upload(clients: list[openai.OpenAI]):
    content = png(3)
    other = ask(clients[1], url(content)).choices[0].message
    file = upload(clients[0], content)
    assert ask(clients[0], file.id).choices[0].message.content == other.content
    assert ask(clients[0], "sha256:" + file.image["sha256"]).choices[0].message.content == other.content
    assert ask(clients[0], url(content)).choices[0].message.content == other.content


def test_after_instructions_the_encoding_is_still_found(clients: list[openai.OpenAI], parts: LocalParts):
    file = upload(clients[0], png(4))
    before = encoded(parts)
    usage = ask(clients[0], file.id, {"role": "system", "content": "Be short."}).usage
    assert usage.prompt_tokens_details.image_cache == "device"
    assert encoded(parts) == before


def test_another_key_finds_no_block_of_an_upload(clients: list[openai.OpenAI]):
    content = png(5)
    upload(clients[0], content)
    assert ask(clients[1], url(content)).usage.prompt_tokens_details.cached_tokens == 0


def test_questions_that_come_with_the_upload_share_its_work(clients: list[openai.OpenAI], parts: LocalParts):
    content = png(6)
    before = encoded(parts)
    file = clients[0].files.create(file=("a.png", content), purpose="vision")
    answers: list[str] = []

    def answer() -> None:
        answers.append(ask(clients[0], file.id).choices[0].message.content)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clients[0].files.wait_for_processing(file.id, poll_interval=0.01)
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert encoded(parts) == before + 1


def test_a_picture_that_is_cut_off_is_an_error_with_the_reason_and_harms_nobody(clients: list[openai.OpenAI]):
    content = png(7)
    file = upload(clients[0], content[: len(content) // 2])
    assert file.status == "error"
    assert "damaged" in file.status_details
    with pytest.raises(openai.BadRequestError) as caught:
        ask(clients[0], file.id)
    assert caught.value.param == "messages[0].content[0].image_url.url"
    assert upload(clients[0], content).status == "processed"


def test_bytes_that_are_no_picture_are_refused_by_what_they_are(clients: list[openai.OpenAI]):
    with pytest.raises(openai.BadRequestError) as caught:
        clients[0].files.create(file=("cat.png", b"%PDF-1.7 hello"), purpose="vision")
    assert (caught.value.code, caught.value.param) == ("image_format", "file")
