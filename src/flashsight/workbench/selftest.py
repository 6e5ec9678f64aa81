"""Three basic tests on pictures of the package: an object, its colour and look, a scene. Judges words, asks nobody.

An answer passes if it has one of the words of every list. That a model passes says that the road from bytes to answer
works and that it sees; it says nothing of a user's own pictures.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import flashsight
from flashsight.presets import Language
from flashsight.workbench.records import Case, CasePicture, Result

PICTURES = Path(flashsight.__file__).parent / "assets" / "selftest"
TESTS = ("object", "colour", "scene")
TITLES = {
    "object": "object 物体",
    "colour": "colour and look 颜色与样式",
    "scene": "scene 场景",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question. words: the answer must have one of each list."""

    test: str
    picture: str
    question: str
    words: Sequence[Sequence[str]]

    @property
    def case(self) -> Case:
        """The question as a case of a run over PICTURES."""
        return Case(
            id=f"{self.test} {self.picture} {self.question}",
            pictures=(CasePicture(path=self.picture),),
            prompt=self.question,
        )

    def is_passed(self, result: Result) -> bool:
        """Whether an answer names what the picture shows; none does not."""
        said = unicodedata.normalize("NFKC", result.answer or "").casefold()
        return result.error is None and all(any(word in said for word in words) for words in self.words)


def read_trials(language: Language) -> list[Trial]:
    """The questions in one language, test by test."""
    tables = tomllib.loads((PICTURES / "tests.toml").read_text(encoding="utf-8"))
    return [
        Trial(test=test, picture=one["picture"], question=one[language], words=one["words"])
        for test in TESTS
        for one in tables[test]
    ]
