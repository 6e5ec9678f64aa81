"""One spelling for what means the same: names of columns, values of cells, numbers in text. Knows no field by name."""

from __future__ import annotations

import re
import unicodedata

_BRACKETED = re.compile(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_SPACES = re.compile(r"\s+")
_NEXT_TO_HAN = re.compile(r"(?<=[\u3400-\u9fff]) | (?=[\u3400-\u9fff])")
_SEPARATORS = re.compile(r"[、,,;;|\n]|(?<!\d)/|/(?!\d)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def name_key(name: str) -> str:
    """The key of a column's name: NFKC, no case, no spaces or signs, no unit in brackets (unless nothing is left)."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _BETWEEN_WORDS.sub("", _BRACKETED.sub("", plain)) or _BETWEEN_WORDS.sub("", plain)


def value_key(value: str) -> str:
    """The key of a value: NFKC, no case, single spaces and none beside Chinese, no full stop at the end."""
    plain = _SPACES.sub(" ", unicodedata.normalize("NFKC", value).casefold()).strip()
    return _NEXT_TO_HAN.sub("", plain).rstrip(".。!;, ")


def parts_of(value: str) -> list[str]:
    """The single labels of a cell that lists several: 、 , ; | / and line breaks stand between them."""
    return [part.strip() for part in _SEPARATORS.split(unicodedata.normalize("NFKC", value)) if part.strip()]


def without_thousands(text: str) -> str:
    """A text whose numbers have no commas between their digits: 1299.00 for 1,299.00."""
    return _THOUSANDS.sub("", text)


def number_of(value: object) -> float | None:
    """The one number that a value says; None where it says none or several. 1,299.00 元 is 1299."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = _NUMBER.findall(without_thousands(unicodedata.normalize("NFKC", str(value))))
    return float(found[0]) if len(found) == 1 else None
