"""`flashsight selftest` asks about what is shipped and tells by its exit status whether the model sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from flashsight.workbench.records import CasePicture, Fault, Result
from flashsight.workbench.selftest import PICTURES, TESTS, Trial, read_trials
from tests.cli.conftest import Shell


def answered(text: str | None) -> Result:
    fault = None if text is not None else Fault(code="engine_failed", message="gone")
    return Result(id="x", pictures=(CasePicture(path="x.png"),), answer=text, error=fault)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_test_has_pictures_that_open_and_a_question_in_each_language(language: str) -> None:
    trials = read_trials(language)  # type: ignore[arg-type]
    assert {trial.test for trial in trials} == set(TESTS)
    for trial in trials:
        with Image.open(PICTURES / trial.picture) as picture:
            assert min(picture.size) >= 300
        assert trial.question.isascii() == (language == "en")
        assert all(word == word.casefold() for words in trial.words for word in words)


@pytest.mark.parametrize(
    ("text", "is_passed"),
    [
        ("一副蓝色的耳机", True),
        ("Blue HEADPHONES", True),
        ("耳机", False),
        ("蓝色的杯子", False),
        ("", False),
        (None, False),
    ],
)
def test_an_answer_needs_a_word_of_every_list(text: str | None, is_passed: bool) -> None:
    trial = Trial(test="colour", picture="x.png", question="?", words=[["耳机", "headphone"], ["蓝", "blue"]])
    assert trial.is_passed(answered(text)) is is_passed


def test_a_model_that_sees_nothing_fails_and_a_server_answers_too(
    shell: Shell, tiny_checkpoint: Path, service: str
) -> None:
    here = shell.run("selftest", "--model-path", str(tiny_checkpoint), "--json")
    assert here.status == 1, here.err
    told = json.loads(here.out)
    assert told["passed"] == dict.fromkeys(TESTS, False)
    assert len(told["answers"]) == len(read_trials("zh"))
    there = shell.run("selftest", "--url", service)
    assert there.status == 1, there.err
    assert "0 of 3 tests passed" in there.out
    assert "FAILED 未通过" in there.out


def test_no_server_is_one_sentence(shell: Shell) -> None:
    said = shell.run("selftest", "--url", "http://127.0.0.1:9")
    assert said.status == 4
    assert "Traceback" not in said.err
