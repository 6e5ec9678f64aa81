"""What is promised of nano and how each promise is measured: by font, layout, kit, style and language, never by sample.

Every row draws its own pictures until it has as many answers as wanted: no row waits for chance. A picture counts once
in a row, so that its answers are independent. Knows no model.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from flashsight.demo.evaluate import Measure, Tally
from flashsight.demo.material import Material
from flashsight.demo.recipe import MAX_PIXELS
from flashsight.demo.sample import BUCKETS, Pair, Sample, Scene, Skill
from flashsight.demo.scenes.asking import NOTHING
from flashsight.demo.scenes.browser import Browser
from flashsight.demo.scenes.cards import Card
from flashsight.demo.scenes.charts import Chart
from flashsight.demo.scenes.icons import OneIcon, Photo
from flashsight.demo.scenes.mix import draw_sample
from flashsight.demo.scenes.pairs import TwoCards, TwoDrawings, TwoScreens
from flashsight.demo.scenes.questions import further_phrasings
from flashsight.demo.scenes.reading import Reading
from flashsight.demo.scenes.refusals import Nothing
from flashsight.demo.scenes.screens import Ui

CHINESE = re.compile(r"[㐀-鿿]")
LACKS = frozenset(term[language] for term in NOTHING.values() for language in ("zh", "en"))
TRIES = 60  # drawn samples for every wanted answer of a row, at most

Fits = Callable[[Sample, Pair], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: where its pictures come from, which questions count, how answers are measured, what is the goal."""

    name: str
    source: str
    keys: frozenset[str]
    measure: Measure
    goal: float
    fits: Fits


def _is_told(sample: Sample, pair: Pair) -> bool:
    return pair.answer not in LACKS


def _is_lacking(sample: Sample, pair: Pair) -> bool:
    return pair.answer in LACKS


def _is_chinese(sample: Sample, pair: Pair) -> bool:
    return CHINESE.search(pair.answer) is not None and _is_told(sample, pair)


def _is_latin(sample: Sample, pair: Pair) -> bool:
    return re.search("[A-Za-z]", pair.answer) is not None and pair.answer.isascii() and _is_told(sample, pair)


def _is_unnamed(sample: Sample, pair: Pair) -> bool:
    return "named" not in sample.traits


def _has(skill: Skill) -> Fits:
    return lambda sample, pair: pair.skill == skill


def _in_chinese(sample: Sample, pair: Pair) -> bool:
    return pair.skill == "icon" and pair.language == "zh"


def _is_plain(sample: Sample, pair: Pair) -> bool:
    return pair.skill != "refuse"


def _is_read_off(sample: Sample, pair: Pair) -> bool:
    return not _is_written(sample, pair)


def _is_written(sample: Sample, pair: Pair) -> bool:
    """The value stands in the picture as its label does: it, too, is copied from there."""
    return pair.spelled[-1][1] == len(pair.answer)


def _without_blur(sample: Sample, pair: Pair) -> bool:
    return "blurred" not in sample.traits


def _row(name: str, source: str, keys: str, measure: Measure, goal: float, fits: Fits = _is_told) -> Row:
    return Row(name, source, frozenset(keys.split()), measure, goal, fits)


TEXT, BUTTONS, OFTEN_LACKING = "line read", "buttons", "buttons error disabled primary title"
ROWS: tuple[Row, ...] = (
    _row("Chinese text ≥ 20 px, seen fonts: CER", "text 20, seen fonts", TEXT, "cer", 0.02, _is_chinese),
    _row("Chinese text ≥ 20 px, unseen fonts: CER", "text 20", TEXT, "cer", 0.05, _is_chinese),
    _row("Chinese text 16 px, seen fonts: CER", "text 16, seen fonts", TEXT, "cer", 0.06, _is_chinese),
    _row("English text ≥ 20 px, seen fonts: CER", "text 20, seen fonts", TEXT, "cer", 0.01, _is_latin),
    _row("English text ≥ 20 px, unseen fonts: CER", "text 20", TEXT, "cer", 0.01, _is_latin),
    _row("UI, seen layouts: title", "drawn screens", "title", "exact", 0.95),
    _row("UI, seen layouts: error text", "drawn screens", "error", "exact", 0.92),
    _row("UI, seen layouts: primary button", "drawn screens", "primary", "exact", 0.95),
    _row("UI, seen layouts, seen fonts: button list F1", "drawn screens, seen fonts", BUTTONS, "items", 0.96),
    _row("UI, seen layouts, unseen fonts: button list F1", "drawn screens", BUTTONS, "items", 0.96),
    _row("UI, unseen layouts in a browser: button list F1", "pages, unseen layout", BUTTONS, "items", 0.9),
    _row("UI, unseen kit in a browser: button list F1", "pages, unseen kit", BUTTONS, "items", 0.85),
    _row("UI, unseen kit in a browser: title", "pages, unseen kit", "title", "exact", 0.95),
    _row("UI, unseen kit in a browser: error text", "pages, unseen kit", "error", "exact", 0.92),
    _row("UI, unseen kit in a browser: primary button", "pages, unseen kit", "primary", "exact", 0.95),
    _row("UI: elements invented", "drawn screens", OFTEN_LACKING, "invented", 0.005, _is_lacking),
    _row("card, seen fonts: price", "cards, seen fonts", "price", "exact", 0.99),
    _row("card, unseen fonts: price", "cards", "price", "exact", 0.95),
    _row("card: colour", "cards", "colour", "exact", 0.97),
    _row("card: material", "cards", "material", "exact", 0.97),
    _row("card: category, product not named", "cards", "category", "exact", 0.95, _is_unnamed),
    _row("card: all attributes", "cards", "json", "attributes", 0.88),
    _row("card: JSON valid", "cards", "json", "json", 1.0),
    _row("drawing, seen styles: Chinese name", "drawings, seen styles", "what", "exact", 0.98, _in_chinese),
    _row("drawing, unseen style: Chinese name", "drawings", "what", "exact", 0.7, _in_chinese),
    _row("concepts never shown: refused", "drawings without a name", "what", "declined", 0.7, _has("refuse")),
    _row("photo of the vocabulary: name", "photos", "what", "exact", 0.75, _has("photo")),
    _row("chart: largest and smallest", "charts", "largest smallest", "label", 0.9),
    _row("chart: written value within 5 %", "charts", "value_of", "close", 0.8, _is_written),
    _row("chart: value read off the axis within 5 %", "charts", "value_of", "close", 0.8, _is_read_off),
    _row("two pictures: what differs", "pairs", "differ", "exact", 0.8),
    _row("blank or noise: said so", "nothing", "", "declined", 0.95, _without_blur),
    _row("plain questions refused", "everything", "", "refused", 0.03, _is_plain),
)  # fmt: skip
"""The promises in the order of the table; a row without keys counts every question."""


def _in_turn(*scenes: Scene) -> Callable[[random.Random], Scene]:
    return lambda rng: rng.choice(scenes)


_SCENES: Mapping[str, Callable[[random.Random], Scene]] = {
    "text 20": _in_turn(Reading((20, 40))),
    "text 16": _in_turn(Reading((16, 16))),
    "drawn screens": _in_turn(Ui()),
    "pages, unseen layout": _in_turn(Browser(("unseen layout",))),
    "pages, unseen kit": _in_turn(Browser(("unseen kit",))),
    "cards": _in_turn(Card()),
    "drawings": _in_turn(OneIcon(unnamed_share=0)),
    "drawings without a name": _in_turn(OneIcon(unnamed_share=1)),
    "photos": _in_turn(Photo()),
    "charts": _in_turn(Chart()),
    "pairs": _in_turn(TwoDrawings(), TwoCards(), TwoScreens()),
    "nothing": _in_turn(Nothing()),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A sample with only the pairs that count, and the names of the rows that each of them counts for."""

    sample: Sample
    rows: tuple[tuple[str, ...], ...]


def _samples(source: str, material: Material, seed: int, max_pixels: int) -> Iterator[Sample]:
    """Pictures of a source of the validation split; `seen …` in its name takes fonts or styles of training."""
    rng = random.Random(f"{source} {seed}")
    kind, _, condition = source.rpartition(", seen ")
    if kind:
        material = material.seeing("fonts") if condition == "fonts" else material.seeing("styles")
    scene = _SCENES.get(kind or source)
    buckets = [(size, share) for size, share in BUCKETS if size[0] * size[1] <= max_pixels]
    while True:
        size = rng.choices([size for size, _ in buckets], [share for _, share in buckets])[0]
        if scene is None:
            yield draw_sample(rng, material, "valid", size)
            continue
        sample = scene(rng).draw(rng, material, size, "valid")
        if sample.scene == "browser" or not source.startswith("pages"):
            yield sample


def draw_suite(material: Material, num_answers: int, seed: int, max_pixels: int = MAX_PIXELS) -> list[Case]:
    """Pictures and questions of every row, about `num_answers` of each; rows that share a source share pictures.

    max_pixels: the largest picture that the checkpoint takes without shrinking it.
    """
    by_source: defaultdict[str, list[Row]] = defaultdict(list)
    for row in ROWS:
        by_source[row.source].append(row)
    cases = []
    for source, rows in by_source.items():
        if source.startswith("pages") and not len(material.pages):
            continue
        counts: Counter[str] = Counter()
        for sample in islice(_samples(source, material, seed, max_pixels), num_answers * TRIES):
            case = _chosen(sample, rows, counts, num_answers)
            if case.rows:
                cases.append(case)
            if all(counts[row.name] >= num_answers for row in rows):
                break
    return cases


def reworded(cases: Sequence[Case], seed: int) -> list[Case]:
    """The same questions in words that only training uses, where there are any that name nothing of the picture."""
    rng = random.Random(seed)
    found = []
    for case in cases:
        pairs = []
        for pair in case.sample.pairs:
            others = [text for text in further_phrasings(pair.key, pair.skill, pair.language) if "{x}" not in text]
            pairs.append(replace(pair, question=rng.choice(others)) if others else pair)
        found.append(replace(case, sample=replace(case.sample, pairs=tuple(pairs))))
    return found


def _chosen(sample: Sample, rows: Sequence[Row], counts: Counter[str], wanted: int) -> Case:
    """The pairs that some row still wants, one for each row at most."""
    pairs, named = [], []
    waiting = [row for row in rows if counts[row.name] < wanted]
    for pair in sample.pairs:
        taken = [row for row in waiting if (not row.keys or pair.key in row.keys) and row.fits(sample, pair)]
        if taken:
            waiting = [row for row in waiting if row not in taken]
            names = tuple(row.name for row in taken)
            counts.update(names)
            pairs.append(pair)
            named.append(names)
    return Case(replace(sample, pairs=tuple(pairs)), tuple(named))


def measure(cases: Sequence[Case], answers: Mapping[tuple[int, int], str]) -> list[dict[str, Any]]:
    """The rows with their figures; answers are under (case, pair). Rows without an answer are left out."""
    rows = {row.name: row for row in ROWS}
    tallies: dict[str, Tally] = {row.name: Tally(row.measure) for row in ROWS}
    for number, case in enumerate(cases):
        for place, (pair, names) in enumerate(zip(case.sample.pairs, case.rows, strict=True)):
            for name in names:
                tallies[name].add(pair.answer, answers[number, place], pair.language)
    found = []
    for name, tally in tallies.items():
        if tally.counted:
            by_language = {language: asdict(tally.rate(language)) for language in ("zh", "en")}
            goal, is_share = rows[name].goal, tally.measure
            found.append({"name": name, "measure": is_share, "goal": goal, **asdict(tally.rate()), **by_language})
    return found


def failures(cases: Sequence[Case], answers: Mapping[tuple[int, int], str], limit: int) -> list[dict[str, Any]]:
    """Wrong answers beside the truth, the first `limit` of each row, with the number of their case."""
    seen: Counter[str] = Counter()
    found = []
    for number, case in enumerate(cases):
        for place, (pair, names) in enumerate(zip(case.sample.pairs, case.rows, strict=True)):
            said = answers[number, place].strip()
            if said != pair.answer.strip() and seen[names[0]] < limit:
                seen[names[0]] += 1
                row = {"row": names[0], "case": number, "question": pair.question}
                found.append({**row, "truth": pair.answer, "answer": said})
    return found
