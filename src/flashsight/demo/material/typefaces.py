"""Cuts fonts down to the characters that are drawn, and says which are kept for validation. Knows no picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont

# (file name, face in a collection, script, split): zh fonts hold Chinese and ASCII, latin ones ASCII only.
FONTS: tuple[tuple[str, int, str, str], ...] = (
    ("NotoSansCJK-Regular.ttc", 2, "zh", "train"),
    ("NotoSansCJK-Bold.ttc", 2, "zh", "train"),
    ("NotoSerifCJK-Regular.ttc", 2, "zh", "train"),
    ("NotoSerifCJK-Bold.ttc", 2, "zh", "train"),
    ("wqy-microhei.ttc", 0, "zh", "train"),
    ("gbsn00lp.ttf", 0, "zh", "train"),
    ("gkai00mp.ttf", 0, "zh", "train"),
    ("SmileySans-Oblique.ttf", 0, "zh", "train"),
    ("ZCOOLKuaiLe_400Regular.ttf", 0, "zh", "train"),
    ("ZCOOLQingKeHuangYou_400Regular.ttf", 0, "zh", "train"),
    ("ZCOOLXiaoWei_400Regular.ttf", 0, "zh", "train"),
    ("wqy-zenhei.ttc", 0, "zh", "valid"),
    ("LXGWWenKai-Regular.ttf", 0, "zh", "valid"),
    *((f"{name}.ttf", 0, "latin", "train") for name in (
        "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "LiberationSans-Regular", "LiberationSans-Bold",
        "LiberationSerif-Regular", "LiberationMono-Regular", "LiberationSansNarrow-Bold", "Roboto-Regular",
        "Roboto-Bold", "Roboto-Medium", "Lato-Regular", "Lato-Bold", "Lato-Black", "FiraCode-Regular",
        "Comfortaa-Bold", "Quicksand-Medium", "NotoSans-Regular", "NotoSans-Bold", "NotoSerif-Regular",
        "JetBrainsMono-Regular", "Carlito-Regular", "Carlito-Bold", "Caladea-Regular", "FreeSerif", "FreeSansBold",
        "DejaVuSerif-Bold",
    )),
    *((f"{name}.otf", 0, "latin", "train") for name in (
        "Inter-Regular", "Inter-Medium", "Inter-Bold", "Cantarell-Bold", "NimbusSansNarrow-Bold", "NimbusRoman-Bold",
        "C059-Bold", "URWGothic-Demi", "URWBookman-Demi", "EBGaramond12-Regular",
    )),
    *((f"{name}_400Regular.ttf", 0, "latin", "train") for name in (
        "Archivo", "Arimo", "Barlow", "Bitter", "DMSans", "Exo2", "Figtree", "FiraSans", "Hind", "IBMPlexMono",
        "IBMPlexSans", "Karla", "Lexend", "LibreBaskerville", "LibreFranklin", "Lora", "Manrope", "Merriweather",
        "Montserrat", "Mulish", "Nunito", "Oswald", "Outfit", "PTSans", "PTSerif", "PlayfairDisplay",
        "PlusJakartaSans", "Poppins", "Raleway", "RobotoCondensed", "RobotoSlab", "Rubik", "SourceCodePro",
        "SourceSans3", "SourceSerif4", "Tinos", "Ubuntu", "WorkSans",
    )),
    *((f"{name}.ttf", 0, "latin", "train") for name in (
        "Barlow_600SemiBold", "DMSans_600SemiBold", "Figtree_700Bold", "FiraSans_600SemiBold",
        "IBMPlexSans_600SemiBold", "Lora_700Bold", "Manrope_700Bold", "Merriweather_700Bold",
        "Montserrat_600SemiBold", "Nunito_700Bold", "PTSans_700Bold", "PlayfairDisplay_700Bold",
        "Poppins_600SemiBold", "RobotoSlab_700Bold", "Rubik_600SemiBold",
        "SourceSans3_600SemiBold", "SourceSerif4_700Bold", "WorkSans_600SemiBold",
    )),
    *((f"{name}.ttf", 0, "latin", "valid") for name in ("OpenSans-Regular", "OpenSans-Bold", "Vollkorn-Bold")),
    *((f"{name}.otf", 0, "latin", "valid") for name in ("Cantarell-Regular", "P052-Bold")),
)  # fmt: skip

SHARES = {
    "SmileySans-Oblique": 0.5,
    "ZCOOLKuaiLe_400Regular": 0.4,
    "ZCOOLQingKeHuangYou_400Regular": 0.4,
    "ZCOOLXiaoWei_400Regular": 0.5,
}
"""How often fonts for headlines are taken beside the others, which count 1."""

LATIN = "".join(map(chr, range(32, 127))) + "¥€£°×±·•–—‘’“”…"


def _cut(path: Path, face: int, characters: str, target: Path) -> str:
    """Write the cut font; return the characters it really has."""
    font = TTFont(path, fontNumber=face, lazy=True)
    has = font.getBestCmap()
    kept = "".join(char for char in characters if ord(char) in has)
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[1, 2, 13], notdef_outline=True)
    options.drop_tables += [
        "vmtx",
        "vhea",
        "VORG",
        "BASE",
        "DSIG",
        "EBDT",
        "EBLC",
        "EBSC",
        "kern",
        "FFTM",
        "meta",
        "mort",
        "BDF ",
    ]
    cutter = subset.Subsetter(options)
    cutter.populate(text=kept)
    cutter.subset(font)
    font.save(target)
    return kept


def cut_fonts(unpacked: Path, folder: Path, characters: str) -> list[str]:
    """Write fonts/ and fonts.json into `folder`; return the names of fonts that the packages no longer hold."""
    places = ("*/usr/share/fonts/**/*.[ot]t[fc]", "*/package/*/*.ttf")
    found = {path.name: path for place in places for path in sorted(unpacked.glob(place))}
    target = folder / "fonts"
    target.mkdir(exist_ok=True)
    index: list[dict[str, Any]] = []
    for name, face, script, split in FONTS:
        if name not in found:
            continue
        file = f"{Path(name).stem}.{'otf' if 'CJK' in name else name[-3:].replace('ttc', 'ttf')}"
        wanted = characters if script == "zh" else LATIN
        missing = "".join(sorted(set(wanted) - set(_cut(found[name], face, wanted, target / file))))
        share = SHARES.get(Path(name).stem, 1.0)
        index.append({"file": file, "script": script, "split": split, "missing": missing, "share": share})
    (folder / "fonts.json").write_text(json.dumps(index, ensure_ascii=False, indent=0), encoding="utf-8")
    return [name for name, *_ in FONTS if name not in found]
