"""What in a copy a person should look at: words that the advertising law forbids, and claims that no attribute backs.

It reads words by tables, so that each finding can be explained; it understands nothing and clears nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from flashsight.core.errors import ConfigError
from flashsight.workbench.contradictions import COLOR, colors_in
from flashsight.workbench.evaluate import paths_of, text_fields, value_of
from flashsight.workbench.gold import GoldCase, GoldTable, pair
from flashsight.workbench.metrics import spelled
from flashsight.workbench.records import Result, Run
from flashsight.workbench.rules import NEGATIONS, TABLES, Rules, read_toml
from flashsight.workbench.words import value_key, without_thousands

Reason = Literal["forbidden", "colour", "material", "property", "number"]
MATERIAL = "material"
LISTS, SENTENCES = ("words", "except"), ("paragraph", "suggestion")
UNBACKED = "写进属性,或从文案中删去 state it in an attribute, or leave it out"
_UNITS = "小时|分钟|秒|天|年|元|折|件|个|厘米|毫米|米|寸|毫升|升|千克|公斤|克|斤|瓦|度|码|片|包|盒|套|层|倍|人"
_QUANTITY = re.compile(rf"\d+(?:\.\d+)?\s*(?:%|[a-z]+|{_UNITS})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class WordRule:
    """A rule of the law: what is looked for, what is harmless, where it stands, what to write instead."""

    words: Sequence[str]
    harmless: Sequence[str]
    paragraph: str
    suggestion: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something to look at in one copy. paragraph: of the law, None for a claim that nothing backs."""

    id: str
    field: str
    reason: Reason
    words: str
    paragraph: str | None
    suggestion: str

    def as_dict(self) -> dict[str, Any]:
        """The finding for JSON."""
        return asdict(self)


def read_word_rules(file: Path | None = None) -> list[WordRule]:
    """Read the package's rules and the user's, which add to them. Raises ConfigError, naming the entry at fault."""
    tables = _word_tables(TABLES / "adlaw.toml")
    for name, entry in (_word_tables(file) if file is not None else {}).items():
        old = tables.get(name, {})
        tables[name] = old | {
            key: [*old.get(key, ()), *value] if key in LISTS else value for key, value in entry.items()
        }
        if missing := [key for key in ("words", *SENTENCES) if key not in tables[name]]:
            raise ConfigError(f"rules.{name} in {file} lacks {', '.join(missing)}")
    return [
        WordRule(
            words=tuple(map(value_key, one["words"])),
            harmless=tuple(map(value_key, one.get("except", ()))),
            paragraph=one["paragraph"],
            suggestion=one["suggestion"],
        )
        for one in tables.values()
    ]


def _word_tables(file: Path) -> dict[str, dict[str, Any]]:
    entries = read_toml(file, ("rules",)).get("rules", {})
    for name, entry in entries.items():
        for key, value in entry.items() if isinstance(entry, dict) else [("", entry)]:
            is_list = isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value)
            if not (key in LISTS and is_list) and not (key in SENTENCES and isinstance(value, str)):
                known = "words and except are lists of words, paragraph and suggestion are sentences"
                raise ConfigError(f"rules.{name}.{key} in {file} is wrong: {known}")
    return dict(entries)


def findings(run: Run, rules: Rules, law: Sequence[WordRule], gold: GoldTable | None = None) -> Iterator[Finding]:
    """Yield what to look at, picture by picture, in the copies of a run: its fields of the kind `text`.

    gold: a table of what can be seen in the pictures; what any of its columns states, the copies' own left out, backs a
    claim too.
    """
    names, results = text_fields(run, rules), list(run.results())
    by_id = pair(gold, paths_of({result.id: result for result in results})).by_id if gold is not None else {}
    for result in results:
        for name in names:
            copy = _plain(spelled(value_of(result, name)))
            for words, rule in forbidden(copy, law):
                yield Finding(
                    id=result.id,
                    field=name,
                    reason="forbidden",
                    words=words,
                    paragraph=rule.paragraph,
                    suggestion=rule.suggestion,
                )
            seen = _seen(by_id[result.id], names) if result.id in by_id else {}
            attributes = _attributes(result, names) | seen if result.parsed is not None else None
            for reason, words in unbacked(copy, attributes, rules) if attributes is not None else ():
                yield Finding(id=result.id, field=name, reason=reason, words=words, paragraph=None, suggestion=UNBACKED)


def forbidden(copy: str, law: Sequence[WordRule]) -> Iterator[tuple[str, WordRule]]:
    """Yield each word of the law in a copy, with the sign behind it for a single one (最好), and its rule."""
    plain = _plain(copy)
    for rule in law:
        rest = plain
        for word in sorted(rule.harmless, key=len, reverse=True):
            rest = rest.replace(word, "\n" * len(word))
        for word in sorted(rule.words, key=len, reverse=True):
            behind = r"\w?" if len(word) == 1 else ""
            for found in dict.fromkeys(re.findall(re.escape(word) + behind, rest)):
                yield found, rule
            rest = rest.replace(word, "\n" * len(word))


def unbacked(copy: str, attributes: Mapping[str, str], rules: Rules) -> Iterator[tuple[Reason, str]]:
    """Yield the concrete claims of a copy that no attribute states: colours, materials, properties, quantities."""
    plain, backing = _plain(copy), _plain("\n".join(attributes.values()))
    stated = colors_in(backing, rules) | {rules.canonical(COLOR, attributes.get(COLOR, ""))}
    for color in sorted(colors_in(plain, rules) - stated):
        yield "colour", color
    for first, others in rules.synonyms.get(MATERIAL, {}).items():
        words = [value_key(word) for word in (first, *others)]
        named = [word for word in words if _is_named(word, plain)]
        if named and not any(word in backing for word in words):
            yield "material", named[0]
    for word in map(value_key, rules.opposites):
        if word in plain and word not in backing and not any(negation + word in plain for negation in NEGATIONS):
            yield "property", word
    stated_numbers = _numbers(without_thousands(backing))
    for quantity in dict.fromkeys(_QUANTITY.findall(without_thousands(plain))):
        if not _numbers(quantity) <= stated_numbers:
            yield "number", quantity.strip()


def _is_named(word: str, text: str) -> bool:
    """Single signs such as 木 or 皮 stand inside too many words to count."""
    return len(word) > 1 and (word in text if not word.isascii() else bool(re.search(rf"\b{re.escape(word)}\b", text)))


def _attributes(result: Result, copies: Sequence[str]) -> dict[str, str]:
    said = {name: spelled(value) for name, value in (result.parsed or {}).items() if name not in copies}
    return {f"column {name}": text for name, text in result.columns.items()} | said


def _seen(case: GoldCase, copies: Sequence[str]) -> dict[str, str]:
    told = {name: cells for name, cells in case.cells.items() if name not in copies} | dict(case.others)
    return {f"gold {name}": "\n".join(cells) for name, cells in told.items()}


def _numbers(text: str) -> set[str]:
    """The numbers of a text, each in one spelling: 64 for 64.00."""
    found = re.findall(r"\d+(?:\.\d+)?", text)
    return {number.rstrip("0").rstrip(".") if "." in number else number for number in found}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
