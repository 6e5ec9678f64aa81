"""A gold table says the same however it is written, and says clearly what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.workbench.gold import GoldTable, pair, read_gold
from flashsight.workbench.rules import read_rules
from flashsight.workbench.sheets import TableError
from flashsight.workbench.words import name_key, number_of, parts_of, value_key
from tests.workbench.tables import write_workbook

RULES = read_rules()
FIELDS = ("category", "color", "price", "key_features", "marketing_copy")


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "gold.csv"
    file.write_bytes(text.encode(encoding))
    return file


def read(file: Path, sheet: str | None = None, fields: Sequence[str] = FIELDS) -> GoldTable:
    return read_gold(file, fields, RULES, sheet=sheet)


@pytest.mark.parametrize(
    "header", ["图片,颜色,价格(元)", "Picture, COLOR ,price", "file_name,colour,售价", "图片 名,色彩,Price [CNY]"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_columns_are_found_under_any_of_their_names(tmp_path: Path, header: str, encoding: str) -> None:
    table = read(csv(tmp_path, f"{header}\na.jpg,红,12\n", encoding))
    assert table.cases[0].picture == "a.jpg"
    assert table.cases[0].cells == {"color": ("红",), "price": ("12",)}
    assert table.unknown == ()


WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@given(st.sampled_from(FIELDS), st.data())
def test_width_case_and_spaces_of_a_name_mean_nothing(name: str, source: st.DataObject) -> None:
    written = ""
    for letter in name:
        shape = source.draw(st.sampled_from((str.upper, str.lower, lambda each: each.translate(WIDE))))
        written += shape(letter) + source.draw(st.sampled_from(("", " ", "\u3000", "_")))
    assert name_key(written) == name_key(name)


@given(st.text(max_size=30))
def test_a_key_is_its_own_key(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert value_key(value_key(text)) == value_key(text)


def test_a_workbook_reads_like_the_csv_with_numbers_as_text(tmp_path: Path) -> None:
    rows = [
        ["图片", "类目", "价格", "备注"],
        ["a.jpg", "杯子", 12, "x"],
        ["b.jpg", "伞", "１２.５", ""],
        [7, "包", 1.5, ""],
    ]
    table = read(write_workbook(tmp_path / "gold.xlsx", {"金标": rows}))
    assert [case.picture for case in table.cases] == ["a.jpg", "b.jpg", "7"]
    assert [number_of(case.cells["price"][0]) for case in table.cases] == [12, 12.5, 1.5]
    assert table.unknown == ("备注",)
    assert table.headers == {"picture": "图片", "category": "类目", "price": "价格"}


def test_a_merged_picture_cell_gathers_its_rows_and_other_merged_cells_hold_for_all(tmp_path: Path) -> None:
    rows = [
        ["图片", "类目", "卖点"],
        ["", "", "透气"],
        ["", "", "轻便"],
        ["b.jpg", "", "防水"],
        ["c.jpg", "伞", "大"],
    ]
    file = write_workbook(tmp_path / "gold.xlsx", {"金标": rows}, {"A2:A3": "a.jpg", "B2:B4": "鞋"})
    table = read(file)
    assert [(case.picture, case.line) for case in table.cases] == [("a.jpg", 2), ("b.jpg", 4), ("c.jpg", 5)]
    assert [case.cells["key_features"] for case in table.cases] == [("透气", "轻便"), ("防水",), ("大",)]
    assert [case.cells["category"] for case in table.cases] == [("鞋",), ("鞋",), ("伞",)]


def test_a_title_above_the_names_and_blank_rows_are_passed_over(tmp_path: Path) -> None:
    rows = [[], ["2026 年金标", ""], ["", ""], ["图片", "颜色"], ["", ""], ["", ""], ["a.jpg", "红"]]
    file = write_workbook(tmp_path / "gold.xlsx", {"金标": rows}, {"A6:A7": "a.jpg"})
    table = read(file)
    assert [(case.line, case.cells) for case in table.cases] == [(6, {"color": ("红",)})]


def test_the_sheet_is_the_first_unless_one_is_named(tmp_path: Path) -> None:
    one, two = [["图片", "颜色"], ["a", "红"]], [["图片", "颜色"], ["b", "蓝"]]
    file = write_workbook(tmp_path / "gold.xlsx", {"一": one, "二 ": two})
    assert read(file).cases[0].picture == "a"
    assert read(file, sheet="二").cases[0].picture == "b"
    with pytest.raises(TableError, match=r"no sheet '三'; it has 一, 二"):
        read(file, sheet="三")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("图片,颜色\n", "no row below"),
        ("款号,颜色\na,红\n", "no picture column among 款号, 颜色"),
        ("图片,颜色,Color \na,红,红\n", None),
        ("图片,色彩,主色\na,红,红\n", "several columns for color: 色彩, 主色"),
        ("图片,颜色\na.jpg,红\n,蓝\n", "row 3 .* names no picture"),
        ("图片,颜色\na.jpg,红\nb.jpg,红\nA.JPG ,蓝\n", r"more than once: a\.jpg \(rows 2, 4\)"),
        ("图片,颜色\na.jpg,红,多\n", "damaged"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, complaint: str | None) -> None:
    file = csv(tmp_path, text)
    if complaint is None:
        assert read(file).headers["color"] == "Color"
        return
    with pytest.raises(TableError, match=complaint):
        read(file)


def test_a_sheet_without_the_column_points_to_the_one_that_has_it(tmp_path: Path) -> None:
    file = write_workbook(tmp_path / "gold.xlsx", {"说明": [["怎么填"]], "金标": [["图片", "颜色"], ["a", "红"]]})
    with pytest.raises(TableError, match="add --sheet '金标'"):
        read(file)


@pytest.mark.parametrize(
    ("name", "complaint"), [("no.xlsx", "does not exist"), ("x.docx", "is no table"), ("x.xlsx", "save it again")]
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    if not name.startswith("no"):
        (tmp_path / name).write_bytes(b"PK nothing of the kind")
    with pytest.raises(TableError, match=complaint):
        read(tmp_path / name)


def test_names_pair_by_path_file_or_stem_and_the_rest_is_listed_both_ways(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "图片,颜色\nshop\\A.JPG,红\nb.jpg,蓝\n003,绿\n4,黑\nlost.jpg,白\n"))
    ids = {one: [one] for one in ("shop/a.jpg", "shop/b.jpg", "x/003.png", "x/4.jpg", "y/4.jpg", "new.jpg")}
    paired = pair(table, ids)
    assert {one: case.picture for one, case in paired.by_id.items()} == {
        "shop/a.jpg": "shop\\A.JPG",
        "shop/b.jpg": "b.jpg",
        "x/003.png": "003",
    }
    assert paired.gold_only == ("lost.jpg",)
    assert paired.ambiguous == {"4": ("x/4.jpg", "y/4.jpg")}
    assert paired.run_only == ("x/4.jpg", "y/4.jpg", "new.jpg")


def test_two_rows_that_mean_one_picture_are_refused(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "图片,颜色\na.jpg,红\na,蓝\n"))
    with pytest.raises(TableError, match=r"rows 2 and 3 .* both mean a\.jpg"):
        pair(table, {"a.jpg": ["a.jpg"]})


def test_a_case_of_several_pictures_is_found_by_any_of_them(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "图片,颜色\nback.jpg,红\n"))
    assert list(pair(table, {"row 1": ["front.jpg", "back.jpg"]}).by_id) == ["row 1"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,299.00 元", 1299), ("¥１２．５", 12.5), ("约 3 千克", 3), ("3-5", None), ("无", None), (True, None), (4, 4)],
)
def test_a_number_is_read_out_of_its_words(text: object, number: float | None) -> None:
    assert number_of(text) == number


def test_a_cell_of_several_labels_falls_apart_at_its_signs() -> None:
    assert parts_of("透气、轻便，防水; 红/白\n1/2 杯") == ["透气", "轻便", "防水", "红", "白", "1/2 杯"]
