"""Two rounds over the same pictures: what turned is counted as by hand, and chance is called chance."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from flashsight.workbench.compare import WHOLE, Comparison, compare, prompt_difference
from flashsight.workbench.evaluate import fields_of
from flashsight.workbench.gold import read_gold
from flashsight.workbench.records import RunError
from flashsight.workbench.rules import read_rules
from tests.cli.conftest import Shell
from tests.workbench.runs import SCHEMA, Answers, write_run

RULES = read_rules()
GOLD = "图片,类目,颜色\n" + "".join(f"{at},杯子,红\n" for at in range(8))
CUP, BAG = {"category": "杯子", "color": "红"}, {"category": "包", "color": "红色"}
WRONG = {"category": "包", "color": "蓝"}


def rounds(folder: Path, first: Answers, second: Answers, **changes: str) -> Comparison:
    (folder / "gold.csv").write_text(GOLD, encoding="utf-8")
    runs = write_run(folder / "run1", first), write_run(folder / "run2", second, **changes)  # type: ignore[arg-type]
    gold = read_gold(folder / "gold.csv", fields_of(runs[0].manifest), RULES)
    return compare(*runs, RULES, gold)


def test_what_was_fixed_and_broken_is_counted_per_field_and_picture(tmp_path: Path) -> None:
    first = {"0.jpg": WRONG, "1.jpg": CUP, "2.jpg": BAG, "3.jpg": CUP, "4.jpg": None, "extra.jpg": CUP}
    crossed = {"category": "杯子", "color": "蓝"}
    second = {"0.jpg": CUP, "1.jpg": BAG, "2.jpg": crossed, "3.jpg": CUP, "4.jpg": CUP, "late.jpg": CUP}
    told = rounds(tmp_path, first, second)
    assert told.only == (("extra.jpg",), ("late.jpg",))
    assert [(one.id, one.state) for one in told.pictures] == [
        ("0.jpg", "fixed"),
        ("1.jpg", "broken"),
        ("2.jpg", "mixed"),
        ("3.jpg", "same"),
        ("4.jpg", "fixed"),
    ]
    assert told.pictures[2].values == {"category": ("包", "杯子", "杯子"), "color": ("红", "蓝", "红")}
    counts = {name: (one.num_fixed, one.num_broken, one.num_same) for name, one in told.fields.items()}
    assert counts == {"category": (3, 1, 1), "color": (2, 1, 2), WHOLE: (2, 1, 2)}
    assert told.fields["category"].p_value == pytest.approx(2 * (1 + 4) / 2**4)  # McNemar's exact test, 1 of 4
    assert not told.fields["category"].is_real


def test_seven_fixed_and_none_broken_is_no_chance(tmp_path: Path) -> None:
    told = rounds(tmp_path, {f"{at}.jpg": WRONG for at in range(7)}, {f"{at}.jpg": CUP for at in range(7)})
    assert told.fields["color"].p_value == pytest.approx(2 * math.comb(7, 0) / 2**7)
    assert told.fields["color"].is_real


def test_a_number_written_another_way_is_no_other_setting(tmp_path: Path) -> None:
    runs = write_run(tmp_path / "run1", {"0.jpg": CUP}), write_run(tmp_path / "run2", {"0.jpg": CUP})
    settings = {"temperature": 0.0, "seed": 1}, {"temperature": 0, "seed": 2}
    first, second = (
        replace(run, manifest=replace(run.manifest, sampling=said)) for run, said in zip(runs, settings, strict=True)
    )
    assert compare(first, second, RULES).settings == {"seed": ("1", "2")}


def test_without_gold_what_changed_is_listed_and_nothing_is_judged(tmp_path: Path) -> None:
    first = write_run(tmp_path / "run1", {"0.jpg": CUP, "1.jpg": CUP, "2.jpg": None})
    second = write_run(tmp_path / "run2", {"0.jpg": CUP, "1.jpg": WRONG, "2.jpg": CUP})
    told = compare(first, second, RULES)
    assert [(one.state, one.changed) for one in told.pictures] == [
        ("same", ()),
        ("changed", ("category", "color")),
        ("changed", ("category", "color")),
    ]
    assert told.pictures[2].values["color"] == ("—", "红", None)
    assert told.fields == {}


def test_the_difference_of_the_prompts_is_shown() -> None:
    before, after = "你是店员。\n描述商品。\n写文案。", "你是店员。\n描述商品,注明 618 促销。\n写文案。"
    shown = prompt_difference(before, after)
    assert [line for line in shown if line[0] in "+-"] == ["-描述商品。", "+描述商品,注明 618 促销。"]
    assert prompt_difference(before, before) == ()


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"0.jpg": CUP})
    other = {"type": "object", "properties": {**SCHEMA["properties"], "brand": {"type": "string"}}}  # type: ignore[dict-item]
    with pytest.raises(RunError, match="different schemas: brand"):
        compare(run, write_run(tmp_path / "other", {"0.jpg": CUP}, schema=other), RULES)
    with pytest.raises(RunError, match="share no picture"):
        compare(run, write_run(tmp_path / "elsewhere", {"9.jpg": CUP}), RULES)


def test_the_command_shows_prompt_fields_and_pictures(tmp_path: Path) -> None:
    first = {f"{at}.jpg": WRONG for at in range(7)}
    rounds(tmp_path, first, {f"{at}.jpg": CUP for at in range(7)}, prompt="说说[商品]")
    shell = Shell(tmp_path)
    said = shell.run("compare", "run1", "run2", "--gold", "gold.csv")
    assert said.status == 0, said.err
    assert "+说说[商品]" in said.out
    assert "p = 0.0156: better 变好" in said.out
    assert "color: 蓝 → 红 (right: 红)" in said.out
    told = json.loads(shell.run("compare", "run1", "run2", "--gold", "gold.csv", "--json").out)
    assert told["fields"]["color"] == {"fixed": 7, "broken": 0, "same": 0, "p_value": 0.015625, "significant": True}
    assert shell.run("compare", "run1", "nowhere").status == 2
