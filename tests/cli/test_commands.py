from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flashsight
from flashsight.core.settings import MASK, SETTINGS
from tests.cli.conftest import ROOT, Shell

COMMANDS = ("version", "serve", "ask", "doctor", "config", "status", "stop", "logs")


def test_help_lists_every_command_and_imports_no_torch() -> None:
    code = (
        "import sys\nsys.argv = ['flashsight', '--help']\n"
        "from flashsight.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'fastapi', 'uvicorn', 'numpy', 'PIL', 'transformers'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in ended.stdout
    assert all(re.search(rf"\b{command}\b", ended.stdout) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(shell: Shell, command: str) -> None:
    said = shell.run(command, "--help")
    assert said.status == 0
    assert f"flashsight {command}" in said.out


@pytest.mark.parametrize("words", ["version", "--version"])
def test_version_is_the_packages(shell: Shell, words: str) -> None:
    assert shell.run(words).out.strip() == flashsight.__version__


@pytest.mark.parametrize(
    "words", [("serve", "--prot", "1"), ("sing",), ("ask",), ("config", "surplus"), ("logs", "-n", "0")]
)
def test_what_is_not_understood_is_refused(shell: Shell, words: tuple[str, ...]) -> None:
    said = shell.run(*words)
    assert said.status == 2
    assert said.out == ""


def test_config_tells_values_and_origins_and_masks_secrets(shell: Shell) -> None:
    (shell.folder / "flashsight.toml").write_text('max_side = 512\napi_key = ["hunter2-hunter2"]\n')
    said = shell.run("config", "--port", "9001", "--json", FLASHSIGHT_MAX_PICTURES="3")
    described = json.loads(said.out)
    assert list(described) == list(SETTINGS)
    assert described["port"] == {"value": 9001, "from": "--port"}
    assert described["max_pictures"] == {"value": 3, "from": "FLASHSIGHT_MAX_PICTURES"}
    assert described["max_side"] == {"value": 512, "from": "flashsight.toml"}
    assert described["host"] == {"value": "127.0.0.1", "from": "default"}
    assert described["api_key"]["value"] == [MASK]
    assert "hunter2" not in said.out + shell.run("config").out


@pytest.mark.parametrize(
    ("flag", "name", "value"), [("--server-name", "host", "0.0.0.0"), ("--server-port", "port", 7860)]
)
def test_gradios_words_mean_the_address_of_the_page(shell: Shell, flag: str, name: str, value: object) -> None:
    described = json.loads(shell.run("config", flag, str(value), "--json").out)
    assert described[name] == {"value": value, "from": f"--{name}"}


def test_a_bad_setting_is_one_sentence_and_exit_status_2(shell: Shell) -> None:
    said = shell.run("config", FLASHSIGHT_PROT="1")
    assert said.status == 2
    assert "did you mean FLASHSIGHT_PORT?" in said.err
    assert "Traceback" not in said.err


def test_status_stop_and_logs_without_a_service(shell: Shell) -> None:
    assert shell.run("status").status == 1
    assert json.loads(shell.run("status", "--json").out)["is_running"] is False
    assert shell.run("stop").status == 0
    assert shell.run("logs").status == 1


def test_the_doctor_finds_a_whole_checkpoint_good(shell: Shell, tiny_checkpoint: Path) -> None:
    said = shell.run("doctor", "--model-path", str(tiny_checkpoint), "--port", "0", "--json")
    described = json.loads(said.out)
    verdicts = {finding["check"]: finding["verdict"] for finding in described["findings"]}
    assert verdicts["model"] == verdicts["port"] == "ok"
    assert said.status == 0
    fitting = {(fit["model"], fit["precision"]): fit["weight_bytes"] for fit in described["fits"]}
    assert {model for model, _ in fitting} == {"nano", "glm-4.6v-flash"}
    sizes = [fitting["glm-4.6v-flash", precision] for precision in ("bfloat16", "int8", "int4")]
    assert sizes == sorted(sizes, reverse=True)
    assert 18e9 < sizes[0] < 22e9


def test_the_doctor_names_a_damaged_file_and_its_fix_in_both_languages(shell: Shell, tiny_checkpoint: Path) -> None:
    broken = shell.folder / "model"
    broken.mkdir()
    for file in tiny_checkpoint.iterdir():
        content = file.read_bytes()
        (broken / file.name).write_bytes(content[:-7] if file.suffix == ".safetensors" else content)
    said = shell.run("doctor", "--model-path", str(broken), "--port", "0")
    assert said.status == 1
    assert "model.safetensors" in said.out
    assert "--model-path" in said.out
    assert "重新" in said.out


def test_the_doctor_says_when_the_port_is_taken(shell: Shell, tiny_checkpoint: Path, service: str) -> None:
    port = service.rsplit(":", 1)[1]
    said = shell.run("doctor", "--model-path", str(tiny_checkpoint), "--port", port, "--json")
    (finding,) = [finding for finding in json.loads(said.out)["findings"] if finding["check"] == "port"]
    assert finding["verdict"] == "fail"
    assert port in finding["text"]
    assert "--port" in finding["fix"]
    assert said.status == 1


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--api-key", "x"], 2, "--api-key is for a running server"),
        (["--url", "http://127.0.0.1:1", "--dtype", "float32"], 2, "--dtype steers the model of this process"),
        (["--url", "http://127.0.0.1:1", "--requests", "1"], 4, "no server answers"),
    ],
    ids=["a key for nobody", "a model elsewhere", "no server"],
)
def test_a_bench_refuses_flags_that_play_no_part(shell: Shell, flags: list[str], status: int, said: str) -> None:
    ended = shell.run("bench", "latency", *flags)
    assert ended.status == status
    assert said in ended.err
