"""Fields are judged as a person with a pencil would, on tables small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.errors import ConfigError
from flashsight.workbench.metrics import Judgement, attribute_accuracy, classes, f1, judge
from flashsight.workbench.rules import Kind, read_rules

RULES = read_rules()


@pytest.mark.parametrize(
    ("field", "kind", "expected", "got", "score"),
    [
        ("color", "label", ["红"], "红色", 1),
        ("color", "label", ["Ｒｅｄ"], "大红。", 1),
        ("color", "label", ["红"], "蓝", 0),
        ("color", "label", ["红"], None, 0),
        ("color", "label", ["红、白"], "白色/红色", 1),
        ("color", "label", ["红、白"], "红", 0),
        ("brand", "label", ["Blue Sky 蓝天"], "blue  sky蓝天", 1),
        ("waterproof", "label", ["是"], True, 1),
        ("key_features", "labels", ["透气", "轻便"], ["轻便", "透气"], 1),
        ("key_features", "labels", ["透气、轻便、防水"], ["透气", "柔软"], 0.4),
        ("key_features", "labels", ["透气"], [], 0),
        ("price", "number", ["¥1,299.00"], 1299, 1),
        ("price", "number", ["1299"], "1298 元", 0),
        ("weight", "number", ["100"], 101, 1),
        ("weight", "number", ["100"], 101.5, 0),
        ("weight", "number", ["100"], "很轻", 0),
        ("price", "number", ["面议"], "面议", 1),
        ("price", "number", ["12"], None, 0),
    ],
)
def test_a_field_is_judged(field: str, kind: Kind, expected: Sequence[str], got: object, score: float) -> None:
    judged = judge(field, kind, expected, got, RULES)
    assert judged.score == pytest.approx(score)
    assert judged.is_right == (score == 1)


@given(st.frozensets(st.sampled_from("abcdef")), st.frozensets(st.sampled_from("abcdef")))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(expected: frozenset[str], got: frozenset[str]) -> None:
    hits = len(expected & got)
    if not hits:
        assert f1(expected, got) == float(not expected and not got)
        return
    precision, recall = hits / len(got), hits / len(expected)
    assert f1(expected, got) == pytest.approx(2 / (1 / precision + 1 / recall))


def judged(expected: str, got: str) -> Judgement:
    return Judgement(is_right=expected == got, score=float(expected == got), expected=expected, got=got)


def test_recall_and_confusion_are_counted_per_class() -> None:
    pairs = ["鞋鞋", "鞋鞋", "鞋包", "鞋—", "包包", "包鞋", "伞伞"]
    told = classes([judged(*pair) for pair in pairs])
    assert {name: (figure.hits, figure.num) for name, figure in told.recall.items()} == {
        "鞋": (2, 4),
        "包": (1, 2),
        "伞": (1, 1),
    }
    assert {name: (figure.hits, figure.num) for name, figure in told.precision.items()} == {
        "鞋": (2, 3),
        "包": (1, 2),
        "伞": (1, 1),
    }
    assert told.confusion == {"鞋": {"鞋": 2, "包": 1, "—": 1}, "包": {"包": 1, "鞋": 1}, "伞": {"伞": 1}}
    assert told.macro_recall.value == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert told.macro_recall.is_too_few


def test_accuracy_is_averaged_over_pictures_and_passes_over_those_without_gold() -> None:
    figure = attribute_accuracy([[True, True], [True, False], [], [False]])
    assert figure.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert figure.num == 3


def test_the_users_rules_are_laid_over_the_packages(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        '[synonyms.color]\n"红" = ["中国红"]\n[kinds]\nslogan = "text"\n[columns]\ncolor = ["花色"]\n', "utf-8"
    )
    rules = read_rules(file)
    assert rules.canonical("color", "中国红") == rules.canonical("color", "RED") == "红"
    assert rules.kind_of("slogan", None) == "text"
    assert {"花色", "颜色"} <= rules.names_of("color")


def test_a_kind_follows_the_schema_where_no_entry_says_otherwise() -> None:
    types = {"a": "array", "b": ["number", "null"], "c": "string", "key_features": "string", "d": "integer"}
    schema = {"properties": {name: {"type": kind} for name, kind in types.items()}}
    assert [RULES.kind_of(name, schema) for name in types] == ["labels", "number", "label", "labels", "number"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[synonym]\n", r"unknown table \[synonym\]"),
        ("kinds = 3\n", "must be a table"),
        ('[kinds]\ncolor = "colour"\n', "kinds.color .* must be one of category"),
        ("[tolerance]\nprice = -1\n", "tolerance.price .* at least 0"),
        ('[columns]\ncolor = "x"\n', "columns.color .* list of words"),
        ('[synonyms]\ncolor = ["x"]\n', "synonyms.color .* table of lists"),
        ("[[[\n", "not valid TOML"),
    ],
)
def test_wrong_rules_are_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_rules(file)
