"""Where cases come from: folders, tables, JSON lines; and how pictures look."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from PIL import Image, ImageEnhance

from flashsight.core.errors import ConfigError
from flashsight.workbench.look import alike, fingerprint
from flashsight.workbench.schema import read_schema, sha256_of_schema
from flashsight.workbench.source import read_source, with_hashes
from tests.workbench.house import draw


def ids(path: Path, **options: object) -> list[str]:
    return [case.id for case in read_source(path, **options).cases]  # type: ignore[arg-type]


def test_a_folder_is_read_as_a_person_counts(tmp_path: Path) -> None:
    for name in ("p_10.png", "p_2.png", "P_1.JPG", "sub/p_3.webp", ".hidden/x.png", "notes.txt"):
        draw(tmp_path / name.replace(".txt", ".png"), 1).rename(tmp_path / name)
    assert ids(tmp_path) == ["P_1.JPG", "p_2.png", "p_10.png", "sub/p_3.webp"]
    assert ids(tmp_path, without=tmp_path / "sub") == ["P_1.JPG", "p_2.png", "p_10.png"]


def test_what_cannot_be_read_is_counted_and_a_dead_link_is_a_case(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1).rename(tmp_path / "a.jfif")
    for name in ("b.tif", "c.TIF", "d.psd", "notes.txt", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    source = read_source(tmp_path)
    assert [case.id for case in source.cases] == ["a.jfif", "gone.png"]
    assert source.left_out == {".tif": 2, ".psd": 1}


def test_a_name_out_of_a_chinese_archive_is_told_as_it_was_meant(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    names = ("红色.png".encode("gb18030"), b"\xff\xfe.png", "蓝色.png".encode(), "蓝色.png".encode("gb18030"))
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "a.png").unlink()
    cases = read_source(tmp_path).cases
    assert {case.id for case in cases} == {"红色.png", "\\udcff\\udcfe.png", "蓝色.png", "\\udcc0\\udcb6ɫ.png"}
    assert {os.fsencode(case.pictures[0].path) for case in cases} == set(names)


def test_hashes_are_those_of_the_files_and_none_for_what_is_not_there(tmp_path: Path) -> None:
    file = draw(tmp_path / "a.png", 1)
    (tmp_path / "t.csv").write_text("picture\na.png\nmissing.png\n")
    source, counts = read_source(tmp_path / "t.csv"), list[int]()
    found = list(with_hashes(source.cases, source.root, seen=counts.append))
    assert found[0].pictures[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found[1].pictures[0].sha256 is None
    assert counts == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_in_any_of_excels_encodings(tmp_path: Path, encoding: str) -> None:
    text = "编号,图片,提示词,分组\n1,a.png;b.png,比较一下,多图\n2,子\\c.png,,页面\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    first, second = read_source(tmp_path / "t.csv").cases
    assert (first.id, first.prompt, first.columns) == ("1", "比较一下", {"分组": "多图"})
    assert [picture.path for picture in first.pictures] == ["a.png", "b.png"]
    assert (second.id, second.prompt, second.pictures[0].path) == ("2", None, "子/c.png")


def test_an_excel_file_with_a_column_named_by_hand(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "t.xlsx")) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([["Bild", "price"], ["a.png", 12.5], ["a.png", 3], ["", 1]]):
            sheet.write_row(row, 0, cells)
    with pytest.raises(ConfigError, match=r"Bild, price.*--column"):
        read_source(tmp_path / "t.xlsx")
    with pytest.raises(ConfigError, match="no column 'Foto'"):
        read_source(tmp_path / "t.xlsx", column="Foto")
    cases = read_source(tmp_path / "t.xlsx", column="Bild").cases
    assert [case.id for case in cases] == ["a.png", "a.png#2", "row 3"]
    assert cases[0].columns == {"price": "12.5"}
    assert cases[2].pictures == ()


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"id": 7, "picture": "a.png", "prompt": "why?"}, {"pictures": ["a.png", "b.png"], "group": "x"}]
    (tmp_path / "t.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows))
    (tmp_path / "u.jsonl").write_text('{"id": 1, "picture": "a.png"}\n{"id": 2, "pictures": ["a.png"]}')
    assert ids(tmp_path / "u.jsonl") == ["1", "2"]
    first, second = read_source(tmp_path / "t.jsonl").cases
    assert (first.id, first.prompt, [picture.path for picture in first.pictures]) == ("7", "why?", ["a.png"])
    assert [picture.path for picture in second.pictures] == ["a.png", "b.png"]
    assert second.columns == {"group": "x"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "picture\n", "no rows"),
        ("t.csv", "id,picture\n1,a\n1,b\n", "'1' twice"),
        ("t.jsonl", '{"picture": "a"}\n[]', "line 2"),
        ("t.xlsx", "no zip", "Excel"),
        ("t.docx", "", "no table"),
    ],
)
def test_a_bad_table_is_named_with_the_way_out(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_source(tmp_path / name)


def test_nothing_to_ask_about_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no picture in .*\.webp"):
        read_source(tmp_path)
    with pytest.raises(ConfigError, match="no folder or table"):
        read_source(tmp_path / "missing")
    draw(tmp_path / "a.png", 1)
    with pytest.raises(ConfigError, match="--column"):
        read_source(tmp_path, column="x")


def pixels(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((200, 160), Image.Resampling.BICUBIC)


def look(image: Image.Image) -> tuple[str]:
    return (fingerprint(np.asarray(image)),)


def test_another_size_or_brightness_looks_the_same_and_another_picture_or_colour_does_not() -> None:
    image = pixels(1)
    small = image.resize((90, 72), Image.Resampling.LANCZOS)
    dim = ImageEnhance.Brightness(image).enhance(0.97)
    red, green, blue = image.split()
    turned = Image.merge("RGB", (green, blue, red))
    looks = [look(each) for each in (image, small, dim, turned, pixels(2), pixels(3))]
    assert set(alike(looks)) == {(0, 1), (0, 2), (1, 2)}
    assert list(alike([])) == list(alike([()])) == []


def test_a_schema_is_the_same_however_it_is_laid_out(tmp_path: Path) -> None:
    product = read_schema("product")
    assert list(product["properties"]) == ["category", "color", "material", "key_features", "marketing_copy"]
    (tmp_path / "s.json").write_text(json.dumps(dict(reversed(product.items())), indent=3))
    assert sha256_of_schema(read_schema(str(tmp_path / "s.json"))) == sha256_of_schema(product)
    assert sha256_of_schema(None) is None
    for text, message in (("{", "is not JSON"), ("[]", "must be a JSON object")):
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_schema(str(tmp_path / "s.json"))
    with pytest.raises(ConfigError, match=r"no preset of that name has one: .*product"):
        read_schema("missing")
