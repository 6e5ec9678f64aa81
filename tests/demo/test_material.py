"""The recipe picks the drawings and words that it says."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from flashsight.demo.material import Material
from flashsight.demo.material.named_icons import MISLEADING, SETS, SYNONYMS, names_of, unnamed_of
from flashsight.demo.material.packages import DEBIAN, NPM
from flashsight.demo.material.strings import collect_words
from flashsight.demo.pages.kits import KITS
from flashsight.demo.vocabulary import CONCEPTS

ENGLISH = {concept.name.en: concept for concept in CONCEPTS}
SOURCES = (Path(__file__).parents[2] / "src" / "flashsight" / "demo" / "material" / "SOURCES.md").read_text("utf-8")


def test_every_package_of_the_recipe_has_its_licence_on_record() -> None:
    for package in NPM:
        name, _, version = package.rpartition("@")
        assert f"npm `{name}` {version} |" in SOURCES, package
    for package in DEBIAN:
        assert f"`{package}`" in SOURCES, package


def test_every_style_sheet_comes_from_a_package_of_the_recipe() -> None:
    packages = {package.rpartition("@")[0].rpartition("/")[2] for package in NPM}
    for kit in KITS.values():
        assert {sheet.partition("/")[0] for sheet in (*kit.sheets, *kit.dark_sheets)} <= packages


def test_icon_sets_name_concepts_that_there_are() -> None:
    assert set(SYNONYMS) <= set(ENGLISH)
    assert {icons.split for icons in SETS} == {"train", "valid"}


def test_a_misleading_name_is_never_asked_for_as_it_stands() -> None:
    for icons in SETS:
        if icons.joins:
            mouse = [name for _, name in names_of(ENGLISH["mouse"], icons)]
            assert mouse == []
    lucide = next(icons for icons in SETS if icons.package == "lucide")
    assert ("line", "mouse") in list(names_of(ENGLISH["computer mouse"], lucide))
    assert "mouse" in MISLEADING


def test_words_are_frequent_short_and_written_in_the_known_characters(tmp_path: Path) -> None:
    zh, en = tmp_path / "python3-jieba" / "jieba", tmp_path / "wamerican-small" / "dict"
    zh.mkdir(parents=True)
    en.mkdir(parents=True)
    (zh / "dict.txt").write_text(
        "打开 90 v\n文件 100 n\n稀字 1 n\n一二三四五 99 n\nAB 80 n\n文龘 70 n\n", encoding="utf-8"
    )
    (en / "american-english-small").write_text("apple\nApple's\nBob\nzebra\nx\n")
    assert collect_words(tmp_path, "打开文件稀字一二三四五", 2) == {"zh": ["打开", "文件"], "en": ["apple", "zebra"]}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_phrases_of_the_splits_share_no_word(material: Material, language: str, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for path in material.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    texts = json.loads((folder / "strings.json").read_text("utf-8"))
    words = {"zh": [f"{a}{b}" for a in "天地玄黄宇宙" for b in "洪荒日月盈昃"], "en": [f"word{n}" for n in range(60)]}
    (folder / "strings.json").write_text(json.dumps({**texts, "words": words}), encoding="utf-8")
    opened = Material(folder)
    train, valid = (set(opened.words[language][split]) for split in ("train", "valid"))  # type: ignore[index]
    assert train
    assert valid
    assert not train & valid
    assert opened.phrase(random.Random(0), "train", "en", 2).lower().split()[0] in opened.words["en"]["train"]


def test_unnamed_icons_share_no_word_with_what_can_be_named() -> None:
    names = ["house-door", "houses", "key", "cylinder", "brand-x", "letter-a", "users", "clock-2", "spiral", "stairs"]
    assert sorted(unnamed_of(names, CONCEPTS, 10)) == ["cylinder", "spiral", "stairs"]
    assert len(unnamed_of(names, CONCEPTS, 2)) == 2
