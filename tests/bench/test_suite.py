"""The table of a GPU, on a small server and from figures that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flashsight.bench.measure import Row
from flashsight.bench.process import started_service
from flashsight.bench.soak import soak
from flashsight.bench.suite import CASES, MARKS, PROMPT, TEXT_TOKENS, Outcome, fitting_prompt, run_suite
from flashsight.bench.timeline import timeline
from flashsight.bench.verdict import about_steps, agreements, beside_marks, reaches, side_by_side
from flashsight.bench.wire import Wire
from flashsight.core.errors import RequestError
from flashsight.engine.trace import Event

SMALL = [replace(case, num_clients=min(2, case.num_clients), rounds=1) for case in CASES]
MODEL = "glm-4.6v-flash-web"


async def test_the_whole_table_and_an_overload_run_on_a_small_server(tiny_checkpoint: Path, tmp_path: Path) -> None:
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--max-side", "112", "--max-waiting", "8"]
    kept: list[int] = []
    log_file = tmp_path / "serve.log"
    service = started_service([*flags, "--max-sequences", "4"], log_file=log_file)
    async with service as started, Wire(started.url, model=MODEL) as wire:
        outcome = await run_suite(
            wire, system="here", seed=3, cases=SMALL, num_tokens=3, keep=lambda known: kept.append(len(known.rows))
        )
        prompt = await fitting_prompt(wire)
        soaked = await soak(wire, num_requests=30, num_clients=20, size=112, num_tokens=4, seed=9, quick_seconds=9)
    assert kept == list(range(1, len(CASES) + 1)), "each row is kept when it is there"
    assert "ready" in log_file.read_text()
    assert "0 of them launched ahead, on torch kernels with 0 forms recorded" in about_steps(outcome)
    assert set(outcome.rows) == {case.name for case in CASES}
    for case in SMALL:
        row = outcome.rows[case.name]
        assert (row.num_answers, row.num_failed) == (case.num_clients, 0)
        assert 16 < row.prompt_tokens <= TEXT_TOKENS + 20, "a picture of 112 px is 18 tokens between two others"
    assert PROMPT.startswith(prompt)
    assert 0 < len(prompt) < len(PROMPT), "this tokenizer makes too much of the whole"
    assert outcome.about["model_ready"] is True
    assert Outcome.read(json.dumps(outcome.as_dict())) == outcome
    assert soaked.num_answered + soaked.num_refused == soaked.num_asked == 30
    assert soaked.is_sound, soaked.failures
    assert soaked.after["blocks_used"] == soaked.before["blocks_used"] == 0
    assert soaked.after["process_bytes"] > 0


async def test_a_load_of_which_nothing_is_answered_is_noted_and_the_others_go_on(tiny_checkpoint: Path) -> None:
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--max-side", "112", "--max-pixels", "20000"]
    too_large = replace(SMALL[0], name="too large", size=512)
    small = replace(SMALL[0], name="small", size=112)
    async with started_service(flags) as service, Wire(service.url, model=MODEL) as wire:
        outcome = await run_suite(wire, system="here", seed=3, cases=[too_large, small], num_tokens=3)
    assert list(outcome.rows) == ["small"]
    assert list(outcome.failures) == ["too large"]
    assert "pixels" in outcome.failures["too large"]
    assert Outcome.read(json.dumps(outcome.as_dict())) == outcome


def row_of(name: str, value: float) -> Row:
    return Row(
        system="x",
        workload=name,
        num_answers=9,
        num_failed=0,
        prompt_tokens=383,
        ttft_p50_ms=value,
        ttft_p95_ms=value + 1,
        tpot_ms=value / 4,
        tokens_per_second=1.0,
        answers_per_second=value,
    )


def outcome_of(value: float) -> Outcome:
    rows = {case.name: row_of(case.name, value) for case in CASES}
    return Outcome(system="x", measured_at="now", rows=rows, start_seconds=(value, 2 * value, value), about={})


def test_every_mark_belongs_to_a_load_that_is_run() -> None:
    assert {mark.case for mark in MARKS} == {case.name for case in CASES} | {"start"}
    assert all((mark.figure == "start") == (mark.case == "start") for mark in MARKS)


def test_a_table_says_for_every_mark_what_was_reached() -> None:
    lines = beside_marks(outcome_of(20.0)).splitlines()
    assert len(lines) == 2 + len(MARKS)
    assert lines[2] == "| TTFT, 512 px, 1 client | 20 (21) | ≤ 22 (30) | yes | 54.6 | 2.73x | 66.1 | 13 |"
    assert "| TPOT, 1 client, bf16 | 5 | ≤ 4.70 | no | 6 | 1.20x | 31.1 | 4.10 |" in lines
    assert "| requests/s, 512 px, 8 clients | 20 | ≥ 16 | yes | 13.1 | 1.53x | – | 21 |" in lines
    assert "| process start to first answer, s | 20 (40) | ≤ 15 | no | 119 | 5.95x | – | – |" in lines


def test_a_figure_that_was_not_measured_is_a_dash() -> None:
    few = replace(outcome_of(20.0), rows={}, start_seconds=())
    assert all(line.count("–") >= 2 for line in beside_marks(few).splitlines()[2:])
    assert agreements(few, outcome_of(20.0)) == []


def test_a_goal_holds_for_the_95th_percentile_too() -> None:
    mark = MARKS[0]
    assert reaches(mark, 22, 30)
    assert not reaches(mark, 22, 30.1)
    assert not reaches(mark, 22.1, 22.1)


def test_two_runs_are_compared_figure_by_figure() -> None:
    rows = agreements(outcome_of(20.0), outcome_of(21.0))
    assert [row.change for row in rows] == pytest.approx([0.05] * len(MARKS))
    assert "| 20 | 21 | +5.0% | no |" in side_by_side(rows, within=0.04)
    assert "| no |" not in side_by_side(rows, within=0.051)


def test_a_run_says_how_the_engine_ran_its_steps() -> None:
    engine = {"steps_total": 100, "steps_ahead_total": 90, "kernels_in_use": 1, "forms_recorded": 30}
    gaps = {"gaps_total": 50, "gap_microseconds_total": 1000}
    said = about_steps(replace(outcome_of(1.0), about={"engine": engine | gaps}))
    assert said == (
        "100 steps, 90 of them launched ahead, on kernels of its own with 30 forms recorded, the device idle for 20 us "
        "between two"
    )
    assert about_steps(outcome_of(1.0)) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": {"a": {"x": 1}}}', '{"rows": {}, "start_seconds": 2}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="bench gpu --json"):
        Outcome.read(text)


def test_a_timeline_has_a_bar_for_every_event_at_its_place() -> None:
    events = [Event("decode", "a <picture>", 5.0, 5.010), Event("step", "1 tokens", 5.015, 5.020)]
    root = ElementTree.fromstring(timeline(events, title="a & b"))
    space = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in root.iter(f"{space}rect") if bar.find(f"{space}title") is not None]
    assert [bar.findtext(f"{space}title") for bar in bars] == ["a <picture>: 10.00 ms", "1 tokens: 5.00 ms"]
    lefts, widths = [float(bar.get("x", 0)) for bar in bars], [float(bar.get("width", 0)) for bar in bars]
    assert widths[0] == pytest.approx(2 * widths[1], rel=1e-3)
    assert lefts[1] - lefts[0] == pytest.approx(1.5 * widths[0], rel=1e-3)
