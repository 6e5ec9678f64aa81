"""The built-in checkpoint, asked about the example pictures through `flashsight batch`, answers as was written down."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
# The pictures that a newcomer meets first: nothing said about them may be untrue.
FIRST = {("card_tshirt_zh.png",), ("dialog_login_zh.png",), ("icon_bell.png",), ("blank.png",), ("noise.png",)}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("answer_examples", ROOT / "scripts" / "answer_examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_what_was_written_down_is_judged_rightly(script: ModuleType) -> None:
    written = json.loads(script.ANSWERS.read_text(encoding="utf-8"))
    asked = list(script.questions())
    assert [answer["question"] for answer in written] == [question.text for question in asked]
    assert [answer["right"] for answer in written] == [
        question.accepts(answer["answer"]) for question, answer in zip(asked, written, strict=True)
    ]
    assert all(answer["right"] for answer in written if tuple(answer["pictures"]) in FIRST)


def test_the_built_in_checkpoint_gives_the_answers_that_were_written_down(script: ModuleType) -> None:
    """A processor that rounds otherwise may tip a few words where two were nearly as likely."""
    written = json.loads(script.ANSWERS.read_text(encoding="utf-8"))
    answers = script.ask(list(script.questions()))
    same = [answer.answer == old["answer"] for answer, old in zip(answers, written, strict=True)]
    assert sum(same) >= 0.95 * len(same), script.summary(answers)
    assert all(answer.right for answer in answers if answer.pictures in FIRST)
