"""Scores answers against what was drawn, by skill and language, with intervals. Knows no model and no picture."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flashsight.demo.sample import Pair, Sample

ITEMS = re.compile(r"[、,，;；\n]\s*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
Z95 = 1.959964


@dataclass(slots=True)
class Score:
    """Counts over answers of one kind.

    exact: equal to the truth. edits / characters is the character error rate. shared, named and wanted are items of
    answers whose truth is a list. valid and fields speak of JSON: objects that parse, values equal to the true ones.
    """

    num: int = 0
    exact: int = 0
    edits: int = 0
    characters: int = 0
    num_lists: int = 0
    shared: int = 0
    named: int = 0
    wanted: int = 0
    num_json: int = 0
    valid: int = 0
    fields: int = 0
    fields_right: int = 0

    def add(self, truth: str, said: str) -> None:
        """Take one answer in."""
        truth, said = truth.strip(), said.strip()
        self.num += 1
        self.exact += truth == said
        self.edits += min(edit_distance(truth, said), len(truth))
        self.characters += len(truth)
        if truth.startswith("{"):
            self._add_json(truth, said)
            return
        wanted = Counter(ITEMS.split(truth))
        if wanted.total() > 1:
            named = Counter(ITEMS.split(said))
            self.num_lists += 1
            self.shared += (wanted & named).total()
            self.named += named.total()
            self.wanted += wanted.total()

    def _add_json(self, truth: str, said: str) -> None:
        self.num_json += 1
        true = json.loads(truth)
        self.fields += len(true)
        try:
            told = json.loads(said)
        except ValueError:
            return
        self.valid += 1
        if isinstance(told, dict):
            self.fields_right += sum(told.get(name) == value for name, value in true.items())

    def as_dict(self) -> dict[str, float | int | list[float]]:
        """Return the rates; only those that were measured."""
        low, high = wilson(self.exact, self.num)
        rates: dict[str, float | int | list[float]] = {
            "num": self.num,
            "exact": round(self.exact / self.num, 4),
            "exact_95": [round(low, 4), round(high, 4)],
            "cer": round(self.edits / max(1, self.characters), 4),
        }
        if self.num_lists:
            rates["items_f1"] = round(2 * self.shared / max(1, self.named + self.wanted), 4)
        if self.num_json:
            rates["json_valid"] = round(self.valid / self.num_json, 4)
            rates["fields_right"] = round(self.fields_right / max(1, self.fields), 4)
        return rates


def score(samples: Sequence[Sample], answers: Mapping[tuple[int, int], str]) -> dict[str, object]:
    """Return rates by skill and language, by scene, and how often a plain question was refused.

    answers are under (sample, pair).
    """
    by_skill: defaultdict[str, Score] = defaultdict(Score)
    by_scene: defaultdict[str, Score] = defaultdict(Score)
    refusals = {pair.answer for sample in samples for pair in sample.pairs if pair.skill == "refuse"}
    num_plain = num_refused = 0
    for scene, pair, said in _each(samples, answers):
        by_skill[f"{pair.skill} {'zh' if CHINESE.search(pair.question) else 'en'}"].add(pair.answer, said)
        by_scene[f"{scene}: {pair.skill}"].add(pair.answer, said)
        if pair.skill != "refuse" and pair.answer not in refusals:
            num_plain += 1
            num_refused += said.strip() in refusals
    return {
        "samples": len(samples),
        "by_skill": {name: found.as_dict() for name, found in sorted(by_skill.items())},
        "by_scene": {name: found.as_dict() for name, found in sorted(by_scene.items())},
        "false_refusals": round(num_refused / max(1, num_plain), 4),
    }


def table(report: Mapping[str, object]) -> str:
    """Return a report as two Markdown tables."""
    lines = []
    for part, title in (("by_skill", "skill"), ("by_scene", "scene: skill")):
        lines += [
            f"| {title} | answers | exact (95 %) | CER | items F1 | JSON valid | fields right |",
            "|---" * 7 + "|",
        ]
        rows = report[part]
        assert isinstance(rows, Mapping)
        for name, rates in rows.items():
            low, high = rates["exact_95"]
            rest = [_rate(rates.get(key)) for key in ("items_f1", "json_valid", "fields_right")]
            exact = f"{100 * rates['exact']:.1f} % ({100 * low:.0f}-{100 * high:.0f})"
            lines.append(f"| {name} | {rates['num']} | {exact} | {rates['cer']:.3f} | {' | '.join(rest)} |")
        lines.append("")
    return "\n".join(lines)


def failures(samples: Sequence[Sample], answers: Mapping[tuple[int, int], str], limit: int) -> list[dict[str, str]]:
    """Return wrong answers beside the truth, the first `limit` of each skill."""
    seen: Counter[str] = Counter()
    found = []
    for scene, pair, said in _each(samples, answers):
        if said.strip() != pair.answer.strip() and seen[pair.skill] < limit:
            seen[pair.skill] += 1
            row = {"scene": scene, "skill": pair.skill, "question": pair.question}
            found.append({**row, "truth": pair.answer, "answer": said})
    return found


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's distance between two strings."""
    row = list(range(len(other) + 1))
    for place, character in enumerate(one, start=1):
        diagonal, row[0] = row[0], place
        for column, candidate in enumerate(other, start=1):
            changed = diagonal + (character != candidate)
            diagonal = row[column]
            row[column] = min(changed, diagonal + 1, row[column - 1] + 1)
    return row[-1]


def wilson(right: int, num: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if num == 0:
        return 0.0, 1.0
    share = right / num
    middle = share + Z95**2 / (2 * num)
    spread = Z95 * math.sqrt(share * (1 - share) / num + Z95**2 / (4 * num**2))
    scale = 1 + Z95**2 / num
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _each(samples: Iterable[Sample], answers: Mapping[tuple[int, int], str]) -> Iterator[tuple[str, Pair, str]]:
    for number, sample in enumerate(samples):
        for place, pair in enumerate(sample.pairs):
            yield sample.scene, pair, answers[number, place]


def _rate(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else ""
