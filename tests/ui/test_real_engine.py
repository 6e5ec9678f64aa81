"""The page against the whole road: the launcher's parts over a tiny random checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig
from flashsight.guard import AccessPolicy
from flashsight.launcher.build import LocalParts, build_chat, build_local
from flashsight.server import Metrics, build_app
from flashsight.service import Readiness, Serving
from flashsight.ui import STATIC_FOLDER
from tests.server.live import Live, serving
from tests.ui.conftest import Visit
from tests.ui.pictures import choose, file, mug

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def parts(tiny_checkpoint: Path) -> Iterator[LocalParts]:
    engine = EngineConfig(context_tokens=4096, kv_bytes=32 << 20, picture_cache_bytes=4 << 20, max_sequences=4)
    built = build_local(Config(model=ModelConfig(path=str(tiny_checkpoint)), engine=engine))
    yield built
    built.engine.stop()


@pytest.fixture(scope="module")
def live(parts: LocalParts, tiny_checkpoint: Path) -> Iterator[Live]:
    config = Config(model=ModelConfig(path=str(tiny_checkpoint)), media=MediaConfig(max_side=448))
    readiness, metrics = Readiness(), Metrics()
    chat = build_chat(config, parts, observers=[metrics])
    about = {"model": "tiny", "device": parts.plan.device.name}
    readiness.open(Serving(chat=chat, plan=parts.plan.as_dict, snapshot=parts.engine.snapshot, about=about))
    app = build_app(config.server, readiness=readiness, access=AccessPolicy(), metrics=metrics, page=STATIC_FOLDER)
    with serving(app) as live:
        yield live


def test_a_real_picture_is_answered_and_the_second_time_comes_from_the_cache(visit: Visit, live: Live):
    page = visit(live)
    expect(page.locator("#status")).to_have_text("tiny · CPU · 就绪")
    page.click("#open-settings")
    page.fill("#set-length", "24")
    page.click("#settings .main")
    choose(page, file("mug.png", mug((112, 84))))
    for cached in (False, True):
        page.click("#ask" if not cached else "#retry")
        expect(page.locator("#ask")).to_be_enabled()
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#phase")).to_contain_text("词元")
        assert ("图片缓存" in page.locator("#phase").inner_text()) is cached


def test_stop_frees_the_engine(visit: Visit, live: Live, parts: LocalParts, monkeypatch: pytest.MonkeyPatch):
    logits = parts.loaded.model.logits

    def slowly(hidden_NC: torch.Tensor) -> torch.Tensor:
        time.sleep(0.01)
        return logits(hidden_NC)

    monkeypatch.setattr(parts.loaded.model, "logits", slowly)
    page = visit(live)
    choose(page, file("mug.png", mug((112, 84), colour="#2980b9")))
    page.click("#ask")
    expect(page.locator("#phase")).to_have_text("正在回答")
    assert parts.engine.snapshot().numbers()["num_running"] == 1
    page.keyboard.press("Escape")
    expect(page.locator("#phase")).to_contain_text("已停止")
    end = time.monotonic() + 10
    while (numbers := parts.engine.snapshot().numbers())["num_running"] or numbers["num_waiting"]:
        assert time.monotonic() < end, numbers
        time.sleep(0.02)
    assert page.locator("#answer").inner_text() != ""


def test_a_cut_off_picture_is_refused_in_words(visit: Visit, live: Live):
    page = visit(live)
    choose(page, file("photo.png", mug((400, 300))[:600]))
    page.click("#ask")
    expect(page.locator("#trouble")).to_contain_text("第 1 张图片“photo.png”：图片已损坏或不完整")
