"""Collects what is true of a picture and turns some of it into questions with answers. Knows no pixel."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from flashsight.demo.sample import Pair, Skill, Split
from flashsight.demo.scenes.questions import LANGUAGES, ask
from flashsight.demo.vocabulary import Term

LACKS = 2  # questions about one picture for things that it lacks
MAX_READ = 110  # characters that one answer reads aloud

NOTHING: dict[str, Term] = {
    "error": Term("没有报错。", "There is no error."),
    "problem": Term("没有看到报错，用户没有遇到问题。", "No error is shown; the user has no problem."),
    "ticket": Term("没有看到报错，用户没有遇到问题。", "No error is shown; the user has no problem."),
    "buttons": Term("图中没有按钮。", "There are no buttons."),
    "states": Term("图中没有按钮。", "There are no buttons."),
    "primary": Term("没有主按钮。", "There is no primary button."),
    "disabled": Term("没有禁用的按钮。", "No button is disabled."),
    "price": Term("图中没有价格。", "No price is shown."),
    "old_price": Term("图中没有原价。", "No old price is shown."),
    "badge": Term("没有角标。", "There is no badge."),
    "features": Term("图中没有列出卖点。", "No selling points are listed."),
    "material": Term("图中没有标明材质。", "The material is not stated."),
    "read": Term("图中没有文字。", "There is no text."),
    "title": Term("没有标题。", "There is no title."),
    "chart_title": Term("没有标题。", "There is no title."),
    "fields": Term("没有输入框。", "There are no input fields."),
}
"""What is answered when a picture lacks the thing."""


# Private use characters around what an answer copies from the picture; no font and no string of the material has them.
_OPEN, _CLOSE = "\ue000", "\ue001"


def copied(text: str) -> str:
    """A text of the picture inside an answer, marked as such."""
    return f"{_OPEN}{text}{_CLOSE}"


def unmarked(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """An answer without its marks, and the [start, end) of what stood between them."""
    if _OPEN not in text:
        return text, ()
    parts, spans, length = [], [], 0
    for number, part in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", text)):
        if number % 2 and part:
            spans.append((length, length + len(part)))
        parts.append(part)
        length += len(part)
    return "".join(parts), tuple(spans)


def quoted(text: str) -> Term:
    """A text of the picture between the quotation marks of each language."""
    return Term(f"“{copied(text)}”", f'"{copied(text)}"')


def listed(parts: Iterable[str]) -> Term:
    """Texts of the picture one after the other."""
    marked = [copied(part) for part in parts]
    return Term("、".join(marked), ", ".join(marked))


def same(text: str) -> Term:
    """A text that stands in the picture and is answered as it stands."""
    return Term(copied(text), copied(text))


@dataclass(frozen=True, slots=True)
class _Fact:
    key: str
    answer: Term
    skill: Skill
    x: Term
    weight: float
    is_lack: bool = False


@dataclass(slots=True)
class Facts:
    """What is true of a picture, as answers to questions by key."""

    skill: Skill
    _facts: list[_Fact] = field(default_factory=list)

    def add(
        self, key: str, answer: Term, *, x: Term | None = None, weight: float = 1.0, skill: Skill | None = None
    ) -> None:
        """Say the answer to a question; `weight` tells how often it is asked beside the others."""
        self._facts.append(_Fact(key, answer, skill or self.skill, x or Term("", ""), weight))

    def read(self, text: str, *, weight: float = 1.0) -> None:
        """Say what is written in the picture, unless it is more than an answer should hold."""
        if not text:
            self.lack("read", weight=weight / 2)
        elif len(text) <= MAX_READ:
            lines = "\n".join(map(copied, text.split("\n")))
            self.add("read", Term(lines, lines), weight=weight, skill="read")

    def lack(self, *keys: str, weight: float = 0.3) -> None:
        """Say that the picture has none of these things."""
        for key in keys:
            self._facts.append(_Fact(key, NOTHING[key], "refuse", Term("", ""), weight, is_lack=True))

    def pairs(self, rng: random.Random, split: Split) -> tuple[Pair, ...]:
        """The facts as questions in both languages, the heavier ones sooner in line; few of what the picture lacks."""
        topic = self.skill if split == "train" else None
        drawn = sorted(
            ((rng.random() ** (1 / fact.weight), fact, language) for fact in self._facts for language in LANGUAGES),
            key=lambda entry: -entry[0],
        )
        found, num_lacks = [], 0
        for _, fact, language in drawn:
            num_lacks += fact.is_lack
            if not fact.is_lack or num_lacks <= LACKS:
                question = ask(rng, fact.key, language, unmarked(fact.x[language])[0], topic)
                answer, spelled = unmarked(fact.answer[language])
                found.append(Pair(question, answer, fact.skill, fact.key, language, spelled))
        return tuple(found)
