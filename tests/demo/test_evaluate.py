"""Figures equal what a hand computes on a few answers."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.demo.card import BRIEF, brief, model_card
from flashsight.demo.evaluate import (
    Measure,
    Tally,
    bootstrap,
    count,
    edit_distance,
    is_met,
    overall,
    table,
    wilson,
)
from flashsight.demo.gallery import EACH, write_gallery
from flashsight.demo.history import TrainingRun, read_history, write_history
from flashsight.demo.history import told as history_in_words
from flashsight.demo.material import Material
from flashsight.demo.sample import Pair, Sample
from flashsight.demo.scenes.questions import PHRASINGS
from flashsight.demo.suite import ROWS, Case, draw_suite, failures, measure, reworded
from tests.demo import small

ROOT = Path(__file__).parents[2]
TRUE = json.dumps(
    {"category": "food", "color": "red", "material": "not stated", "key_features": ["soft"], "marketing_copy": "Red."}
)


def told(**changes: object) -> str:
    return json.dumps({**json.loads(TRUE), **changes})


@pytest.mark.parametrize(
    ("kind", "truth", "said", "value"),
    [
        ("cer", "你好世界", "你好世畀", 1 / 4),
        ("cer", "你好", "完全不是这样的一句话", 1),
        ("exact", "确定", "确定", 1),
        ("items", "确定、取消、帮助", "确定、取消、删除", 2 / 3),
        ("items", "OK", "OK, Cancel", 2 / 3),
        ("json", TRUE, "{", 0),
        ("json", TRUE, told(color="blue"), 1),
        ("json", TRUE, told(price="9"), 0),
        ("attributes", TRUE, told(marketing_copy="Other."), 1),
        ("attributes", TRUE, told(color="blue"), 0),
        ("close", "1,200元", "1250元", 1),
        ("close", "1,200元", "1261元", 0),
        ("close", "12", "十二", 0),
        ("close", "Q4：53%", "Q4：55%", 1),
        ("close", "Q4：4人", "Q4：9人", 0),
        ("close", "2030: about 5,335", "about 5200", 1),
        ("close", "T10: about 24.9%", "T10 24.9%", 1),
        ("close", "7月：约7万", "七月：约7.3万", 1),
        ("close", "W1: W2: $3", "W1: W2: $9", 0),
        ("label", "周一，12", "周一，13", 1),
        ("invented", "没有报错。", "没有报错。", 0),
        ("invented", "没有报错。", "密码错误", 1),
        ("declined", "不在我的词汇里。", "It is not in my vocabulary.", 1),
        ("refused", "苹果", "图片是空白的，没有可识别的内容。", 1),
        ("refused", "苹果", "梨", 0),
    ],
)
def test_one_answer_counts_as_a_hand_counts(kind: Measure, truth: str, said: str, value: float) -> None:
    counted, of = count(kind, truth, said)
    assert counted / of == pytest.approx(value)


def test_a_tally_tells_languages_apart() -> None:
    tally = Tally("exact")
    for language, said in (("zh", "是"), ("zh", "否"), ("en", "是")):
        tally.add("是", said, language)  # type: ignore[arg-type]
    assert tally.rate().value == pytest.approx(2 / 3)
    assert tally.rate("zh").value == 0.5
    assert (tally.rate("en").num, tally.rate("en").value) == (1, 1)


def test_goals_are_met_from_the_side_that_is_better() -> None:
    assert is_met({"measure": "cer", "value": 0.02, "goal": 0.02})
    assert not is_met({"measure": "cer", "value": 0.03, "goal": 0.02})
    assert is_met({"measure": "exact", "value": 0.96, "goal": 0.95})


def drawn_cases() -> tuple[list[Case], dict[tuple[int, int], str]]:
    plain = small.sample(1, "x")
    pairs = (
        Pair("价格是多少？", "¥9", "card", "price", "zh"),
        Pair("What is the price?", "¥9", "card", "price", "en"),
    )
    row = "card, unseen fonts: price"
    cases = [Case(Sample("card", plain.pictures, plain.labels, pairs), ((row,), (row,)))] * 3
    answers = {(number, place): "¥9" if number else f"¥{place} | [8]" for number in range(3) for place in range(2)}
    return cases, answers


def test_rows_show_each_language_and_the_goal() -> None:
    cases, answers = drawn_cases()
    report = {"rows": measure(cases, answers)}
    assert [row["name"] for row in report["rows"]] == ["card, unseen fonts: price"]
    assert "| card, unseen fonts: price | 6 | 66.7 % (30.0 %–90.3 %) | 66.7 % | 66.7 % | ≥ 95.0 % ✗ |" in table(report)


def test_the_model_card_states_what_was_measured() -> None:
    cases, answers = drawn_cases()
    report = {"rows": measure(cases, answers), "seed": 3, "pictures": 1500, "answers": 6000}
    runs = [TrainingRun(pictures=1234567, seconds=1080.0, steps=7000, devices=2)]
    card = model_card(report, runs, 34_800_000)
    assert "34.8 million" in card
    assert "1,234,567 drawn pictures" in card
    assert "18 minutes on two GPUs (7,000 steps)" in card
    assert "6,000 answers about 1,500 drawn" in card
    assert table(report) in card
    assert "- card, unseen fonts: price: 66.7 %, short by 28.3 points" in card


def test_the_runs_of_a_checkpoint_add_up(tmp_path: Path) -> None:
    runs = [
        TrainingRun(pictures=1_500_000, seconds=780, steps=9200, devices=2, is_about=True),
        TrainingRun(pictures=2_000_000, seconds=1200, steps=12000, devices=1),
    ]
    write_history(tmp_path, runs)
    assert read_history(tmp_path) == runs
    assert read_history(tmp_path / "nowhere") == []
    said = history_in_words(runs)
    assert "About 3,500,000 drawn pictures" in said
    assert "13 minutes on two GPUs (about 9,200 steps); 20 minutes on one GPU (12,000 steps)" in said


def test_the_better_of_two_checkpoints_is_better_over_all_rows() -> None:
    rows = [
        {"measure": "cer", "value": 0.1},
        {"measure": "exact", "value": 0.8},
        {"measure": "refused", "value": 0.0},
    ]
    assert overall(rows) == pytest.approx((0.9 + 0.8 + 1) / 3)


def test_figures_in_short_come_from_rows_that_there_are() -> None:
    names = {row.name for row in ROWS}
    assert {name for shown in BRIEF.values() for name in shown} <= names
    rows = [{"name": name, "value": 0.25, "measure": "exact"} for name in ("card: colour", "card: material")]
    assert brief({"rows": rows}).splitlines()[2:] == [
        "| product cards: price · colour · material · category · all as JSON | 25.0 % · 25.0 % |"
    ]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_figures_of_the_readme_stand_on_the_model_card(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    card = (small.NANO / "MODEL_CARD.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- nano -->\n(.*?)<!-- /nano -->", text, re.DOTALL)
    assert shown is not None
    figures = re.findall(r"\d+\.\d+ %|0\.\d{3}", shown[1])
    assert len(figures) > 15
    assert [figure for figure in figures if f"| {figure} (" not in card] == []


@pytest.mark.parametrize(
    ("readme", "trained", "answered"),
    [
        ("README.md", r"for (\d+) minutes on GPUs and (\d+) on a CPU", r"answers (\d+) truthfully"),
        ("README.zh-CN.md", r"显卡 (\d+) 分钟,CPU (\d+) 分钟", r"如实答对 (\d+) 个"),
    ],
)
def test_what_the_readme_says_of_training_and_examples_is_so(readme: str, trained: str, answered: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    minutes, right = re.search(trained, text), re.search(answered, text)
    assert minutes is not None
    assert right is not None
    card = (small.NANO / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{minutes[1]} minutes on GPUs and {minutes[2]} on a CPU in all" in card
    answers = json.loads((ROOT / "examples" / "pictures" / "answers.json").read_text(encoding="utf-8"))
    assert int(right[1]) == sum(answer["right"] for answer in answers)


def test_a_picture_counts_once_in_a_row(material: Material) -> None:
    for case in draw_suite(material, 5, 2):
        names = [name for names in case.rows for name in names]
        assert len(names) == len(set(names))


def test_the_gallery_shows_the_first_failures_of_a_row(tmp_path: Path) -> None:
    cases, answers = drawn_cases()
    screens = [Case(case.sample, (("UI, seen layouts: title",),) * 2) for case in cases]
    answers = {(number, place): "¥0 | [8]\nno" for number in range(6) for place in range(2)}
    wrong = failures([*cases, *screens], answers, limit=5)
    assert len(wrong) == 10
    page = write_gallery(tmp_path, [*cases, *screens], wrong).read_text(encoding="utf-8")
    assert page.count("| ¥9 | ¥0 \\| (8) ⏎ no |") == 2 * EACH
    assert [path.name for path in (tmp_path / "nano-failures").iterdir()] == ["0003-0.webp"]


def test_every_row_gets_answers_of_its_own_kind(material: Material) -> None:
    cases = draw_suite(material, 3, 1)
    counts: dict[str, int] = {}
    keys = {row.name: row.keys for row in ROWS}
    for case in cases:
        for pair, names in zip(case.sample.pairs, case.rows, strict=True):
            for name in names:
                counts[name] = counts.get(name, 0) + 1
                assert not keys[name] or pair.key in keys[name]
    pages_only = {row.name for row in ROWS if row.source.startswith("pages")}
    assert {row.name for row in ROWS} - set(counts) <= pages_only | {"photo of the vocabulary: name"}
    assert max(counts.values()) == 3
    again = draw_suite(material, 3, 1)
    assert [case.sample.pairs for case in again] == [case.sample.pairs for case in cases]


def test_material_that_shows_seen_fonts_keeps_unseen_styles(material: Material) -> None:
    seeing = material.seeing("fonts")
    assert seeing.fonts("zh", "valid") == material.fonts("zh", "train")
    assert material.fonts("zh", "valid") != material.fonts("zh", "train")
    assert seeing.sprite(random.Random(0), 5, "valid").style == "emojione"
    assert material.seeing("styles").sprite(random.Random(0), 5, "valid").style == "noto"


@given(st.integers(1, 400).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num))))
def test_intervals_end_where_the_score_test_would_just_reject(counts: tuple[int, int]) -> None:
    right, num = counts
    for bound in wilson(right, num):
        distance, deviation = abs(right / num - bound), (bound * (1 - bound) / num) ** 0.5
        assert distance == pytest.approx(1.959964 * deviation, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 9)), min_size=1, max_size=40))
def test_resampled_intervals_are_wilsons_where_all_answers_are_alike(pairs: list[tuple[int, int]]) -> None:
    low, high = bootstrap([(float(a), float(b)) for a, b in pairs])
    shares = [a / b for a, b in pairs]
    if min(shares) == max(shares):
        assert (low, high) == wilson(sum(a for a, _ in pairs), sum(b for _, b in pairs))
    else:
        assert min(shares) - 1e-9 <= low <= high <= max(shares) + 1e-9


def slow_distance(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    rest = slow_distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(rest, slow_distance(one[1:], other) + 1, slow_distance(one, other[1:]) + 1)


@given(st.text("ab界", max_size=5), st.text("ab界", max_size=5))
def test_edit_distance_is_the_textbooks(one: str, other: str) -> None:
    assert edit_distance(one, other) == slow_distance(one, other)


def test_the_suite_in_other_words_asks_the_same(material: Material) -> None:
    cases = draw_suite(material, 3, 1)
    again = reworded(cases, 1)
    num_changed = 0
    for one, other in zip(cases, again, strict=True):
        assert other.rows == one.rows
        for before, after in zip(one.sample.pairs, other.sample.pairs, strict=True):
            assert replace(after, question=before.question) == before
            usual = {text.rstrip("?。.") for text in PHRASINGS[before.key][before.language]}
            if after.question != before.question:
                num_changed += 1
                assert after.question.rstrip("?。.") not in usual
    assert num_changed > 20
    assert [case.sample.pairs for case in reworded(cases, 1)] == [case.sample.pairs for case in again]
