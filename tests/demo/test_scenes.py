"""Scenes draw what they say: sizes, labels, languages, and no word in an answer that is not in the picture."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

import jsonschema
import numpy as np
import pytest

from flashsight.demo.material import Material, Sprite
from flashsight.demo.sample import BUCKETS, PATCH, SKILLS, Sample
from flashsight.demo.scenes import SCENES, chart_drawing, draw_sample, screens
from flashsight.demo.scenes.asking import LACKS, NOTHING, Facts
from flashsight.demo.scenes.canvas import Canvas, Type, pick_type, text_size
from flashsight.demo.scenes.chart_drawing import Look
from flashsight.demo.scenes.charts import a_series, tell_series
from flashsight.demo.scenes.colours import tinted
from flashsight.demo.scenes.mix import TAUGHT
from flashsight.demo.scenes.questions import MORE, PHRASINGS
from flashsight.demo.scenes.restyling import redrawn, restyled
from flashsight.demo.scenes.screen_words import Screen
from flashsight.demo.scenes.tags import price_pieces
from flashsight.demo.scenes.wording import changed
from flashsight.demo.vocabulary import CATEGORIES, COLOURS, CONCEPTS

PRODUCT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["category", "color", "material", "key_features", "marketing_copy"],
    "properties": {
        "category": {"enum": [category[language] for category in CATEGORIES for language in ("zh", "en")]},
        "color": {"type": "string"},
        "material": {"type": "string"},
        "key_features": {"type": "array", "items": {"type": "string"}},
        "marketing_copy": {"type": "string", "minLength": 3},
    },
}


def has_chinese(text: str) -> bool:
    return re.search("[㐀-鿿]", text) is not None


def samples(material: Material, name: str, count: int = 12) -> list[Sample]:
    drawn = []
    for seed in range(count):
        size = BUCKETS[seed % len(BUCKETS)][0]
        drawn.append(SCENES[name].draw(random.Random(seed), material, size, "valid" if seed % 3 == 0 else "train"))
    return drawn


@pytest.mark.parametrize("name", sorted(SCENES))
def test_pictures_and_labels_have_the_sizes_of_the_bucket(material: Material, name: str) -> None:
    for seed, sample in enumerate(samples(material, name)):
        height, width = BUCKETS[seed % len(BUCKETS)][0]
        assert len(sample.pictures) == len(sample.labels) in (1, 2)
        for picture, labels in zip(sample.pictures, sample.labels, strict=True):
            assert picture.shape == (height, width, 3)
            assert picture.dtype == np.uint8
            limits = (len(material.characters), len(CONCEPTS) + 1, len(COLOURS) + 1, 101, 100, 1)
            planes = (labels.char, labels.icon, labels.colour, labels.level, labels.value, labels.feature)
            for plane, limit in zip(planes, limits, strict=True):
                assert plane.shape == (height // PATCH, width // PATCH)
                assert plane.dtype == np.int16
                assert -1 <= plane.min() <= plane.max() < limit


@pytest.mark.parametrize("name", sorted(SCENES))
def test_the_same_random_numbers_draw_the_same_example(material: Material, name: str) -> None:
    for first, second in zip(samples(material, name, 4), samples(material, name, 4), strict=True):
        assert first.pairs == second.pairs
        for one, two in zip(first.pictures, second.pictures, strict=True):
            assert np.array_equal(one, two)


@pytest.mark.parametrize("name", sorted(SCENES))
def test_every_question_gets_an_answer_and_six_or_more_can_be_asked(material: Material, name: str) -> None:
    for sample in samples(material, name):
        assert len(sample.pairs) >= 6
        assert all(pair.question.strip() and pair.answer.strip() for pair in sample.pairs)


def test_refusals_speak_the_language_of_their_question(material: Material) -> None:
    for name in SCENES:
        for sample in samples(material, name):
            for pair in sample.pairs:
                if pair.skill == "refuse":
                    assert has_chinese(pair.question) == has_chinese(pair.answer) or '"' in pair.question


def test_json_answers_keep_to_the_product_schema(material: Material) -> None:
    found = [pair.answer for sample in samples(material, "card", 60) for pair in sample.pairs if pair.skill == "json"]
    assert len(found) > 10
    for answer in found:
        entry = json.loads(answer)
        jsonschema.validate(entry, PRODUCT)
        assert answer == json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Every line that is written, and whether it lies inside the picture."""
    lines: list[tuple[str, bool]] = []
    write, write_pieces = Canvas.text, Canvas.pieces

    def record(canvas: Canvas, x: float, y: float, text: str, *rest: object) -> float:
        width = write(canvas, x, y, text, *rest)  # type: ignore[arg-type]
        size = rest[0].size  # type: ignore[attr-defined]
        lines.append((text, x >= -1 and y >= -1 and x + width <= canvas.width + 1 and y + size <= canvas.height + 1))
        return width

    def record_pieces(canvas: Canvas, x: float, y: float, pieces: list[tuple[str, Type]], *rest: object) -> float:
        width = write_pieces(canvas, x, y, pieces, *rest)  # type: ignore[arg-type]
        size = max(type_.size for _, type_ in pieces)
        is_inside = x >= -1 and y >= -1 and x + width <= canvas.width + 1 and y + size <= canvas.height + 1
        lines.append(("".join(text for text, _ in pieces), is_inside))
        return width

    monkeypatch.setattr(Canvas, "text", record)
    monkeypatch.setattr(Canvas, "pieces", record_pieces)
    return lines


@pytest.mark.parametrize("name", sorted(SCENES))
def test_no_line_leaves_the_picture(material: Material, name: str, written: list[tuple[str, bool]]) -> None:
    samples(material, name, 40)
    assert [line for line, is_inside in written if not is_inside] == []


@pytest.mark.parametrize("name", sorted(SCENES))
def test_what_an_answer_copies_stands_in_the_picture(
    material: Material, name: str, written: list[tuple[str, bool]]
) -> None:
    copied = 0
    for seed in range(25):
        written.clear()
        sample = SCENES[name].draw(random.Random(seed), material, (448, 448), "train")
        page = "".join(line for line, _ in written).replace(" ", "")
        for pair in sample.pairs:
            ends = [0, *(side for span in pair.spelled for side in span), len(pair.answer)]
            assert ends == sorted(ends)
            for start, end in pair.spelled:
                copied += 1
                text = pair.answer[start:end]
                plain = json.loads(f'"{text}"') if pair.key == "json" else text
                assert all(word in page or word.isdigit() for word in plain.split())
    assert copied or name in ("icon", "photo", "icons", "nothing", "two drawings")


def test_few_things_are_asked_for_that_a_picture_lacks(material: Material) -> None:
    lacks = {term[language] for term in NOTHING.values() for language in ("zh", "en")}
    for name in SCENES:
        for sample in samples(material, name):
            given = [pair for pair in sample.pairs if pair.answer in lacks and pair.key not in ("primary", "disabled")]
            assert len(given) <= LACKS


def test_a_value_read_off_an_axis_is_near_the_true_one(material: Material) -> None:
    seen = 0
    for seed in range(200):
        series = a_series(random.Random(seed), material, "train")
        if series.is_labelled:
            continue
        facts = Facts("chart")
        tell_series(facts, series, "train")
        values = dict(zip(series.labels, series.values, strict=True))
        for pair in facts.pairs(random.Random(0), "train"):
            if pair.key == "value_of" and pair.language == "en":
                label = next(
                    name
                    for name in sorted(values, key=len, reverse=True)
                    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", pair.question)
                )
                assert pair.answer.startswith(f"{label}: about ")
                said = float(re.sub(r"[^0-9.]", "", pair.answer.removeprefix(label)))
                assert abs(said - values[label]) <= max(values.values()) * 0.05
                seen += 1
    assert seen > 50


def test_changed_texts_keep_their_length_about_and_are_others(material: Material) -> None:
    rng = random.Random(1)
    texts = [changed(rng, material, "train", "Delete this file?", "en") for _ in range(50)]
    originals = {"Delete", "this", "file"}
    assert all(text.endswith("?") and len(originals & set(text.strip("?").split())) >= 2 for text in texts)
    assert len(set(texts)) > 10
    chinese = [changed(rng, material, "train", "删除文件", "zh") for _ in range(50)]
    assert {len(text) for text in chinese} <= {4, 5}
    assert sum(text != "删除文件" for text in chinese) > 40


@pytest.mark.parametrize("manner", [restyled, redrawn])
@pytest.mark.parametrize("style", ["noto", "line", "photo"])
def test_a_drawing_in_another_manner_keeps_its_name_and_says_its_colours(
    material: Material, style: str, manner: Callable[[random.Random, Sprite], Sprite]
) -> None:
    sprite = material.sprite(random.Random(0), 0, "train")
    sprite = Sprite(sprite.concept, style, sprite.picture.resize((90, 70)), sprite.colours)
    for seed in range(60):
        other = manner(random.Random(seed), sprite)
        assert other.concept == sprite.concept
        assert other.picture.mode == "RGBA"
        assert np.asarray(other.picture)[..., 3].max() > 128
        assert style == "line" or len(other.colours) <= 2


def test_errors_in_the_middle_of_a_bar_are_for_training(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[str | None] = []
    drawn = screens._error_bar

    def bar(page: screens._Page, screen: Screen) -> Screen:
        shown = drawn(page, screen)
        bars.append(shown.error)
        assert shown.error is None or "".join(shown.error.split()) in "".join(page.canvas.written().split())
        return shown

    monkeypatch.setattr(screens, "_error_bar", bar)
    for seed in range(60):
        screens.Ui().draw(random.Random(seed), material, (448, 448), "train")
    assert sum(error is not None for error in bars) > 3
    bars.clear()
    for seed in range(60):
        screens.Ui().draw(random.Random(seed), material, (448, 448), "valid")
    assert bars == []


KEYS_READ = ("title", "price", "badge", "error", "message", "chart_title", "line")


@pytest.mark.parametrize("name", ["ui", "card", "chart", "reading"])
def test_texts_that_are_answered_stand_in_the_picture(
    material: Material, name: str, written: list[tuple[str, bool]]
) -> None:
    asked = {text.rstrip("?？。.") for key in KEYS_READ for texts in PHRASINGS[key].values() for text in texts}
    for seed in range(60):
        written.clear()
        sample = SCENES[name].draw(random.Random(seed), material, (448, 448), "train")
        page = "".join(line for line, _ in written).replace(" ", "")
        for pair in sample.pairs:
            if pair.question.rstrip("?？。.") in asked and pair.skill != "refuse":
                assert pair.answer.replace(" ", "") in page


def test_a_character_labels_the_patches_that_it_covers(material: Material) -> None:
    canvas = Canvas(material, (112, 112), (255, 255, 255))
    canvas.text(28, 42, "国", pick_type(random.Random(0), material, "train", 56), (0, 0, 0))
    inked = np.asarray(canvas.picture.convert("L")) < 128
    per_patch = inked.reshape(8, 14, 8, 14).mean((1, 3))
    labels = canvas.labels().char
    assert (labels[per_patch > 0.9] == material.characters.index("国")).all()
    assert (labels[:3] == 0).all()
    assert (labels[7:] == 0).all()


def test_the_splits_share_no_string(material: Material) -> None:
    train, valid = ({term.zh for term in material.strings[split]} for split in ("train", "valid"))
    assert train
    assert valid
    assert not train & valid


def test_names_are_unique_in_both_languages() -> None:
    for language in ("zh", "en"):
        names = [concept.name[language] for concept in CONCEPTS]
        assert len(names) == len(set(names))


def test_names_around_a_pie_keep_apart_and_inside(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, float, float, float]] = []
    write = Canvas.text

    def noted(canvas: Canvas, x: float, y: float, text: str, type: Type, fill: tuple[int, int, int]) -> float:
        width = write(canvas, x, y, text, type, fill)
        written.append((text, x, y, x + width, y + type.size))
        return width

    monkeypatch.setattr(Canvas, "text", noted)
    monkeypatch.setattr(chart_drawing, "_frame", lambda canvas, box, look: None)
    num_around = 0
    for seed in range(120):
        rng, canvas = random.Random(seed), Canvas(material, (448, 448), (255, 255, 255))
        series = next(found for _ in range(500) if (found := a_series(rng, material, "train")).kind == "pie")
        type_ = pick_type(rng, material, "train", 18)
        look = Look(type_, (0, 0, 0), (200, 200, 200), ((30, 90, 200),) * 7, (255, 255, 255), False, is_plotted=True)
        written.clear()
        if not chart_drawing._surrounded_pie(rng, canvas, series, (20, 20, 428, 428), look):
            assert not written
            continue
        num_around += 1
        told = [box for box in written if not box[0].endswith("%") or box[0].startswith(series.labels)]
        assert {label for label in series.labels if any(box[0].startswith(label) for box in told)} == {*series.labels}
        for number, (_, left, top, right, bottom) in enumerate(told):
            assert min(left, top) >= 0
            assert max(right, bottom) <= 448
            for _, *other in told[:number]:
                assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    assert num_around > 60


def test_further_phrasings_are_of_known_questions_and_only_training_asks_them(material: Material) -> None:
    for name, phrasings in MORE.items():
        key, _, topic = name.partition("@")
        assert topic in ("", *SKILLS)
        for language in ("zh", "en"):
            known, more = PHRASINGS[key][language], phrasings[language]
            assert not set(known) & set(more), name
            assert len(set(more)) == len(more), name
            assert {"{x}" in text for text in (*known, *more)} == {"{x}" in known[0]}, name
    further = {text.rstrip("?。.") for texts in MORE.values() for each in texts.values() for text in each}
    asked = {
        split: {
            pair.question.rstrip("?？。.")
            for seed in range(40)
            for pair in draw_sample(random.Random(seed), material, split, (448, 448)).pairs
        }
        for split in ("train", "valid")
    }
    assert len(asked["train"] & further) > 50
    assert not asked["valid"] & further


def test_a_mix_of_ones_own_draws_what_it_names_and_nothing_else(material: Material) -> None:
    rng = random.Random(3)
    mix = {TAUGHT["chart"]: 1.0, TAUGHT["nameless"]: 2.0}
    samples = [draw_sample(rng, material, "train", (336, 448), mix) for _ in range(30)]
    assert {sample.scene for sample in samples} == {"chart", "nameless"}
    assert all(any(pair.skill == "refuse" for pair in s.pairs) for s in samples if s.scene == "nameless")


def test_the_mix_draws_every_kind_of_picture(material: Material) -> None:
    rng, seen, wanted = random.Random(5), set(), set(SCENES) - {"browser"}  # this material has no pages
    for _ in range(3000):
        seen.add(draw_sample(rng, material, "train", (336, 448)).scene)
        if seen == wanted:
            break
    assert seen == wanted


def test_no_screen_is_blank(material: Material, written: list[tuple[str, bool]]) -> None:
    for seed in range(150):
        written.clear()
        SCENES["ui"].draw(random.Random(seed), material, (448, 448), "train")
        assert written


@pytest.mark.parametrize("colour", range(len(COLOURS)))
def test_a_drawing_given_a_colour_looks_like_it_on_the_whole(material: Material, colour: int) -> None:
    for seed in range(12):
        sprite = material.sprite(random.Random(seed), seed * 7, "train")
        pixels = np.asarray(tinted(random.Random(seed), sprite, colour).picture, np.float32)
        mean = pixels[..., :3][pixels[..., 3] > 200].mean(0)
        distances = [float(np.abs(mean - np.array(other.rgb)).sum()) for other in COLOURS]
        assert colour in sorted(range(len(COLOURS)), key=lambda number: distances[number])[:2]


def test_a_price_of_several_sizes_reads_as_one_line(material: Material) -> None:
    seen = set()
    for seed in range(40):
        canvas, rng = Canvas(material, (112, 448), (255, 255, 255)), random.Random(seed)
        pieces = price_pieces(rng, "¥1,299.50", pick_type(rng, material, "train", 40))
        width = canvas.pieces(10, 20, pieces, (0, 0, 0))
        assert canvas.written() == "¥1,299.50"
        assert width == pytest.approx(sum(type_.width(text) for text, type_ in pieces))
        inked = np.argwhere(np.asarray(canvas.picture.convert("L")) < 128)
        assert inked[:, 0].max() <= 20 + 40
        seen.add(len(pieces))
    assert seen == {1, 3}


def test_larger_pictures_hold_smaller_text() -> None:
    rng = random.Random(0)
    usual, small = ([text_size(rng, size) for _ in range(200)] for size in ((448, 448), (952, 448)))
    assert min(usual) == min(small) == 15
    assert sum(small) < sum(usual) - 200
    assert max(usual) == max(small) == 26
