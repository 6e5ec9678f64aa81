"""The GPU's bench at the command line: two runs compared, one request drawn, pointless flags refused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flashsight.bench import suite
from flashsight.bench.suite import Outcome
from flashsight.cli import main
from tests.cli.conftest import Shell


def write_outcome(path: Path, start_seconds: float) -> str:
    outcome = Outcome(system="x", measured_at="now", rows={}, start_seconds=(start_seconds,), about={})
    path.write_text(json.dumps(outcome.as_dict()), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("second", "flags", "status"), [(10.4, [], 0), (10.6, [], 1), (10.6, ["--within", "7"], 0)])
def test_two_runs_agree_within_five_percent_or_as_much_as_asked(
    shell: Shell, tmp_path: Path, second: float, flags: list[str], status: int
) -> None:
    files = [write_outcome(tmp_path / "first.json", 10.0), write_outcome(tmp_path / "second.json", second)]
    said = shell.run("bench", "agree", *files, *flags)
    assert said.status == status, said.err
    assert f"+{(second - 10) * 10:.1f}%" in said.out


def test_a_file_that_is_missing_or_something_else_is_refused(shell: Shell, tmp_path: Path) -> None:
    whole = write_outcome(tmp_path / "first.json", 1.0)
    (tmp_path / "other.json").write_text("[1]")
    for other, words in (("nowhere.json", "cannot be read"), ("other.json", "not what `flashsight bench gpu")):
        said = shell.run("bench", "agree", whole, str(tmp_path / other))
        assert said.status not in (0, 1)
        assert words in said.err


@pytest.mark.parametrize("command", ["gpu", "soak"])
def test_a_bench_of_another_server_refuses_settings_of_its_own(shell: Shell, command: str) -> None:
    said = shell.run("bench", command, "--url", "http://127.0.0.1:1", "--dtype", "float32")
    assert said.status == 2
    assert "--dtype steers the model of this process" in said.err


def test_a_bench_of_another_server_starts_none(shell: Shell) -> None:
    said = shell.run("bench", "gpu", "--url", "http://127.0.0.1:1", "--starts", "2")
    assert said.status == 2
    assert "--starts is of servers that are started here" in said.err


def test_the_start_is_measured_as_often_as_asked_and_kept(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "first.json"
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--served-name", "tiny", "--rounds", "1"]
    monkeypatch.setattr(suite, "CASES", suite.CASES[:1])
    monkeypatch.setattr("sys.argv", ["flashsight", "bench", "gpu", *flags, "--starts", "2", "--json", str(kept)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert len(Outcome.read(kept.read_text(encoding="utf-8")).start_seconds) == 2
    assert "| process start to first answer, s |" in capsys.readouterr().out


def test_one_request_is_drawn_with_a_lane_for_each_kind_of_work(shell: Shell, tiny_checkpoint: Path) -> None:
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--size", "112", "--tokens", "5"]
    said = shell.run("bench", "timeline", "request.svg", *flags)
    assert said.status == 0, said.err
    root = ElementTree.fromstring((shell.folder / "request.svg").read_text(encoding="utf-8"))
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert [title.partition(":")[0] for title in titles].count("1 tokens") == 4
    assert any(title.startswith("request to first token") for title in titles)
    assert [line.split()[0] for line in said.out.splitlines()].count("encode") == 1
