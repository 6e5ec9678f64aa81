"""What a rater may say of an answer and how it is kept, as frozen dataclasses. Knows no file and no run."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flashsight.core.errors import RequestError
from flashsight.workbench.records import RunError

TAGS: Mapping[str, tuple[str, str]] = {
    "wrong_color": ("颜色写错", "wrong color"),
    "missing_promotion": ("缺促销信息", "promotion missing"),
    "stiff_tone": ("语气生硬", "stiff tone"),
}
"""The tags that are offered, each with its Chinese and English name; any other text is a rater's own."""

LOWEST, HIGHEST = 1, 5
MAX_TAGS, MAX_TAG_CHARACTERS, MAX_COPY_CHARACTERS = 20, 40, 8000

_RATER = re.compile(r"[0-9a-f]{16}")


class RatingError(RunError):
    """The ratings of a run cannot be read or kept."""

    code = "bad_ratings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person says of one answer. score: 1 to 5. corrected: the copy as it should be, None where untouched.

    is_accepted: the copy would be used as `corrected` has it, or, without that, as it was written.
    """

    score: int | None = None
    tags: tuple[str, ...] = ()
    is_accepted: bool = False
    corrected: str | None = None

    @property
    def is_nothing(self) -> bool:
        """True if nothing is said: such a line takes back what was said before."""
        return self == Said()


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingRow:
    """A rating as it is kept. run: as `run_id`. picture_sha256: of all pictures of the item, joined by +.

    edit_distance: characters between the written and the corrected copy, None where none was written. at: UTC, as
    ISO 8601. number counts all that was ever said in the file. undoes: the number of the line that this one took back.
    """

    number: int
    run: str
    item: str
    picture_sha256: str
    prompt_sha256: str
    rater: str
    said: Said
    edit_distance: int | None
    at: str
    undoes: int | None = None


def checked_rater(rater: str) -> str:
    """A rater's word as it came. Raises RequestError for anything but 16 hex digits."""
    if not _RATER.fullmatch(rater):
        raise RequestError("a rater is named by 16 hex digits; reload the page", param="rater")
    return rater


def checked(said: Said) -> Said:
    """What was said with its texts in one spelling. Raises RequestError, naming the field at fault and the limit."""
    if said.score is not None and not LOWEST <= said.score <= HIGHEST:
        raise RequestError(f"score must be from {LOWEST} to {HIGHEST}, got {said.score}", param="score")
    if said.corrected is not None and len(said.corrected) > MAX_COPY_CHARACTERS:
        raise RequestError(
            f"the corrected copy has {len(said.corrected)} characters, the limit is {MAX_COPY_CHARACTERS}; shorten it",
            param="corrected",
        )
    return Said(score=said.score, tags=_spelled(said.tags), is_accepted=said.is_accepted, corrected=said.corrected)


def _spelled(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once; the name of an offered one, in either language, stands for it."""
    keys = {name: key for key, names in TAGS.items() for name in names}
    cleaned = [" ".join(unicodedata.normalize("NFKC", tag).split()) for tag in tags]
    kept = tuple(dict.fromkeys(keys.get(tag, tag) for tag in cleaned if tag))
    if len(kept) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARACTERS for tag in kept):
        raise RequestError(
            f"at most {MAX_TAGS} tags of at most {MAX_TAG_CHARACTERS} characters; shorten or leave some out",
            param="tags",
        )
    return kept


def tag_name(tag: str) -> str:
    """A tag for both languages' readers."""
    return " ".join(TAGS.get(tag, (tag,)))
