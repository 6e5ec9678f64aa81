"""The example pictures and their questions belong together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
from PIL import Image

FOLDER = Path(__file__).parents[2] / "examples" / "pictures"
TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
QUESTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["zh", "en", "contains"],
    "properties": {
        "zh": {"type": "string", "pattern": "[㐀-鿿]"},
        "en": {"type": "string", "pattern": "^[A-Z]"},
        "contains": {
            "type": "object",
            "additionalProperties": False,
            "required": ["zh", "en"],
            "properties": {"zh": TEXTS, "en": TEXTS},
        },
    },
}
EXAMPLES = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["pictures", "kind", "questions"],
        "properties": {
            "pictures": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            "kind": {"enum": ["card", "ui", "icon", "chart", "read", "compare", "refuse"]},
            "questions": {"type": "array", "items": QUESTION, "minItems": 1},
        },
    },
}


def examples() -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads((FOLDER / "questions.json").read_text(encoding="utf-8"))
    return loaded


def test_every_example_has_questions_and_what_a_truthful_answer_contains() -> None:
    jsonschema.validate(examples(), EXAMPLES)


def test_every_picture_is_asked_about_and_every_question_has_its_picture() -> None:
    asked = {name for example in examples() for name in example["pictures"]}  # type: ignore[attr-defined]
    assert asked == {path.name for path in FOLDER.glob("*.png")}
    assert len(asked) == 24


def test_pictures_have_the_size_of_a_small_screenshot() -> None:
    for path in FOLDER.glob("*.png"):
        with Image.open(path) as picture:
            assert all(400 <= side <= 800 for side in picture.size), path.name


def test_every_rendered_picture_lies_beside_its_page_and_the_page_fetches_nothing() -> None:
    for path in FOLDER.glob("*.png"):
        page = FOLDER / "pages" / f"{path.stem}.html"
        if path.stem != "noise":
            assert re.search(r"(?:src|href|url)\s*[=(]", page.read_text(encoding="utf-8")) is None, page.name
