"""The example of a proof of concept works from the folder to the report, and nano reaches what is promised on it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import flashsight
from flashsight.workbench.evaluate import columns_of
from flashsight.workbench.gold import read_gold
from flashsight.workbench.records import open_run
from flashsight.workbench.rules import read_rules
from flashsight.workbench.usable import read_ratings
from tests.cli.conftest import ROOT, Shell

POC = ROOT / "examples" / "poc"
GOLD, RATINGS = str(POC / "gold.xlsx"), str(POC / "ratings.csv")
WEIGHTS = Path(flashsight.__file__).parent / "assets" / "nano" / "model.safetensors"

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["服饰", "鞋靴"]},
        "color": {"enum": ["红色", "蓝色"]},
        "material": {"enum": ["未标明", "塑料"]},
        "key_features": {"type": "array", "items": {"enum": ["防水"]}, "maxItems": 1},
        "marketing_copy": {"enum": ["好看的衣服", "蓝色的鞋"]},
    },
    "required": ["category", "color", "material", "key_features", "marketing_copy"],
    "additionalProperties": False,
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return Shell(tmp_path)


def test_every_picture_of_the_example_has_its_row_and_nothing_else() -> None:
    table = read_gold(Path(GOLD), ("category", "color", "material", "key_features", "marketing_copy"), read_rules())
    pictures = sorted(path.name for path in (POC / "pictures").iterdir())
    assert len(pictures) == 60
    assert sorted(case.picture for case in table.cases) == pictures
    assert table.unknown == ("价格",)
    assert {case.group for case in table.cases} == {"单品图", "页面文字", "复杂版面", "英文页面"}
    assert sum(path.stat().st_size for path in (POC / "pictures").iterdir()) < 3_000_000
    assert {rating.picture for rating in read_ratings(Path(RATINGS), read_rules())} <= set(pictures)


def test_from_folder_to_report(shell: Shell, tiny_checkpoint: Path) -> None:
    asking = ("--schema", "schema.json", "--model-path", str(tiny_checkpoint), "--dtype", "float32")
    first = shell.run("batch", str(POC / "pictures"), *asking, "--prompt", "描述商品", "--out", "first", "--excel")
    assert first.status == 0, first.err
    second = shell.run("batch", "--from", "first", "--prompt", "618 大促,描述商品", "--out", "second")
    assert second.status == 0, second.err
    judged = shell.run("evaluate", "second", "--gold", GOLD, "--ratings", RATINGS, "--json")
    assert judged.status == 0, judged.err
    figures = json.loads(judged.out)
    assert figures["overall"]["cases"] == 60
    assert figures["usable_copy"]["num"] == 30
    compared = shell.run("compare", "first", "second", "--gold", GOLD)
    assert compared.status == 0, compared.err
    assert "618 大促" in compared.out
    assert shell.run("claims", "second").status == 0
    files = ("--out", "report.html", "--xlsx", "report.xlsx")
    told = shell.run("report", "first", "second", "--gold", GOLD, "--ratings", RATINGS, *files)
    assert told.status == 0, told.err
    page = (shell.folder / "report.html").read_text(encoding="utf-8")
    accuracy = figures["overall"]["attribute_accuracy"]
    value, low, high = (100 * accuracy[name] for name in ("value", "low", "high"))
    assert f"{value:.1f}% [{low:.1f}, {high:.1f}]" in page
    assert page.count("data:image/jpeg;base64,") == 12
    assert len(page.encode()) < 2_000_000
    for name in ("report.xlsx", "first/results.xlsx"):
        with zipfile.ZipFile(shell.folder / name) as parts:
            assert 'name="AIGC"' in parts.read("docProps/custom.xml").decode()


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="the built-in weights are not here")
def test_nano_reaches_what_is_promised(shell: Shell) -> None:
    ran = shell.run("batch", str(POC / "pictures"), "--preset", "product", "--out", "run")
    assert ran.status == 0, ran.err
    run = open_run(shell.folder / "run")
    assert all(result.parsed is not None for result in run.results())
    assert set(columns_of(run.manifest)) == {"category", "color", "material", "key_features", "marketing_copy"}
    figures = json.loads(shell.run("evaluate", "run", "--gold", GOLD, "--json").out)
    assert figures["overall"]["attribute_accuracy"]["value"] >= 0.80
    assert figures["categories"]["category"]["macro_recall"]["value"] >= 0.90
