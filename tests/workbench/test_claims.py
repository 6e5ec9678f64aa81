"""Forbidden words and claims without backing are found where a person would mark them, and harmless words are not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from flashsight.core.errors import ConfigError
from flashsight.workbench.claims import findings, forbidden, read_word_rules, unbacked
from flashsight.workbench.evaluate import columns_of
from flashsight.workbench.gold import read_gold
from flashsight.workbench.rules import read_rules
from tests.cli.conftest import Shell
from tests.workbench.runs import write_run

RULES, LAW = read_rules(), read_word_rules()


@pytest.mark.parametrize(
    ("copy", "found"),
    [
        ("全网最低价,销量第一的国家级品质", {"最低": "九", "第一": "九", "国家级": "九", "全网最低": "九"}),
        ("最好用、最 实惠", {"最好": "九", "最": "九"}),
        ("最近上新,最后三天,第一次购买立减", {}),
        ("ＴＯＰ1 单品", {"top1": "九"}),
        ("祛湿治疗失眠,无副作用", {"治疗": "十七", "无副作用": "十六"}),
        ("一款红色的保温杯", {}),
    ],
)
def test_forbidden_words_come_with_their_paragraph(copy: str, found: Mapping[str, str]) -> None:
    told = {words: rule.paragraph for words, rule in forbidden(copy, LAW)}
    assert set(told) == set(found)
    assert all(f"第{article}条" in told[words] for words, article in found.items())
    assert all(rule.suggestion for rule in LAW)


@pytest.mark.parametrize(
    ("copy", "attributes", "claims"),
    [
        ("红色纯棉T恤", {"color": "红", "material": "棉"}, []),
        ("蓝色纯棉T恤", {"color": "红"}, [("colour", "蓝"), ("material", "纯棉")]),
        ("保温12小时,304不锈钢", {"material": "不锈钢", "key_features": "保温 12 小时"}, [("number", "304")]),
        ("透气又防水", {"key_features": "透气"}, [("property", "防水")]),
        ("不透气", {}, []),
        ("只要 29.9 元", {"price": "29.9"}, []),
        ("续航 48 小时", {"price": "29.9"}, [("number", "48 小时")]),
        ("皮实耐用,木纹", {}, []),
    ],
)
def test_what_no_attribute_states_is_flagged(
    copy: str, attributes: Mapping[str, str], claims: list[tuple[str, str]]
) -> None:
    assert list(unbacked(copy, attributes, RULES)) == claims


def test_the_copies_of_a_run_are_checked_and_its_own_attributes_back_them(tmp_path: Path) -> None:
    answers = {
        "a.jpg": {"color": "红色", "price": 12, "marketing_copy": "红色水杯,只要12元"},
        "b.jpg": {"color": "红色", "marketing_copy": "最美的蓝色水杯"},
        "c.jpg": None,
        "d.jpg": "最好的答案不是 JSON",
    }
    run = write_run(tmp_path / "run", answers)
    told = [(one.id, one.field, one.reason, one.words) for one in findings(run, RULES, LAW)]
    assert told == [
        ("b.jpg", "marketing_copy", "forbidden", "最美"),
        ("b.jpg", "marketing_copy", "colour", "蓝"),
        ("d.jpg", "marketing_copy", "forbidden", "最好"),
    ]
    shell = Shell(tmp_path)
    assert "广告法第九条第(三)项" in shell.run("claims", "run").out
    assert len(json.loads(shell.run("claims", "run", "--json").out)["findings"]) == 3


def test_what_the_gold_table_says_of_a_picture_backs_its_copy_and_the_gold_copy_does_not(tmp_path: Path) -> None:
    answers = {
        name: {"color": "红", "marketing_copy": f"红色水杯,仅售 {price} 元"}
        for name, price in (("a.jpg", "1299"), ("b.jpg", "64"), ("c.jpg", "3.105"), ("d.jpg", "9"))
    }
    run = write_run(tmp_path / "run", answers)
    gold = tmp_path / "gold.csv"
    gold.write_text('图片,现价（元）,文案\na,"¥1,299.00",x\nb,64.0,x\nc,"¥3,105",仅售 3.105 元\n', encoding="utf-8")
    table = read_gold(gold, columns_of(run.manifest), RULES)
    told = [(one.id, one.words) for one in findings(run, RULES, LAW, table)]
    assert told == [("c.jpg", "3.105 元"), ("d.jpg", "9 元")]
    assert len(list(findings(run, RULES, LAW))) == 4
    said = Shell(tmp_path).run("claims", "run", "--gold", "gold.csv", "--json")
    assert [one["id"] for one in json.loads(said.out)["findings"]] == ["c.jpg", "d.jpg"]


def test_the_users_words_add_to_the_laws(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text(
        '[rules.first]\nexcept = ["第一口"]\n[rules.house]\nwords = ["秒杀"]\nparagraph = "店规"\nsuggestion = "删"\n',
        "utf-8",
    )
    law = read_word_rules(file)
    assert [words for words, _ in forbidden("第一口就爱上,秒杀,第一名", law)] == ["第一", "秒杀"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[rules.house]\nwords = ["秒杀"]\n', r"rules\.house .* lacks paragraph, suggestion"),
        ('[rules.first]\nword = ["x"]\n', r"rules\.first\.word .* is wrong"),
        ('[rules.first]\nwords = [""]\n', r"rules\.first\.words .* is wrong"),
        ("[rules]\nfirst = 3\n", r"rules\.first.* is wrong"),
        ("[words]\n", r"unknown table \[words\]"),
    ],
)
def test_wrong_words_are_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "words.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_word_rules(file)
