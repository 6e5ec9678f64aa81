"""litellm, which many programs speak to models through, drives the whole road and seeks nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server.live import Live
from tests.server.support import MODEL
from tests.server.test_real_engine import live, parts, picture

__all__ = ["live", "parts"]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(live: Live) -> Any:
    """What the client got: a process of its own, as its import is slow and starts threads."""
    words = [live.base, MODEL, picture(61)["image_url"]["url"]]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.server.litellm_client", *words],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_it_gets_an_answer_whole_and_streamed_with_its_usage(told: Any):
    assert told["whole"]
    assert told["whole"] == told["streamed"]
    assert told["finish"] in ("stop", "length")
    prompt, completion, total = told["usage"]
    assert prompt + completion == total
    assert told["streamed_usage"] == [prompt]


def test_it_asks_about_a_picture(told: Any):
    assert told["picture_tokens"] == (112 // 28) * (84 // 28)


def test_it_calls_tools_whole_and_streamed(told: Any):
    name, arguments = told["call"][0]
    assert (name, told["call_finish"]) == ("paint", "tool_calls")
    assert json.loads(arguments)["colour"] in ("red", "blue")
    assert told["streamed_call"] == "".join(arguments for _, arguments in told["call"])


def test_it_gets_json_by_a_schema(told: Any):
    assert json.loads(told["schema"])["a"] in (1, 2)


@pytest.mark.parametrize(
    ("asked", "kind", "status", "words"),
    [
        ("bad_picture", "BadRequestError", 400, "base64"),
        ("bad_picture_streamed", "BadRequestError", 400, "base64"),
        ("bad_model", "NotFoundError", 404, MODEL),
        ("too_long", "ContextWindowExceededError", 400, "maximum context length is 1024"),
    ],
)
def test_it_knows_our_errors_by_their_kind(told: Any, asked: str, kind: str, status: int, words: str):
    assert (told[asked]["kind"], told[asked]["status"]) == (kind, status)
    assert words in told[asked]["said"]


def test_nothing_beside_this_machine_was_sought(told: Any):
    assert told["outside"] == []
