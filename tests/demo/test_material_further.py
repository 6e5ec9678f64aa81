"""What training alone shows is chosen by name, cut out cleanly, and never reaches validation."""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from flashsight.core.errors import ConfigError
from flashsight.demo.material import Material
from flashsight.demo.material.archives import read_archive
from flashsight.demo.material.cutting import dark_share, fitted, without_ground
from flashsight.demo.material.listed import PICTURES
from flashsight.demo.material.stamps import STAMPS
from flashsight.demo.vocabulary import CONCEPTS

NAMES = {concept.name.en for concept in CONCEPTS}


def test_every_listed_picture_shows_one_concept_or_none_and_stands_once() -> None:
    for collection, files in PICTURES.items():
        assert {name for _, name in files} <= NAMES | {""}, collection
        assert len({file for file, _ in files}) == len(files), collection
    assert sum(1 for _, name in PICTURES["clipart"] if not name) >= 300


def test_no_listed_stamp_is_used_already_or_kept_for_validation() -> None:
    assert not {path for path, _ in PICTURES["tuxpaint photographs"]} & {path for path, _, _ in STAMPS}


@pytest.fixture
def widened(material: Material, tmp_path: Path) -> Material:
    """The same material with further drawings of everything, for training alone."""
    for path in material.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "fonts").symlink_to(material.folder / "fonts")
    index = json.loads((tmp_path / "sprites.json").read_text())
    further = [[name, "clipart", "extra", start, size] for name, _, split, start, size in index if split == "train"]
    (tmp_path / "sprites.json").write_text(json.dumps(index + further))
    return Material(tmp_path)


def test_validation_shows_the_same_with_further_drawings_for_training(material: Material, widened: Material) -> None:
    for seen in ((), ("styles",)):
        for concept in material.drawable:
            before, after = (opened.seeing(*seen) for opened in (material, widened))
            styles = [opened.sprite(random.Random(concept), concept, "valid").style for opened in (before, after)]
            assert styles[0] == styles[1]
    assert widened.drawable == material.drawable


def test_training_shows_further_drawings(widened: Material) -> None:
    rng = random.Random(0)
    assert "clipart" in {widened.sprite(rng, 0, "train").style for _ in range(40)}
    assert "clipart" in {widened.unnamed_sprite(rng, "train").style for _ in range(40)}
    assert "clipart" not in {widened.unnamed_sprite(rng, "valid").style for _ in range(40)}
    assert widened.styled_sprite(rng, "train", "clipart").style == "clipart"


def _archive(name: str, content: bytes) -> bytes:
    """A Qt resource archive of one compressed file in one folder, put together by hand."""
    named = b"".join(
        struct.pack(">HI", len(word), 0) + word.encode("utf-16-be") for word in ("a", name)
    )  # the second begins after 2 + 4 + 2 bytes
    packed = struct.pack(">I", len(content)) + zlib.compress(content)
    contents = struct.pack(">I", len(packed)) + packed
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", 0, 2, 1, 2, 0)
    tree += struct.pack(">IHHHIQ", 8, 1, 0, 0, 0, 0)
    header = struct.pack(">4s4I", b"qres", 2, 20, 20 + len(tree), 20 + len(tree) + len(contents))
    return header + tree + contents + named


def test_an_archive_gives_back_what_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "pictures.rcc"
    path.write_bytes(_archive("dog.webp", b"bow" * 50))
    assert read_archive(path) == {"a/dog.webp": b"bow" * 50}


def test_another_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x.rcc").write_bytes(b"PK\3\4 something else")
    with pytest.raises(ConfigError, match="no Qt resource archive"):
        read_archive(tmp_path / "x.rcc")


def _photograph(ground: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (80, 60), ground)
    ImageDraw.Draw(picture).rectangle((30, 20, 59, 44), (180, 30, 30))
    return picture.convert("RGBA")


def test_a_plain_light_ground_is_cut_away() -> None:
    cut = without_ground(_photograph((240, 240, 236)))
    assert abs(cut.width - 30) <= 2
    assert abs(cut.height - 25) <= 2
    assert cut.getpixel((cut.width // 2, cut.height // 2)) == (180, 30, 30, 255)


def test_any_other_ground_stays() -> None:
    assert without_ground(_photograph((60, 90, 60))).size == (80, 60)
    striped = _photograph((240, 240, 240))
    for x in range(0, 80, 4):
        ImageDraw.Draw(striped).line((x, 0, x, 60), (120, 120, 240), 2)
    assert without_ground(striped).size == (80, 60)


def test_pictures_are_cut_to_their_edges_and_made_small_enough() -> None:
    wide = Image.new("RGBA", (400, 300))
    ImageDraw.Draw(wide).rectangle((100, 100, 299, 199), (0, 0, 0, 255))
    assert fitted(wide, 112).size == (112, 56)
    assert dark_share(fitted(wide, 112)) == 1
    assert dark_share(Image.new("RGBA", (4, 4), (250, 200, 0, 255))) == 0
    assert dark_share(Image.new("RGBA", (4, 4))) == 0
