"""Collects Chinese and English strings of user interfaces from translation catalogues. Knows no picture."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

MAX_ZH, MAX_EN = 22, 40
_UNWANTED = re.compile(r"[%{}<>\\\n\t|_&$~^=#@*\[\]/]|\.\.|https?:|--|…|ID3|[a-z]+\(")


def _is_plain(zh: str, en: str, known: frozenset[str]) -> bool:
    if _UNWANTED.search(zh) or _UNWANTED.search(en) or not en.isascii() or not set(zh) <= known:
        return False
    has_chinese = sum("㐀" <= char <= "鿿" for char in zh)
    return 2 <= len(zh) <= MAX_ZH and 2 <= len(en) <= MAX_EN and has_chinese * 2 > len(zh)


def _clean(text: str) -> str:
    text = re.sub(r"\(_?[A-Za-z0-9]\)", "", text.replace("_", "")).strip()
    return text.rstrip(":：.。").strip()


def collect_strings(roots: list[Path], characters: str) -> list[list[str]]:
    """[zh, en] pairs, sorted, from every zh_CN catalogue below the roots, in the given characters only."""
    known, pairs = frozenset(characters), set()
    for root in roots:
        for path in sorted(root.glob("**/zh_CN/LC_MESSAGES/*.mo")):
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            for key, text in catalogue.items():
                if isinstance(key, str) and isinstance(text, str) and key:
                    en, zh = _clean(key.rpartition("\x04")[2]), _clean(text)
                    if _is_plain(zh, en, known):
                        pairs.add((zh, en))
    return [list(pair) for pair in sorted(pairs)]
