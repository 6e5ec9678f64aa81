"""A report says what its figures say: on the page, in Excel and on paper, whatever a table or a model wrote."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import fastexcel
import pytest
from PIL import Image

from flashsight.core.errors import ConfigError
from flashsight.workbench.aigc import label_of
from flashsight.workbench.claims import read_word_rules
from flashsight.workbench.evaluate import columns_of
from flashsight.workbench.gallery import gallery, score_of
from flashsight.workbench.gold import read_gold
from flashsight.workbench.metrics import Judgement
from flashsight.workbench.pace import Part, add_part, pace_of
from flashsight.workbench.records import Run, RunError
from flashsight.workbench.report import Report, Wishes, make_report
from flashsight.workbench.report_book import write_book
from flashsight.workbench.report_limits import pictures_needed
from flashsight.workbench.report_page import page_of
from flashsight.workbench.report_words import _SENTENCES, _WORDS
from flashsight.workbench.rules import read_rules
from flashsight.workbench.savings import Labour, labour_of, saved_hours
from flashsight.workbench.sections import JudgedCase, TextJudgement
from flashsight.workbench.statistics import Figure, share
from flashsight.workbench.verdicts import GOALS, judge_target, read_goals
from tests.cli.conftest import Shell
from tests.workbench.runs import write_run

SCHEMA = {
    "type": "object",
    "properties": {"category": {"type": "string"}, "color": {"type": "string"}, "price": {"type": "number"}},
}
EVIL = "<script>alert(1)</script>&\"'"


def answers(num: int = 40, *, num_wrong: int = 0) -> dict[str, dict[str, object]]:
    return {
        f"p{at}.png": {"category": ("杯子", "帽子")[at % 2], "color": "蓝" if at < num_wrong else "红", "price": 5}
        for at in range(num)
    }


def gold_of(folder: Path, num: int = 40) -> Path:
    file = folder / "gold.csv"
    rows = [f"p{at}.png,{('杯子', '帽子')[at % 2]},红,5,{'单品' if at % 4 else '促销'}" for at in range(num)]
    file.write_text("\n".join(["图片,品类,颜色,价格,分组", *rows]), encoding="utf-8")
    return file


def report_of(runs: list[Run], gold: Path, **wishes: object) -> Report:
    rules = read_rules()
    wanted = Wishes(**{"language": "zh", "goals": GOALS, **wishes})  # type: ignore[arg-type]
    return make_report(runs, read_gold(gold, columns_of(runs[-1].manifest), rules), rules, (), wanted)


@pytest.fixture
def rounds(tmp_path: Path) -> list[Run]:
    first = write_run(tmp_path / "first", answers(num_wrong=30), schema=SCHEMA, prompt="看图")
    return [first, write_run(tmp_path / "second", answers(), schema=SCHEMA, milliseconds=[200.0] * 40)]


class Parsed(HTMLParser):
    """The tags and the text of a page, as a reader that shares no code with the writer sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.meta: dict[str, str] = {}
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "meta" and given.get("name"):
            self.meta[str(given["name"])] = str(given["content"])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("hits", "num", "goal", "light"),
    [(40, 40, 0.80, "met"), (20, 40, 0.80, "missed"), (34, 40, 0.80, "open"), (3, 3, 0.8, "open")],
)
def test_a_target_is_met_or_missed_only_where_the_whole_interval_is(
    hits: int, num: int, goal: float, light: str
) -> None:
    assert judge_target("attributes", goal, share(hits, num)).light == light


def test_a_bootstrap_of_few_pictures_decides_nothing() -> None:
    few, enough = (Figure(value=0.98, low=0.95, high=1.0, num=num, method="bootstrap") for num in (15, 16))
    assert (judge_target("attributes", 0.8, few).light, judge_target("attributes", 0.8, few).why) == ("open", "few_why")
    assert judge_target("attributes", 0.8, enough).light == "met"
    assert judge_target("seconds", 2.0, few).light == "open"


def test_no_sample_proves_a_share_of_one_but_one_miss_denies_it() -> None:
    assert judge_target("valid", 1.0, share(60, 60)).why == "all_why"
    assert judge_target("valid", 1.0, share(59, 60)).light == "missed"


def test_a_time_is_met_from_below() -> None:
    times = Figure(value=1.0, low=0.9, high=1.1, num=50, method="bootstrap")
    assert [judge_target("seconds", goal, times).light for goal in (1.2, 1.0, 0.8)] == ["met", "open", "missed"]
    assert judge_target("usable", 0.8, None).why == "none_why"


@pytest.mark.parametrize("said", ["speed=1", "attributes", "recall=0", "usable=120%", "valid=x", "seconds=-1", "=1"])
def test_a_wrong_target_names_the_known_ones(said: str) -> None:
    with pytest.raises(ConfigError, match="known: attributes, recall, usable, valid, seconds"):
        read_goals([said])


def test_targets_are_read_as_shares_percentages_and_seconds() -> None:
    assert read_goals(["attributes=85%", "recall=0.7", "seconds=2"]) == {
        "attributes": 0.85,
        "recall": 0.7,
        "usable": 0.8,
        "valid": 1.0,
        "seconds": 2.0,
    }


def test_a_time_of_many_at_once_can_meet_its_goal_and_never_miss_it(tmp_path: Path, rounds: list[Run]) -> None:
    alone = report_of(rounds[1:], gold_of(tmp_path), goals={"seconds": 0.1})
    assert [one.light for one in alone.verdicts] == ["missed"]
    add_part(rounds[1].folder, Part(num_pictures=40, seconds=2.0, in_flight=64))
    for goal, light in ((0.3, "met"), (0.1, "open")):
        told = report_of(rounds, gold_of(tmp_path), goals={"seconds": goal})
        assert [one.light for one in told.verdicts] == [light]
        assert told.told.at_once == 40  # no more can wait for each other than there are
    page = Parsed(page_of(told)).text
    assert "含多张同时处理的等待" in page
    assert f"batch --from {rounds[1].folder} --mode sequential" in page


def test_a_model_is_called_by_its_checkpoint_and_a_field_as_the_gold_table_calls_it(
    tmp_path: Path, rounds: list[Run]
) -> None:
    model = replace(rounds[1].manifest.model, name="served-name", path="/models/big-one")
    run = Run(rounds[1].folder, replace(rounds[1].manifest, model=model))
    chinese, english = (
        Parsed(page_of(report_of([run], gold_of(tmp_path), language=language))).text for language in ("zh", "en")
    )
    assert "big-one" in chinese
    assert "served-name" not in chinese
    assert "big-one" in json.loads(label_of(run))["ContentProducer"]
    assert "品类" in chinese
    assert "category" not in chinese
    assert "category" in english
    assert "共 4 项目标：达到 3 项，未达到 0 项，未定 1 项。" in chinese
    assert "4 goals: 3 met, 0 missed, 1 open." in english


def test_the_page_names_what_is_wrong_with_a_copy_and_what_nothing_backs(tmp_path: Path) -> None:
    said = {
        f"p{at}.png": {"category": "杯子", "color": "红", "price": 5, "marketing_copy": "红色杯子,只要 5 元"}
        for at in range(20)
    }
    said["p7.png"] |= {"marketing_copy": "最好的蓝色杯子,只要 7 元"}
    schema = {"type": "object", "properties": {**SCHEMA["properties"], "marketing_copy": {"type": "string"}}}
    gold = tmp_path / "gold.csv"
    rows = [f"p{at}.png,杯子,红,5,红色杯子,5" for at in range(20)]
    gold.write_text("\n".join(["图片,品类,颜色,价格,文案,克重", *rows]), encoding="utf-8")
    run = write_run(tmp_path / "run", said, schema=schema)
    told = report_of([run], gold, law=read_word_rules())
    (claims,) = (table for table in told.tables if table.key == "claims")
    assert {tuple(row[:3]) for row in claims.rows} == {("广告法用词", 1, 1), ("颜色无依据", 1, 1), ("数字无依据", 1, 1)}
    page = Parsed(page_of(told)).text
    assert "3 处（1 张）" in page
    assert "✗ 文案: 最好的蓝色杯子,只要 7 元 (矛盾: 红 ↔ 蓝) (应为: 红色杯子)" in page
    assert "✓ 文案: 红色杯子,只要 5 元" in page
    assert "! 数字无依据: 7 元" in page


def test_savings_are_what_a_hand_calculation_says() -> None:
    labour = Labour(hand_seconds=120, hourly_cost=60, check_seconds=12, pictures_per_month=3000)
    right = Figure(value=0.9, low=0.5, high=1.0, num=50, method="wilson")
    hours = saved_hours(labour, right)
    # 3000 x (0.9 x 120 s - 12 s) = 80 h; 3000 x (0.5 x 120 s - 12 s) = 40 h
    assert (hours.value, hours.low, hours.high) == (80.0, 40.0, 90.0)
    with pytest.raises(ConfigError, match="both --hand-seconds and --hourly-cost"):
        labour_of(120, None, "¥", 15, 100)
    assert pictures_needed(0.5) == 390  # 1.96^2 x 0.25 / 0.05^2 = 384


def test_every_word_is_there_in_both_languages() -> None:
    for both in (*_WORDS.values(), *_SENTENCES.values()):
        assert all(both)
        assert set(re.findall(r"{\w+}", both[0])) == set(re.findall(r"{\w+}", both[1]))


def test_the_page_says_the_verdicts_the_rounds_and_what_is_not_known(tmp_path: Path, rounds: list[Run]) -> None:
    told = report_of(rounds, gold_of(tmp_path))
    assert {one.name: one.light for one in told.verdicts} == {
        "attributes": "met",
        "recall": "met",
        "usable": "open",
        "valid": "met",
    }
    page = Parsed(page_of(told))
    assert "first → second" in page.text
    assert "变好 (McNemar p = 1.86e-09)" in page.text  # 30 fixed, none broken: 2 / 2^30
    assert "未给出人工耗时与成本" in page.text
    english = Parsed(page_of(report_of(rounds, gold_of(tmp_path), language="en")))
    assert "Nobody rated" not in english.text  # there is no copy to rate
    assert "better" in english.text
    assert not re.search(r"[一-鿿]", english.text.replace("看图", "").split("Verdict")[0])


def test_excel_has_the_figures_of_the_page(tmp_path: Path, rounds: list[Run]) -> None:
    labour = Labour(hand_seconds=120, hourly_cost=60)
    told = report_of(rounds, gold_of(tmp_path), labour=labour)
    write_book(told, tmp_path / "report.xlsx")
    page = Parsed(page_of(told)).text
    book = fastexcel.read_excel(tmp_path / "report.xlsx")
    found = num = 0
    for name in book.sheet_names:
        frame = book.load_sheet(name, header_row=1).to_polars()
        ends = [at for at, column in enumerate(frame.columns) if column.startswith("low")]
        for row in frame.rows():
            for at in ends:
                value, low, high = (row[at + step] for step in (-1, 0, 1))
                if all(isinstance(one, float) for one in (value, low, high)) and value <= 1:
                    told_here = f"{100 * value:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"
                    found += told_here in page or f"{value:.3g} s [{low:.3g}, {high:.3g}]" in page
                    num += 1
    assert found == num > 10


def test_both_files_carry_the_label_of_generated_content(tmp_path: Path, rounds: list[Run]) -> None:
    told = report_of(rounds, gold_of(tmp_path))
    label = json.loads(Parsed(page_of(told)).meta["AIGC"])
    assert label["Label"] == "1"
    assert list(label) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]
    write_book(told, tmp_path / "report.xlsx")
    with zipfile.ZipFile(tmp_path / "report.xlsx") as parts:
        custom = parts.read("docProps/custom.xml").decode()
    assert 'name="AIGC"' in custom
    assert label["ProduceID"] in custom
    assert json.loads(label_of(rounds[0]))["ProduceID"] != label["ProduceID"]


def test_what_a_model_or_a_table_wrote_cannot_become_markup(tmp_path: Path) -> None:
    said = {f"{at}{EVIL}.png": {"category": EVIL, "color": "红", "price": 5} for at in range(4)}
    run = write_run(tmp_path / "run", said, schema=SCHEMA, prompt=EVIL)
    other = write_run(tmp_path / "other", said, schema=SCHEMA, prompt="")
    gold = tmp_path / "gold.csv"
    cell = EVIL.replace('"', '""')
    rows = [f'"{at}{cell}.png","{cell}x",红,"{cell}"' for at in range(4)]
    gold.write_text("\n".join([f'图片,品类,颜色,分组,"{cell}"', *(row + "," for row in rows)]), encoding="utf-8")
    page = page_of(report_of([other, run], gold))
    parsed = Parsed(page)
    assert "script" not in parsed.tags
    assert EVIL in parsed.text
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)


def test_a_report_stays_small_however_long_the_answers_are(tmp_path: Path) -> None:
    long = "长" * 4000
    said = {f"p{at}.png": {"category": f"{at}{long}", "color": long, "price": 5} for at in range(300)}
    run = write_run(tmp_path / "run", said, schema=SCHEMA, prompt=long * 5)
    other = write_run(tmp_path / "other", said, schema=SCHEMA, prompt=long * 6)
    assert len(page_of(report_of([other, run], gold_of(tmp_path, 300))).encode()) < 300_000


def test_the_gallery_shows_small_pictures_best_to_worst_and_none_twice(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", answers(9), schema=SCHEMA)
    manifest = replace(run.manifest, source=replace(run.manifest.source, root=str(tmp_path)))
    Image.effect_noise((900, 600), 90).save(tmp_path / "p0.png")
    (tmp_path / "p1.png").write_bytes(b"no picture")

    def case(at: int) -> JudgedCase:
        score = 1 - at / 10
        judged = Judgement(is_right=score == 1, score=score, expected="a", got="b")
        return JudgedCase(id=f"p{at}.png", group=None, fields={"color": judged})

    def words(similarity: float) -> TextJudgement:
        return TextJudgement(expected="a", got="a", bleu=1.0, chrf=1.0, similarity=similarity)

    shown = gallery(Run(run.folder, manifest), [case(at) for at in range(9)], shown=2)
    ids = [one.id for row in shown.values() for one in row]
    assert ids == ["p0.png", "p1.png", "p3.png", "p4.png", "p8.png", "p7.png"]
    first, second = shown["best"]
    assert first.jpeg is not None
    assert len(first.jpeg) < 34_000
    assert second.jpeg is None
    assert score_of(JudgedCase(id="x", group=None, fields={})) == 0.0
    noisy = [replace(case(0), id=f"p{at}.png", texts={"copy": words(1 + at / 1e7)}) for at in range(9)]
    assert [one.id for one in gallery(Run(run.folder, manifest), noisy, shown=2)["best"]] == ["p0.png", "p1.png"]
    few = gallery(Run(run.folder, manifest), [case(at) for at in range(2)])
    assert [len(row) for row in few.values()] == [1, 0, 1]


def test_the_pace_of_a_run_is_that_of_all_its_parts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", answers(4), schema=SCHEMA)
    assert pace_of(run) is None
    add_part(run.folder, Part(num_pictures=30, seconds=10.0, in_flight=4))
    add_part(run.folder, Part(num_pictures=10, seconds=10.0, in_flight=8))
    pace = pace_of(run)
    assert pace is not None
    assert (pace.pictures_per_second, pace.in_flight) == (2.0, 8)


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, rounds: list[Run]) -> None:
    other = write_run(tmp_path / "third", answers(), schema={"type": "object", "properties": {"color": {}}})
    with pytest.raises(RunError, match="different schemas"):
        report_of([rounds[0], other], gold_of(tmp_path))
    with pytest.raises(RunError, match="room for 8 runs, got 9"):
        report_of([rounds[0]] * 9, gold_of(tmp_path))


@pytest.fixture
def shell(tmp_path: Path, rounds: list[Run]) -> Shell:
    gold_of(tmp_path)
    return Shell(tmp_path)


def test_the_command_writes_both_files(shell: Shell) -> None:
    said = shell.run("report", "first", "second", "--gold", "gold.csv", "--out", "r.html", "--xlsx", "r.xlsx")
    assert said.status == 0, said.err
    assert said.out.strip() == "r.html"
    assert "<svg" in (shell.folder / "r.html").read_text(encoding="utf-8")
    assert zipfile.is_zipfile(shell.folder / "r.xlsx")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("no-run", "--gold", "gold.csv", "--out", "r.html"), "is no run"),
        (("first", "--gold", "gold.csv", "--out", "r.pdf"), "must end in .html"),
        (("first", "--gold", "gold.csv", "--out", "no/r.html"), "there is no folder"),
        (("first", "--gold", "gold.csv", "--out", "r.html", "--target", "speed=2"), "known: attributes"),
        (("first", "--gold", "gold.csv", "--out", "r.html", "--hand-seconds", "9"), "add the other one"),
        (("first", "--gold", "no.csv", "--out", "r.html"), "does not exist"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_no_file(shell: Shell, words: tuple[str, ...], complaint: str) -> None:
    said = shell.run("report", *words)
    assert said.status == 2, said.err
    assert complaint in said.err
    assert "Traceback" not in said.err
    assert not (shell.folder / "r.html").exists()


@pytest.fixture
def chromium() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("no chromium here")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.browser
def test_it_prints_with_the_verdicts_alone_on_the_first_page(
    tmp_path: Path, rounds: list[Run], chromium: object
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page_of(report_of(rounds, gold_of(tmp_path))), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 375, "height": 800})  # type: ignore[attr-defined]
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert not complaints
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 6
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.front')).breakAfter") == "page"
