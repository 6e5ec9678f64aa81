"""Collects strings of user interfaces from translation catalogues, and words from dictionaries. Knows no picture."""

from __future__ import annotations

import gettext
import hashlib
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


def collect_words(unpacked: Path, characters: str, count: int = 16000) -> dict[str, list[str]]:
    """The `count` most frequent Chinese words of two to four of the characters, and English words of a small list."""
    known = frozenset(characters)
    chinese: list[tuple[int, str]] = []
    dictionary = next(iter(sorted(unpacked.glob("python3-jieba/**/dict.txt"))))
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, frequency, *_ = line.split(" ")
        if 2 <= len(word) <= 4 and all("㐀" <= char <= "鿿" for char in word) and set(word) <= known:
            chinese.append((-int(frequency), word))
    listed = next(iter(sorted(unpacked.glob("wamerican-small/**/american-english-small"))))
    english = sorted({word for word in listed.read_text(encoding="utf-8").split() if re.fullmatch("[a-z]{2,11}", word)})
    english.sort(key=lambda word: hashlib.sha256(word.encode()).digest())
    return {"zh": sorted(word for _, word in sorted(chinese)[:count]), "en": sorted(english[:count])}
