"""A small run against a small gold table: every figure equals one counted by hand or by sacrebleu's own command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flashsight.workbench.contradictions import colors_in, contradictions
from flashsight.workbench.evaluate import Evaluation, columns_of, evaluate, fields_of
from flashsight.workbench.gold import read_gold
from flashsight.workbench.records import RunError
from flashsight.workbench.rules import read_rules
from flashsight.workbench.sheets import TableError
from flashsight.workbench.texts import bleu4, sentence_bleu, sentence_chrf, similarities
from flashsight.workbench.usable import read_ratings
from tests.workbench.runs import write_run

RULES = read_rules()
GOLD = """图片,类目,颜色,价格,卖点,文案,分组,备注
a,杯子,红,12,保温、轻便,红色保温杯,页面文字,
b,杯子,蓝,30,保温,蓝色水杯,页面文字,
c,伞,黑,,防水,,复杂版面,x
d,伞,黑,9.9,防水、轻便,黑色雨伞,,
e,包,白,5,,,,
lost,包,白,5,,,,
"""
ANSWERS = {
    "a.jpg": {
        "category": "杯子",
        "color": "大红",
        "price": 12,
        "key_features": ["轻便", "保温"],
        "marketing_copy": "红色保温杯",
    },
    "b.jpg": {
        "category": "伞",
        "color": "红色",
        "price": 31,
        "key_features": ["保温", "大"],
        "marketing_copy": "红色水杯",
    },
    "c.jpg": {"category": "伞", "color": "黑色", "price": 1, "key_features": ["轻便"]},
    "d.jpg": None,
    "e.jpg": "这不是 JSON",
    "new.jpg": {"category": "鞋"},
}


def gold_file(folder: Path) -> Path:
    file = folder / "gold.csv"
    file.write_text(GOLD, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("evaluation")
    run = write_run(folder / "run", ANSWERS, milliseconds=[100, 200, 300, 400, 500])
    return evaluate(run, read_gold(gold_file(folder), fields_of(run.manifest), RULES), RULES)


def test_attributes_are_counted_as_by_hand(told: Evaluation) -> None:
    counted = {name: (one.accuracy.hits, one.accuracy.num) for name, one in told.overall.fields.items()}
    assert counted == {"category": (2, 5), "color": (2, 5), "price": (1, 4), "key_features": (1, 4)}
    features = told.overall.fields["key_features"].f1
    assert features is not None
    assert features.value == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    # a: 4 of 4; b: 0 of 4; c: 2 of 3; d failed: 0 of 4; e unreadable: 0 of 3
    assert told.overall.attributes.value == pytest.approx((1 + 0 + 2 / 3 + 0 + 0) / 5)
    assert told.overall.num_failed == 1


def test_categories_have_recall_and_confusion(told: Evaluation) -> None:
    category = told.categories["category"]
    assert {name: (one.hits, one.num) for name, one in category.recall.items()} == {
        "伞": (1, 2),
        "包": (0, 1),
        "杯子": (1, 2),
    }
    assert category.confusion == {"伞": {"伞": 1, "—": 1}, "包": {"—": 1}, "杯子": {"杯子": 1, "伞": 1}}
    assert category.macro_recall.value == pytest.approx((0.5 + 0 + 0.5) / 3)


def test_a_copy_of_another_colour_is_not_of_the_same_meaning_however_close(told: Evaluation) -> None:
    texts = {case.id: case.texts["marketing_copy"] for case in told.cases if case.texts}
    assert texts["b.jpg"].similarity > 0.5
    assert texts["b.jpg"].contradictions == ("蓝 ↔ 红",)
    copies = told.overall.texts["marketing_copy"]
    assert (copies.consistency.hits, copies.consistency.num, copies.num_contradictory) == (1, 3, 1)


def test_groups_have_figures_of_their_own(told: Evaluation) -> None:
    assert {name: one.num for name, one in told.groups.items()} == {"页面文字": 2, "复杂版面": 1}
    assert told.groups["页面文字"].attributes.value == 0.5
    assert told.groups["复杂版面"].texts == {}


def test_times_are_those_of_answers_that_came(told: Evaluation) -> None:
    assert told.overall.seconds_p50 is not None
    assert told.overall.seconds_p50.value == pytest.approx(0.25)  # of .1 .2 .3 .5: d failed


def test_what_has_no_partner_is_listed_both_ways(told: Evaluation) -> None:
    unmatched = told.as_dict()["unmatched"]
    assert unmatched == {
        "gold_columns": ["备注"],
        "run_fields": [],
        "gold_pictures": ["lost"],
        "run_pictures": ["new.jpg"],
        "ambiguous": {},
    }
    assert json.loads(json.dumps(told.as_dict(), ensure_ascii=False))["overall"]["cases"] == 5


def test_a_run_without_a_shared_picture_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"other.jpg": {}})
    with pytest.raises(RunError, match=r"one calls them like a, the other like other\.jpg"):
        evaluate(run, read_gold(gold_file(tmp_path), fields_of(run.manifest), RULES), RULES)


def test_plain_text_answers_are_held_against_the_copy(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a.jpg": "红色保温杯"}, schema=None)
    told = evaluate(run, read_gold(gold_file(tmp_path), columns_of(run.manifest), RULES), RULES)
    bleu = told.overall.texts["marketing_copy"].bleu4
    assert (bleu.value, bleu.low) == (pytest.approx(1.0), None)
    assert bleu.is_too_few


RATINGS = """图片,评分,采纳,修改后文案
a,5,,
a,3,,
b,2,是,
c,3,是,换了一句
d,4,,
e,,,
"""


def test_the_usable_copy_rate_is_as_defined(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(RATINGS, encoding="utf-8")
    run = write_run(tmp_path / "run", ANSWERS)
    gold = read_gold(gold_file(tmp_path), fields_of(run.manifest), RULES)
    assert evaluate(run, gold, RULES).usable is None
    usable = evaluate(run, gold, RULES, read_ratings(file, RULES)).usable
    assert usable is not None
    assert (usable.hits, usable.num) == (3, 4)  # a: median 4; b: taken over as it was; d: 4; c was rewritten; e unrated


def test_ratings_of_another_run_count_for_none(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    mine, other = "0" * 16, "f" * 16
    file.write_text(f"picture,rating,run\na,5,{mine}\na,1,{other}\nb,4,first\nc,2,\n", encoding="utf-8")
    assert [one.score for one in read_ratings(file, RULES, run=mine)] == [5, 4, 2]
    assert len(read_ratings(file, RULES)) == 4
    file.write_text(f"picture,rating,run\na,1,{other}\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"all ratings .* are of another run"):
        read_ratings(file, RULES, run=mine)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("图片,评分\na,6\n", "row 2 .* from 1 to 5"), ("图片,颜色\na,红\n", "neither a column `rating`")],
)
def test_what_is_no_rating_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=complaint):
        read_ratings(file, RULES)


PAIRS = [
    ("轻薄透气,适合夏天穿的短袖T恤,不闷汗。", "夏季轻薄透气T恤,适合夏天穿,不闷汗"),
    ("红色保温杯,304不锈钢,保温12小时。", "红色保温杯,不锈钢内胆,保温12小时,轻便"),
    ("黑色雨伞", "黑色雨伞,防水防风,一键开合,轻便好带"),
]


def test_bleu_equals_sacrebleus_own_command(tmp_path: Path) -> None:
    for name, at in (("right", 0), ("got", 1)):
        (tmp_path / name).write_text("".join(pair[at] + "\n" for pair in PAIRS), encoding="utf-8")
    words = ["sacrebleu", "right", "-i", "got", "--tokenize", "zh", "-b", "-w", "6"]
    ended = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, check=True)
    assert bleu4(PAIRS).value == pytest.approx(float(ended.stdout) / 100, abs=1e-8)
    one = tmp_path / "one"
    one.write_text(PAIRS[2][1] + "\n", encoding="utf-8")
    (tmp_path / "right").write_text(PAIRS[2][0] + "\n", encoding="utf-8")
    words = ["sacrebleu", "right", "-i", "one", "-m", "chrf", "-b", "-w", "6"]
    ended = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, check=True)
    assert sentence_chrf(PAIRS[2]) == pytest.approx(float(ended.stdout) / 100, abs=1e-8)


def test_a_short_text_is_scored_by_the_orders_it_has() -> None:
    assert sentence_bleu(("红伞", "红伞")) == pytest.approx(1.0)
    assert sentence_bleu(("红伞", "")) == 0.0


def test_the_encoder_alone_would_pass_a_contradiction() -> None:
    pairs = [("透气面料", "不透气面料"), ("红色连衣裙", "蓝色连衣裙"), ("纯棉杯子", "高速公路堵车")]
    close, colour, far = similarities(pairs)
    assert close > 0.9
    assert colour > 0.5
    assert far < 0.3


def test_many_texts_are_encoded_as_few_are() -> None:
    pairs = [(f"{at} 号红色保温杯", f"第 {at} 款水杯") for at in range(70)]
    assert similarities(pairs)[66:] == pytest.approx(similarities(pairs[66:]), abs=1e-5)
    assert similarities([]) == []


def test_a_plain_text_is_held_against_the_gold_colour_too(tmp_path: Path) -> None:
    file = tmp_path / "gold.csv"
    file.write_text("图片,颜色,文案\na,红,保温杯\n", encoding="utf-8")
    run = write_run(tmp_path / "run", {"a.jpg": "蓝色保温杯"}, schema=None)
    told = evaluate(run, read_gold(file, columns_of(run.manifest), RULES), RULES)
    assert told.cases[0].texts["marketing_copy"].contradictions == ("红 ↔ 蓝",)
    assert told.cases[0].fields == {}


@pytest.mark.parametrize(
    ("expected", "got", "color", "clash"),
    [
        ("红色连衣裙", "蓝色连衣裙", None, ("红 ↔ 蓝",)),
        ("红色连衣裙", "红色配白色的连衣裙", None, ()),
        ("连衣裙", "a blue dress", "红", ("红 ↔ 蓝",)),
        ("连衣裙", "大红色的裙子", "红色", ()),
        ("发红包", "黄金搭档", None, ()),
        ("粉红色的包", "红色的包", None, ("粉 ↔ 红",)),
        ("透气面料", "不透气的面料", None, ("透气 ↔ 不透气",)),
        ("不透气", "很透气", None, ("透气 ↔ 不透气",)),
        ("透气", "透气,冬天不闷热", None, ()),
        ("短袖T恤", "长袖T恤", None, ("长袖 ↔ 短袖", "短袖 ↔ 长袖")),
        ("一把伞", "防水的伞", None, ()),
    ],
)
def test_what_contradicts_is_named(expected: str, got: str, color: str | None, clash: tuple[str, ...]) -> None:
    assert contradictions(expected, got, RULES, color=color) == clash


def test_colours_are_named_outright_or_not_at_all() -> None:
    assert colors_in("Red and 米白色, reduced 金属", RULES) == {"红", "米"}
