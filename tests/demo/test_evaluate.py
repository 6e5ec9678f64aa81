"""Scores equal what a hand computes on a few answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.demo.card import model_card
from flashsight.demo.evaluate import edit_distance, failures, score, table, wilson
from flashsight.demo.sample import Pair, Sample
from tests.demo import small

REFUSAL = "不在我的词汇里"
PAIRS = (
    Pair("有哪些按钮？", "确定、取消、帮助", "ui"),
    Pair("读出文字", "你好世界", "read"),
    Pair("Give JSON", '{"color": "red", "price": "9"}', "json"),
    Pair("这是什么？", REFUSAL, "refuse"),
)
SAID = ("确定、取消、删除", "你好世畀", '{"color": "red", "price": "8"}', REFUSAL)


def report(said: tuple[str, ...] = SAID) -> dict[str, dict[str, dict[str, object]]]:
    plain = small.sample(1, "x")
    samples = [Sample("s", plain.pictures, plain.labels, PAIRS)]
    return score(samples, {(0, place): text for place, text in enumerate(said)})  # type: ignore[return-value]


def test_each_skill_gets_its_own_measure() -> None:
    rows = report()["by_skill"]
    assert rows["ui zh"]["items_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert rows["read zh"]["cer"] == 0.25
    assert rows["read zh"]["exact"] == 0
    assert rows["json en"]["json_valid"] == 1
    assert rows["json en"]["fields_right"] == 0.5
    assert rows["refuse zh"]["exact"] == 1
    assert "| read zh | 1 | 0.0 % (0-79) | 0.250 |" in table(report())


def test_a_refusal_of_a_plain_question_is_counted() -> None:
    assert report()["false_refusals"] == 0
    assert report((REFUSAL, *SAID[1:]))["false_refusals"] == pytest.approx(1 / 3, abs=1e-4)


def test_the_model_card_states_what_was_measured() -> None:
    last = {"pictures": 1234567, "seconds": 1080.0, "step": 7000}
    card = model_card({**report(), "seed": 3}, last, 34_800_000)
    assert "34.8 million" in card
    assert "1,234,567 drawn pictures" in card
    assert "in 18 minutes (7,000 steps)" in card
    assert table(report()) in card


def test_failures_show_truth_and_answer() -> None:
    plain = small.sample(1, "x")
    samples = [Sample("s", plain.pictures, plain.labels, PAIRS)]
    found = failures(samples, {(0, place): text for place, text in enumerate(SAID)}, limit=5)
    assert [(row["skill"], row["answer"]) for row in found] == [("ui", SAID[0]), ("read", SAID[1]), ("json", SAID[2])]


@given(st.integers(1, 400).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num))))
def test_intervals_end_where_the_score_test_would_just_reject(counts: tuple[int, int]) -> None:
    right, num = counts
    for bound in wilson(right, num):
        distance, deviation = abs(right / num - bound), (bound * (1 - bound) / num) ** 0.5
        assert distance == pytest.approx(1.959964 * deviation, abs=1e-6)


def slow_distance(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    rest = slow_distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(rest, slow_distance(one[1:], other) + 1, slow_distance(one, other[1:]) + 1)


@given(st.text("ab界", max_size=5), st.text("ab界", max_size=5))
def test_edit_distance_is_the_textbooks(one: str, other: str) -> None:
    assert edit_distance(one, other) == slow_distance(one, other)
