"""Pages that a browser rendered: what is written where, what a panel hides, and what questions may still ask."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flashsight.demo.material import Material
from flashsight.demo.pages.drafts import Lot, a_draft
from flashsight.demo.pages.kits import KITS
from flashsight.demo.pages.layouts import LAYOUTS
from flashsight.demo.pages.rendering import CHROMIUM, Studio, is_legible, labels_of, render_pages
from flashsight.demo.sample import PATCH, Sample
from flashsight.demo.scenes.browser import Browser, shown_screen
from flashsight.demo.scenes.questions import PHRASINGS

LOTS: tuple[Lot, ...] = ("train", "unseen layout", "unseen kit")

SCREEN = {
    "kind": "dialog",
    "language": "zh",
    "title": "打开文件",
    "message": None,
    "error": "密码错误",
    "fields": [],
    "rows": [],
    "tabs": [],
    "buttons": [
        {"text": "取消", "is_primary": False, "is_disabled": False},
        {"text": "重试", "is_primary": True, "is_disabled": True},
        {"text": "帮助", "is_primary": False, "is_disabled": False},
    ],
}
WRITTEN = {  # role: (left, top, text, is covered)
    "title": (28, 28, "打开文件", False),
    "error": (28, 84, "密码错误", False),
    "button.0": (280, 280, "取消", False),
    "button.1": (84, 280, "重试", False),
    "other": (28, 392, "背后", True),
}


def page_entry() -> tuple[bytes, bytes]:
    """A white page of 448 x 448 with grey boxes for letters of 28 pixels; the third button is not shown."""
    picture = Image.new("RGB", (448, 448), (255, 255, 255))
    runs, shown = [], {}
    for role, (left, top, text, is_covered) in WRITTEN.items():
        ends = [left + 28 * (place + 1) for place in range(len(text))]
        ImageDraw.Draw(picture).rectangle((left, top + 4, ends[-1] - 1, top + 23), (120, 120, 120))
        runs.append([role, text, 28, left, top, top + 28, ends, is_covered])
        if role != "other":
            shown[role] = [left - 10, top - 6, ends[-1] + 10, top + 34]
    content = io.BytesIO()
    picture.save(content, "WEBP", lossless=True)
    labels = {"runs": runs, "shown": shown, "screen": SCREEN, "accent": 5, "surface": [255, 255, 255]}
    return content.getvalue(), zlib.compress(json.dumps(labels).encode())


@pytest.fixture
def paged(material: Material, tmp_path: Path) -> Material:
    folder = tmp_path / "material"
    shutil.copytree(material.folder, folder)
    picture, labels = page_entry()
    index = [[lot, "own", "plain", 448, 448, 0, len(picture), len(labels)] for lot in LOTS]
    (folder / "pages.json").write_text(json.dumps(index))
    (folder / "pages.bin").write_bytes(picture + labels)
    return Material(folder)


def drawn(paged: Material, seed: int, split: str = "valid") -> Sample:
    return Browser().draw(random.Random(seed), paged, (448, 448), split)  # type: ignore[arg-type]


def asked(key: str) -> set[str]:
    return {text.rstrip("?？。.") for texts in PHRASINGS[key].values() for text in texts}


def answers(paged: Material, key: str, split: str = "valid") -> set[str]:
    return {
        pair.answer
        for seed in range(60)
        for pair in drawn(paged, seed, split).pairs
        if pair.question.rstrip("?？。.") in asked(key)
    }


def test_buttons_are_answered_in_reading_order_and_only_those_that_show(paged: Material) -> None:
    assert answers(paged, "buttons") == {"重试、取消", "重试, 取消"}
    assert answers(paged, "error") == {"密码错误"}
    assert answers(paged, "disabled") == {"重试"}


def test_letters_label_the_patches_they_cover_and_hidden_ones_teach_nothing(paged: Material) -> None:
    for seed in range(20):
        sample = drawn(paged, seed)
        inked = (sample.pictures[0] < 160).all(-1).reshape(32, PATCH, 32, PATCH).mean((1, 3))
        labels = sample.labels[0].char
        known = {paged.characters.index(char) for _, _, text, hidden in WRITTEN.values() if not hidden for char in text}
        assert set(np.unique(labels)) <= known | {0, -1}
        assert (labels[inked > 0.98] != 0).all()


def test_retyped_pages_say_what_is_answered(paged: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashsight.demo.scenes.browser.RETYPED", 1.0)
    monkeypatch.setattr("flashsight.demo.scenes.browser.SHRUNK", 0.0)
    said = answers(paged, "title", "train")
    assert len(said) > 5
    assert all(len(text.encode("gb18030")) <= 16 for text in said)


def test_material_without_pages_draws_screens_instead(material: Material) -> None:
    assert len(material.pages) == 0
    assert Browser().draw(random.Random(0), material, (448, 448), "valid").scene == "ui"


def test_one_kit_and_some_layouts_are_kept_from_training(material: Material) -> None:
    drafts = {lot: [a_draft(random.Random(seed), material, lot) for seed in range(80)] for lot in LOTS}
    assert {KITS[draft.kit].split for draft in drafts["unseen kit"]} == {"valid"}
    for lot in ("train", "unseen layout"):
        assert {KITS[draft.kit].split for draft in drafts[lot]} == {"train"}
    kept = {name for name, (split, _) in LAYOUTS.items() if split == "valid"}
    assert {draft.layout for draft in drafts["unseen layout"]} <= kept
    assert not kept & {draft.layout for draft in drafts["train"]}


def test_a_page_is_thrown_away_when_something_asked_for_is_cut_off(material: Material) -> None:
    draft = a_draft(random.Random(0), material, "train")

    def seen(share: float, *, is_whole: bool) -> dict[str, Any]:
        return {"runs": [], "boxes": [{"role": "title", "seen": share, "whole": is_whole, "box": [0, 0, 9, 9]}]}

    assert labels_of(draft, seen(1, is_whole=True)) is not None
    assert labels_of(draft, seen(0.4, is_whole=True)) is None
    assert labels_of(draft, seen(1, is_whole=False)) is None
    assert labels_of(draft, seen(0, is_whole=True)) is None


def test_shown_screen_takes_new_words_by_role(paged: Material) -> None:
    page = paged.pages.pick(random.Random(0), ("train",), (448, 448))
    assert page is not None
    screen = shown_screen(page, {"button.1": "再试", "title": "新名"})
    assert [button.text for button in screen.buttons] == ["再试", "取消"]
    assert (screen.title, screen.error) == ("新名", "密码错误")


def test_faint_words_are_not_legible() -> None:
    picture, labels = (
        Image.new("RGB", (100, 40), (250, 250, 250)),
        {"runs": [["title", "x", 20, 2, 2, 30, [40], False]]},
    )
    ImageDraw.Draw(picture).rectangle((5, 5, 30, 20), (240, 240, 240))
    assert not is_legible(picture, labels)
    ImageDraw.Draw(picture).rectangle((5, 5, 30, 20), (100, 100, 100))
    assert is_legible(picture, labels)


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
def test_a_browser_tells_where_it_wrote_each_letter(material: Material, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        studio = Studio(browser.new_page(), material, tmp_path, tmp_path)
        body = '<div style="padding:20px;font-size:30px;color:#000;background:#fff" data-t="title">一 二</div>'
        veil = '<div style="position:fixed;inset:0;background:#fff8"></div>'
        draft = replace(
            a_draft(random.Random(0), material, "train"),
            kit="own",
            size=(336, 448),
            scale=1.25,
            is_dark=False,
            body=body,
        )
        picture, seen = studio.photograph(draft)
        _, hidden = studio.photograph(replace(draft, body=body + veil))
        browser.close()
    assert picture.size == (448, 336)
    labels = labels_of(draft, seen)
    assert labels is not None
    (role, text, size, left, top, bottom, ends, is_covered) = labels["runs"][0]
    assert (role, re.sub(r"\s", " ", text), size, is_covered) == ("title", "一 二", 37.5, False)
    dark = np.argwhere(np.asarray(picture.convert("L")) < 100)
    assert left - 1 <= dark[:, 1].min() <= dark[:, 1].max() <= ends[-1] + 1
    assert top - 1 <= dark[:, 0].min() <= dark[:, 0].max() <= bottom + 1
    assert labels_of(draft, hidden) is None


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
def test_rendered_pages_open_as_samples(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api")
    monkeypatch.setattr("flashsight.demo.pages.drafts.KITS", {name: KITS[name] for name in ("own", "weui")})
    folder = tmp_path / "material"
    shutil.copytree(material.folder, folder)
    num_bytes = render_pages(folder, tmp_path, {"train": 4}, 1, lambda line: None)
    assert (folder / "pages.bin").stat().st_size == num_bytes
    opened = Material(folder)
    assert len(opened.pages) == 4
    lots = [entry[0] for entry in json.loads((folder / "pages.json").read_text())]
    assert lots == ["train"] * 4
    sizes = {(entry[3], entry[4]) for entry in json.loads((folder / "pages.json").read_text())}
    sample = Browser().draw(random.Random(2), opened, next(iter(sizes)), "train")
    assert sample.scene == "browser"
    assert len(sample.pairs) >= 3
