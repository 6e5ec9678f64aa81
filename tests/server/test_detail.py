"""`detail` from the request to the engine: how many tiles, what is computed once, what the answer says of it."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from PIL import Image

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig
from flashsight.core.types import TokenEvent
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import LocalParts, build_chat, build_library, build_local
from flashsight.processing import processor, sheets
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from tests.server.live import Live, serving
from tests.server.support import MODEL
from tests.server.test_manners import until

SIDE = 224
TILE_TOKENS = (SIDE // 28) ** 2


@pytest.fixture(scope="module")
def parts(tiny_checkpoint: Path) -> Iterator[LocalParts]:
    engine = EngineConfig(context_tokens=1024, kv_bytes=16 << 20, picture_cache_bytes=4 << 20, max_sequences=8)
    media = MediaConfig(max_side=SIDE, max_tiles=4)
    built = build_local(Config(model=ModelConfig(path=str(tiny_checkpoint)), engine=engine, media=media))
    yield built
    built.engine.stop()


@pytest.fixture(scope="module")
def live(parts: LocalParts, tiny_checkpoint: Path) -> Iterator[Live]:
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), media=MediaConfig(max_side=SIDE, max_tiles=4))
    readiness = Readiness()
    library = build_library(config, parts)
    chat = build_chat(config, parts, library=library)
    readiness.open(Serving(chat=chat, plan=parts.plan_now, snapshot=parts.engine.snapshot, library=library))
    app = build_app(config.server, readiness=readiness, access=AccessPolicy(), metrics=Metrics())
    with serving(app) as live:
        yield live


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.base}/v1", api_key="unused", max_retries=0, timeout=60) as client:
        yield client


def png(seed: int, size: tuple[int, int] = (2 * SIDE, 2 * SIDE)) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (4, 3), random.Random(seed).randbytes(36)).resize(size).save(file, "PNG")
    return file.getvalue()


def picture(content: bytes, detail: str) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def ask(client: openai.OpenAI, *pictures: dict[str, Any], question: str = "请描述", **fields: Any) -> Any:
    content: list[Any] = [*pictures, {"type": "text", "text": question}]
    messages: list[Any] = [{"role": "user", "content": content}]
    return client.chat.completions.create(model=MODEL, messages=messages, **{"max_tokens": 8} | fields)


def encoded(parts: LocalParts) -> int:
    return parts.engine.snapshot().books.totals.pictures_encoded


def test_high_reads_overview_and_tiles_once_and_says_so(client: openai.OpenAI, parts: LocalParts):
    content, before = png(1), encoded(parts)
    answer = ask(client, picture(content, "high"))
    assert answer.image_tiles == [4]
    assert answer.usage.prompt_tokens_details.image_tokens == 5 * TILE_TOKENS
    assert encoded(parts) == before + 5
    again = ask(client, picture(content, "high"), question="还有呢?")
    assert again.usage.prompt_tokens_details.cached_tokens >= 5 * TILE_TOKENS
    assert encoded(parts) == before + 5


def test_tiles_are_found_in_the_picture_cache_where_the_prefix_differs(client: openai.OpenAI, parts: LocalParts):
    content = png(2)
    ask(client, picture(content, "high"))
    before = encoded(parts)
    answer = ask(client, {"type": "text", "text": "Look here:"}, picture(content, "high"))
    assert answer.usage.prompt_tokens_details.image_cache == "device"
    assert encoded(parts) == before


def test_the_tiles_of_a_picture_are_cut_from_one_decoding(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    for name, module in (("overview", processor), ("tiles", sheets)):
        real = module.decode  # type: ignore[attr-defined]

        def counting(media: Any, *, shown: Any = None, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(media, shown=shown)

        monkeypatch.setattr(module, "decode", counting)
    ask(client, picture(png(3), "high"))
    assert sorted(calls) == ["overview", "tiles"]


def test_the_overview_of_an_upload_is_shared_by_every_detail(client: openai.OpenAI, parts: LocalParts):
    content, before = png(4), encoded(parts)
    made = client.files.create(file=("a.png", content), purpose="vision")
    client.files.wait_for_processing(made.id, poll_interval=0.01)
    assert encoded(parts) == before + 1
    answer = ask(client, {"type": "image_url", "image_url": {"url": made.id, "detail": "high"}})
    assert answer.usage.prompt_tokens_details.cached_tokens >= TILE_TOKENS
    assert encoded(parts) == before + 5


def test_auto_is_the_overview_alone_and_low_a_small_one(client: openai.OpenAI):
    large = png(5, (2048, 2048))
    auto, high = ask(client, picture(large, "auto")), ask(client, picture(large, "high"))
    assert auto.usage.prompt_tokens_details.image_tokens == TILE_TOKENS
    assert "image_tiles" not in auto.model_extra
    assert high.image_tiles == [4]
    mixed = ask(client, picture(png(6), "low"), picture(png(7, (100, 100)), "high"), picture(png(8), "high"))
    assert mixed.image_tiles == [0, 0, 4]


def test_a_stream_and_a_response_say_the_same(client: openai.OpenAI):
    content = png(9)
    chunks = list(ask(client, picture(content, "high"), stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].image_tiles == [4]
    assert all("image_tiles" not in chunk.model_extra for chunk in chunks[:-1])
    url = picture(content, "high")["image_url"]["url"]
    part: Any = {"type": "input_image", "image_url": url, "detail": "high"}
    response: Any = client.responses.create(model=MODEL, input=[{"role": "user", "content": [part]}])
    assert response.image_tiles == [4]


def test_an_estimate_says_how_many_tiles_before_asking(client: openai.OpenAI, parts: LocalParts):
    content, before = png(10), encoded(parts)
    named = picture(content, "high")["image_url"]
    told: Any = client.post("/images/estimate", body={"image_url": named}, cast_to=object)
    assert told["resized"] == {"width": SIDE, "height": SIDE}
    assert told["tiles"] == {
        "count": 4, "rows": 2, "columns": 2, "resized": {"width": SIDE, "height": SIDE}, "image_tokens": 4 * TILE_TOKENS
    }  # fmt: skip
    assert encoded(parts) == before
    assert told["image_tokens"] == ask(client, picture(content, "high")).usage.prompt_tokens_details.image_tokens
    for detail in ("auto", "low"):
        plain: Any = client.post("/images/estimate", body={"image_url": named | {"detail": detail}}, cast_to=object)
        assert plain["tiles"] is None


def test_tokenize_counts_the_tiles(client: openai.OpenAI, live: Live):
    content: list[Any] = [picture(png(11), "high"), {"type": "text", "text": "请描述"}]
    body = {"messages": [{"role": "user", "content": content}]}
    counted = httpx2.post(f"{live.base}/tokenize", json=body, timeout=30).json()["count"]
    assert counted == ask(client, *content[:1]).usage.prompt_tokens


def test_more_detail_than_the_context_holds_is_400_with_the_way_out(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="less detail") as caught:
        ask(client, *(picture(png(seed), "high") for seed in range(20, 24)))
    assert caught.value.code == "context_length_exceeded"


def test_boxes_are_in_pixels_of_the_whole_picture(
    client: openai.OpenAI, parts: LocalParts, monkeypatch: pytest.MonkeyPatch
):
    said = json.dumps({"bbox_2d": [0, 0, 500, 1000]})
    ids = parts.processor.tokenizer.encode(said)
    real = parts.engine.generate

    async def speaking(*args: Any, **kwargs: Any) -> Any:
        async for event in real(*args, **kwargs):
            for number, token in enumerate(ids):
                yield TokenEvent(token=token, stats=event.stats if number == 0 else None)
            yield TokenEvent(token=None, finish="stop")
            return

    monkeypatch.setattr(parts.engine, "generate", speaking)
    answer = ask(client, picture(png(12, (900, 600)), "high"))
    assert answer.image_tiles == [4]
    assert answer.choices[0].message.boxes == [{"picture": 0, "box": [0, 0, 450, 600], "label": None}]


@pytest.mark.parametrize("detail", ["auto", "high"])
def test_a_broken_picture_names_its_field(client: openai.OpenAI, detail: str):
    content = png(13)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, picture(png(14), "low"), picture(content[: len(content) // 2], detail))
    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_two_requests_that_share_a_broken_picture_each_name_their_own_field(
    parts: LocalParts, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
):
    broken, whole = picture(png(15)[:300], "auto"), picture(png(16), "low")
    real, may_fail = processor.decode, threading.Event()

    def held_up(media: Any, *, shown: Any = None) -> Any:
        may_fail.wait(20)
        return real(media, shown=shown)

    monkeypatch.setattr(processor, "decode", held_up)
    params: list[str | None] = []

    def refused(*pictures: dict[str, Any]) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client, *pictures)
        params.append(caught.value.param)

    threads = [threading.Thread(target=refused, args=each) for each in ((broken,), (whole, broken))]
    for number, thread in enumerate(threads):
        thread.start()
        until(lambda number=number: parts.engine.snapshot().books.num_running > number)  # type: ignore[misc]
    may_fail.set()
    for thread in threads:
        thread.join()
    assert sorted(params) == [f"messages[0].content[{place}].image_url.url" for place in (0, 1)]
