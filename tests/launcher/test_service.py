"""A service in a process of its own: started, found, asked, told to go."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.cli.conftest import Shell, red_picture, shell

__all__ = ["red_picture", "shell"]


def health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/health", timeout=10) as response:
        return dict(json.load(response))


def record(shell: Shell) -> dict[str, Any]:
    return dict(json.loads((shell.folder / ".flashsight" / "service.json").read_text()))


def start(shell: Shell, checkpoint: Path, *words: str, **variables: str) -> Any:
    return shell.run("serve", "--background", "--port", "0", "--model-path", str(checkpoint), *words, **variables)


def is_gone(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()[:1] in ("", "Z")


def test_a_service_starts_once_is_found_and_ends(shell: Shell, tiny_checkpoint: Path) -> None:
    first = start(shell, tiny_checkpoint)
    assert first.status == 0, first.err + shell.run("logs").out
    known = record(shell)
    assert known["url"] in first.err
    assert health(known["url"])["model_ready"] is True

    again = start(shell, tiny_checkpoint)
    assert again.status == 0
    assert "already running" in again.err
    assert record(shell)["pid"] == known["pid"]
    assert f"pid {known['pid']}" in shell.run("status").out

    lines = [json.loads(line) for line in shell.run("logs", "-n", "500").out.splitlines()]
    phases = [line["phase"] for line in lines if line["event"] == "loading"]
    assert phases[0] == "loading libraries"
    assert phases[-1] == "first run"
    assert any(line["event"] == "ready" and line["weight_bytes"] > 0 for line in lines)

    assert shell.run("stop").status == 0
    assert shell.run("status").status == 1
    assert is_gone(known["pid"])


def test_stop_touches_no_process_that_it_did_not_start(shell: Shell) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        state = shell.folder / ".flashsight"
        state.mkdir()
        url = "http://127.0.0.1:9"
        fields = {"pid": stranger.pid, "born": "1", "url": url, "urls": [url], "log": str(state / "service.log")}
        (state / "service.json").write_text(json.dumps(fields))
        assert shell.run("status").status == 1
        assert "not running" in shell.run("stop").out
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_service_that_cannot_load_ends_with_the_reason(shell: Shell) -> None:
    broken = shell.folder / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    said = start(shell, broken)
    assert said.status == 1
    assert "holds no *.safetensors file" in said.err
    assert "Traceback" not in said.err
    assert shell.run("status").status == 1


def test_a_taken_port_is_told_at_once(shell: Shell, tiny_checkpoint: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words in (("--background",), ()):
            said = shell.run("serve", *words, "--port", port, "--model-path", str(tiny_checkpoint))
            assert said.status == 2
            assert f"port {port}" in said.err
            assert "--port" in said.err


def test_off_loopback_a_key_is_made_printed_and_needed(shell: Shell, tiny_checkpoint: Path) -> None:
    said = start(shell, tiny_checkpoint, "--host", "0.0.0.0")
    assert said.status == 0, said.err
    try:
        (key,) = [word for word in said.err.split() if word.startswith("fs-")]
        url = record(shell)["url"]
        assert key not in shell.run("logs", "-n", "500").out
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/v1/models", timeout=10)
        assert refused.value.code == 401
        refused.value.close()
        assert OpenAI(base_url=f"{url}/v1", api_key=key).models.list().data[0].id == "glm-4.6v-flash-web"
    finally:
        assert shell.run("stop").status == 0


def serve_in_foreground(shell: Shell, *words: str) -> subprocess.Popen[bytes]:
    with (shell.folder / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "flashsight", "serve", *words],
            cwd=shell.folder,
            env=shell.environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if health(url)["model_ready"]:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("never ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_under_way_is_finished_before_the_end(
    shell: Shell, tiny_checkpoint: Path, red_picture: Path, number: int
) -> None:
    port = free_port()
    process = serve_in_foreground(shell, "--port", str(port), "--model-path", str(tiny_checkpoint))
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        client = OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
        picture = "data:image/png;base64," + base64.b64encode(red_picture.read_bytes()).decode()
        content: Any = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "what?"}]
        stream = client.chat.completions.create(
            model="glm-4.6v-flash-web",
            messages=[{"role": "user", "content": content}],
            max_tokens=150,
            extra_body={"ignore_eos": True},
            stream=True,
        )
        chunks = iter(stream)
        next(chunks)
        os.kill(process.pid, number)
        finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert finishes[-1] == "length"
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    said = (shell.folder / "said").read_text()
    assert url in said
    assert "Traceback" not in said


def test_health_answers_while_the_model_still_loads(shell: Shell, tiny_checkpoint: Path) -> None:
    port = free_port()
    process = serve_in_foreground(shell, "--port", str(port), "--model-path", str(tiny_checkpoint))
    seen: list[dict[str, Any]] = []
    done = threading.Event()
    try:
        for _ in range(600):
            try:
                seen.append(health(f"http://127.0.0.1:{port}"))
            except OSError:
                time.sleep(0.02)
                continue
            if seen[-1]["model_ready"]:
                done.set()
                break
            time.sleep(0.02)
        assert done.is_set()
        assert seen[0]["model_ready"] is False
        assert seen[0]["phase"] in ("starting", "loading libraries")
        assert [state["seconds"] for state in seen] == sorted(state["seconds"] for state in seen)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 0
