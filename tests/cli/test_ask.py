from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from openai import OpenAI
from PIL import Image

from tests.cli.conftest import Shell

QUESTION = "What is in this picture?"
SCHEMA = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "blue"]}},
    "required": ["color"],
    "additionalProperties": False,
}


def openai_answer(service: str, picture: Path) -> str:
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    client = OpenAI(base_url=f"{service}/v1", api_key="any")
    reply = client.chat.completions.create(
        model="glm-4.6v-flash-web",
        messages=[
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}],
            }
        ],
        max_tokens=12,
        temperature=0,
    )
    return reply.choices[0].message.content or ""


def test_the_answer_is_the_same_here_there_and_from_openais_client(
    shell: Shell, service: str, tiny_checkpoint: Path, red_picture: Path
) -> None:
    words = ("ask", str(red_picture), QUESTION, "--max-tokens", "12")
    there = shell.run(*words, "--url", service)
    here = shell.run(*words, "--model-path", str(tiny_checkpoint))
    assert there.status == here.status == 0, there.err + here.err
    assert there.out == here.out
    assert there.out.rstrip("\n") == openai_answer(service, red_picture).rstrip("\n")


def test_a_picture_comes_from_standard_input_too(shell: Shell, service: str, red_picture: Path) -> None:
    words = (QUESTION, "--max-tokens", "8", "--url", f"{service}/v1")
    piped = shell.run("ask", "-", *words, stdin=red_picture.read_bytes())
    assert piped.status == 0, piped.err
    assert piped.out == shell.run("ask", str(red_picture), *words).out


def test_without_a_question_the_picture_is_described(shell: Shell, service: str, red_picture: Path) -> None:
    words = ("--max-tokens", "8", "--url", service)
    silent = shell.run("ask", str(red_picture), *words)
    assert silent.out == shell.run("ask", str(red_picture), "请描述这张图片的内容", *words).out
    assert silent.status == 0


def test_an_answer_fits_the_schema(shell: Shell, service: str, red_picture: Path) -> None:
    (shell.folder / "schema.json").write_text(json.dumps(SCHEMA))
    said = shell.run("ask", str(red_picture), "color?", "--json-schema", "schema.json", "--url", service)
    assert said.status == 0, said.err
    jsonschema.validate(json.loads(said.out), SCHEMA)


def test_stats_come_last_and_not_into_the_answer(shell: Shell, service: str, red_picture: Path) -> None:
    words = ("ask", str(red_picture), QUESTION, "--max-tokens", "8", "--url", service)
    plain, told = shell.run(*words), shell.run(*words, "--stats")
    assert told.out == plain.out
    for piece in ("decode", "encode", "prefill", "first", "cached"):
        assert piece in told.err
    assert "8 tokens" in told.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nowhere.png", "what?"), 3, "there is no picture 'nowhere.png'"),
        (("first.png", "second.jpg"), 3, "there is no picture 'first.png'"),
        (("{picture}", "  "), 2, "the question is empty"),
        (("{picture}", "--json-schema", "nowhere.json"), 2, "cannot be read"),
        (("{picture}", "--url", "127.0.0.1:80"), 2, "--url must be like"),
        (("{picture}", "--url", "http://127.0.0.1:9", "--device", "cpu"), 2, "--device steers the model"),
        (("{picture}", "--url", "http://example.org", "--offline"), 2, "offline forbids"),
        (("{picture}", "--api-key", "secret-key"), 2, "--api-key is for a running server"),
        (("{picture}", "--url", "http://127.0.0.1:9"), 4, "no server answers at http://127.0.0.1:9"),
        (("{picture}", "--model-path", "nowhere"), 1, "nowhere"),
        (("{picture}", "--media-root", "nowhere"), 2, "media_root 'nowhere' is no folder"),
    ],
)
def test_a_fault_is_one_sentence_with_its_own_exit_status(
    shell: Shell, red_picture: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    heard = shell.run("ask", *(word.format(picture=red_picture) for word in words))
    assert heard.status == status, heard.err
    assert said in heard.err
    assert heard.out == ""
    assert "Traceback" not in heard.err


def test_a_file_that_is_no_picture_is_refused_with_the_reason(shell: Shell, service: str) -> None:
    (shell.folder / "notes.png").write_text("not a picture")
    said = shell.run("ask", "notes.png", QUESTION, "--url", service)
    assert said.status == 3
    assert "Traceback" not in said.err


def test_ctrl_c_ends_the_answer_and_says_so_by_130(shell: Shell, tiny_checkpoint: Path, red_picture: Path) -> None:
    words = ["ask", str(red_picture), QUESTION, "--max-tokens", "3000", "--model-path", str(tiny_checkpoint)]
    process = subprocess.Popen(
        [sys.executable, "-m", "flashsight", *words],
        env=shell.environment | {"PYTHONUNBUFFERED": "1"},
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert b"Traceback" not in err


def test_a_preset_asks_its_question_and_holds_the_answer_to_its_schema(
    shell: Shell, service: str, red_picture: Path
) -> None:
    (shell.folder / "color.toml").write_text(
        'prompt = { zh = "什么颜色？用 JSON 写出 color。", en = "Which color? Write color as JSON." }\n'
        '[schema]\ntype = "object"\nrequired = ["color"]\nadditionalProperties = false\n'
        '[schema.properties]\ncolor = { enum = ["red", "blue"] }\n',
        encoding="utf-8",
    )
    words = ("ask", str(red_picture), "--preset", "color", "--presets-folder", str(shell.folder), "--url", service)
    said = shell.run(*words)
    assert said.status == 0, said.err
    jsonschema.validate(json.loads(said.out), SCHEMA)
    plain = ("ask", str(red_picture), "Which color? Write color as JSON.", "--url", service, "--max-tokens", "8")
    (shell.folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    spelled_out = shell.run(*plain, "--json-schema", str(shell.folder / "schema.json"))
    assert shell.run(*words, "--language", "en", "--max-tokens", "8").out == spelled_out.out


def test_an_unknown_preset_or_a_language_without_one_is_refused(shell: Shell, red_picture: Path) -> None:
    unknown = shell.run("ask", str(red_picture), "--preset", "tikket")
    assert unknown.status == 2
    assert "did you mean ticket?" in unknown.err
    assert shell.run("ask", str(red_picture), "--language", "en").status == 2


def test_presets_lists_the_packages_and_ones_own(shell: Shell) -> None:
    (shell.folder / "meter.toml").write_text('prompt = "读数"\n', encoding="utf-8")
    listed = shell.run("presets", "--presets-folder", str(shell.folder))
    assert listed.status == 0, listed.err
    assert all(name in listed.out for name in ("ticket", "moderation", "meter"))
    as_json = json.loads(shell.run("presets", "--json").out)
    assert [preset["name"] for preset in as_json][-1] == "moderation"
    assert shell.run("presets", "--presets-folder", "nowhere").status == 2


def test_detail_is_how_closely_pictures_are_read(shell: Shell, service: str) -> None:
    Image.new("RGB", (1400, 300), (20, 200, 30)).save(shell.folder / "wide.png")
    words = ("ask", "wide.png", QUESTION, "--max-tokens", "4", "--url", service, "--stats", "--detail")
    low, auto, high = (shell.run(*words, detail) for detail in ("low", "auto", "high"))
    assert low.status == auto.status == high.status == 0, high.err
    num_tokens = [int(re.findall(r"(\d+) of pictures", said.err)[0]) for said in (low, auto, high)]
    assert num_tokens == sorted(set(num_tokens))
    assert "2 tiles" in high.err
    assert "tiles" not in auto.err
    assert shell.run(*words, "max").status == 2
