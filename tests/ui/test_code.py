"""What is copied as code runs as it stands, asks what the page asked, and runs nothing that a question says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Page, expect

from flashsight.core.config import ServerConfig
from flashsight.core.types import JsonConstraint, PicturePart
from flashsight.presets import load_presets
from tests.server.scripted import saying
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file, mug
from tests.ui.test_answer import ask, outline

pytestmark = pytest.mark.browser

KEY = "a-key-of-the-house"
QUESTION = 'a "quoted" $HOME $(touch ran) `touch ran` ${x} {y} \\ back\\nslash\nFLASHSIGHT_JSON\nend \'"""'
NAME = "it's \"$(touch ran)`touch ran`${x}.png"
COMMANDS = {
    "curl": ["bash", "request"],
    "python": [sys.executable, "request"],
    "javascript": [str(compute_driver_executable()[0]), "request.mjs"],
}


def copied(page: Page, language: str) -> str:
    page.click("#code")
    page.click(f"#code-{language}")
    expect(page.locator(f"#code-{language}")).to_have_text("已复制")
    code = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(code, str)
    return code


def run(code: str, language: str, folder: Path, **environment: str) -> str:
    if language == "curl" and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    command = COMMANDS[language]
    (folder / command[1]).write_text(code, encoding="utf-8")
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("language", COMMANDS)
def test_copied_code_runs_as_it_stands_and_asks_what_the_page_asked(
    visit: Visit, house: PageHouse, tmp_path: Path, language: str
):
    page = visit(house, permissions=["clipboard-read", "clipboard-write"])
    pictures = {NAME: mug((40, 30)), "b.png": mug((40, 40))}
    choose(page, *(file(name, content) for name, content in pictures.items()))
    page.get_by_role("button", name="商品", exact=True).click()
    ask(page, QUESTION)
    ask(page, "还有呢？")
    code = copied(page, language)
    assert "base64," in code
    assert len(code) < 6000
    for name, content in pictures.items():
        (tmp_path / name).write_bytes(content)
    assert "白杯" in run(code, language, tmp_path)
    assert not (tmp_path / "ran").exists()
    (by_page, _), (by_code, sampling) = house.backend.asked[-2:]
    assert outline(by_code) == outline(by_page)
    assert outline(by_code)[0] == ("user", 2, QUESTION)
    sent = [part.media.content for part in by_code.messages[0].parts if isinstance(part, PicturePart)]
    assert sent == list(pictures.values())
    assert isinstance(sampling.constraint, JsonConstraint)
    assert sampling.constraint.schema == load_presets()["product"].schema


@pytest.mark.parametrize("language", COMMANDS)
def test_a_key_is_taken_from_the_environment_and_never_written_into_code(visit: Visit, tmp_path: Path, language: str):
    house = PageHouse(config=ServerConfig(api_keys=(KEY,)))
    house.open()
    house.start()
    try:
        page = visit(house, path=f"/#key={KEY}", permissions=["clipboard-read", "clipboard-write"])
        ask(page, "一")
        code = copied(page, language)
        assert KEY not in code
        assert "白杯" in run(code, language, tmp_path, FLASHSIGHT_API_KEY=KEY)
    finally:
        house.stop()


def test_a_refusal_is_printed_by_the_copied_javascript(visit: Visit, house: PageHouse, tmp_path: Path):
    page = visit(house, permissions=["clipboard-read", "clipboard-write"])
    house.says(*saying("好"))
    ask(page, "一")
    code = copied(page, "javascript").replace("a-model-of-another-name", "no-such-model")
    assert "no-such-model" in code
    assert "this server serves" in run(code, "javascript", tmp_path)
