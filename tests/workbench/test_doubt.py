"""Margins of fields against probabilities written by hand, their way into a run, and what review by doubt is worth."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flashsight.core.errors import FlashSightError, OptionRefused
from flashsight.core.types import Conversation, Delta, Finish, Sampling, TextDelta, TextLogprob, TokenSampling
from flashsight.engine.sampler import Sampler, SamplingState
from flashsight.workbench.margins import margins_of
from flashsight.workbench.metrics import Judgement
from flashsight.workbench.records import Doubt, Run, RunError, open_run, to_line
from flashsight.workbench.review import NO_ANSWER, by_doubt, doubts_of, review
from flashsight.workbench.rules import read_rules
from flashsight.workbench.run import BatchRun
from flashsight.workbench.sections import JudgedCase
from tests.cli.conftest import Shell
from tests.workbench.house import USAGE, asker_of, draw, new_run
from tests.workbench.runs import write_run

SVG = "{http://www.w3.org/2000/svg}"


def token(text: str | bytes, likely: float = 1.0, other: float | None = None) -> TextLogprob:
    """A token of a probability, and its likeliest rival where it had one."""
    raw = text if isinstance(text, bytes) else text.encode()
    top = [TextLogprob(token="", token_bytes=raw, logprob=math.log(likely))]
    if other is not None:
        top.append(TextLogprob(token="", token_bytes=b"\x00rival", logprob=math.log(other)))
    return TextLogprob(token="", token_bytes=raw, logprob=math.log(likely), top=tuple(top))


def test_a_field_has_the_least_margin_of_its_own_tokens():
    tokens = [
        token('{"'),
        token("color", 0.5, 0.4),
        token('":"'),
        token("红".encode()[:2], 0.9, 0.05),
        token("红".encode()[2:], 0.8, 0.1),
        token('","n":', 0.99, 0.01),
        token("12", 0.7, 0.2),
        token(',"k', 0.6, 0.3),
        token('":[]}'),
    ]
    text = b"".join(one.token_bytes for one in tokens).decode()
    assert json.loads(text) == {"color": "红", "n": 12, "k": []}
    # color: .9-.05, .8-.1 and its closing quote .99-.01; n: .7-.2 and the comma that ends it .6-.3; k had no choice.
    assert margins_of(text, tokens) == {"color": 0.7, "n": 0.3, "k": 1.0}


def test_a_token_drawn_against_a_likelier_one_has_a_margin_below_nothing():
    assert margins_of('{"a":1}', [token('{"a":'), token("1", 0.2, 0.7), token("}")]) == {"a": -0.5}


@pytest.mark.parametrize("text", ["", "[1]", "plain", '{"a":1', '{"a" 1}', '{"a":tru'])
def test_what_is_no_object_has_no_margins(text: str):
    assert margins_of(text, [token(text)]) == {}


def test_tokens_that_do_not_tell_the_text_tell_no_margin():
    assert margins_of('{"a":1}', [token('{"a":')]) == {}


@settings(max_examples=60, deadline=None)
@given(
    said=st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none())),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_every_field_of_any_object_has_a_margin_however_it_is_cut(said: dict[str, object], cuts: list[int]):
    text = json.dumps(said, ensure_ascii=False)
    raw = text.encode()
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    tokens = [token(raw[a:b], 0.6, 0.2) for a, b in itertools.pairwise(places)]
    assert margins_of(text, tokens) == dict.fromkeys(said, 0.4)


class TwoAllowed:
    """A grammar that allows tokens 1 and 3 only."""

    is_finished = False

    def write_mask(self, words: NDArray[np.int32]) -> None:
        words[:] = 0
        words[0] = 0b1010

    def advance(self, token: int) -> None:
        """Goes nowhere."""


def test_the_engine_tells_probabilities_of_what_the_grammar_allows():
    sampling = TokenSampling(num_logprobs=2, constraint=TwoAllowed())
    state = SamplingState(sampling, np.array([0]))
    sampler = Sampler(vocab_size=6, max_sequences=1, device=torch.device("cpu"))
    told = sampler.sample(torch.tensor([[9.0, 1.0, 8.0, 2.0, 7.0, 6.0]]), [state])
    assert told.tokens == [3]
    probabilities = [math.exp(one.logprob) for one in told.tops[0]]
    assert probabilities == pytest.approx([math.e**2 / (math.e + math.e**2), math.e / (math.e + math.e**2)], abs=1e-6)


@dataclass
class Unsure:
    """Answers one colour with a probability; refuses to tell it if it is such a server."""

    refuses: FlashSightError | None = None
    asked: list[Sampling] = field(default_factory=list)

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        self.asked.append(sampling)
        if self.refuses is not None and sampling.logprobs:
            raise self.refuses
        told = [token('{"color":"'), token("红", 0.7, 0.2), token('"}')]
        for one in told:
            yield TextDelta(index=0, text=one.token_bytes.decode(), logprobs=(one,) if sampling.logprobs else ())
        yield Finish(index=0, reason="stop")
        yield USAGE


async def batch(folder: Path, out: Path, backend: Unsure) -> Run:
    run = new_run(folder, out)
    await BatchRun(run).go(asker_of(run, backend), in_flight=1)  # type: ignore[arg-type]
    return open_run(out)


def shop(folder: Path) -> Path:
    for at in range(3):
        draw(folder / f"{at}.png", at)
    (folder / "twin.png").write_bytes((folder / "0.png").read_bytes())
    return folder


async def test_a_run_keeps_a_margin_for_each_field_and_a_twin_has_its_firsts(tmp_path: Path):
    run = await batch(shop(tmp_path / "shop"), tmp_path / "run", backend := Unsure())
    assert [(one.id, one.margins) for one in run.doubts()] == [(result.id, {"color": 0.5}) for result in run.results()]
    assert len(backend.asked) == 3
    assert (backend.asked[0].logprobs, backend.asked[0].top_logprobs) == (True, 2)
    assert run.manifest.sampling["logprobs"] is False
    assert "margin" not in (run.folder / "results.jsonl").read_text()


async def test_a_server_that_tells_no_probabilities_is_asked_without_them_from_then_on(tmp_path: Path):
    backend = Unsure(OptionRefused("this model has no logprobs", param="logprobs"))
    run = await batch(shop(tmp_path / "shop"), tmp_path / "run", backend)
    assert [result.error for result in run.results()] == [None] * 4
    assert [sampling.logprobs for sampling in backend.asked] == [True, False, False, False]
    assert list(run.doubts()) == []
    assert doubts_of(run, read_rules()) == {}


def test_an_earlier_runs_folder_without_margins_is_read(tmp_path: Path):
    run = write_run(tmp_path / "old", {"1.jpg": {"color": "红"}})
    assert list(run.doubts()) == []


def kept(run: Run, margins: Sequence[dict[str, float]]) -> Run:
    lines = [to_line(Doubt(id=result.id, margins=one)) for result, one in zip(run.results(), margins, strict=True)]
    (run.folder / "doubts.jsonl").write_text("".join(lines))
    return run


def test_free_texts_do_not_make_an_answer_doubtful_and_failures_come_first(tmp_path: Path):
    answers = {
        "sure": {"color": "红", "marketing_copy": "好"},
        "unsure": {"color": "蓝", "marketing_copy": "好"},
        "text only": {"marketing_copy": "好"},
        "failed": None,
        "untold": {"color": "红"},
    }
    margins = [{"color": 0.9, "marketing_copy": 0.0}, {"color": 0.3, "marketing_copy": 0.9}, {"marketing_copy": 0.6}]
    run = kept(write_run(tmp_path / "run", answers), [*margins, {}, {}])
    doubts = doubts_of(run, read_rules())
    assert doubts == pytest.approx({"sure": 0.1, "unsure": 0.7, "text only": 0.4, "failed": NO_ANSWER})
    order = [result.id for result in by_doubt(list(run.results()), doubts)]
    assert order == ["failed", "unsure", "text only", "sure", "untold"]


def judged(name: str, *verdicts: bool) -> JudgedCase:
    rights = {
        f"f{at}": Judgement(expected="a", got="a", is_right=right, score=float(right))
        for at, right in enumerate(verdicts)
    }
    return JudgedCase(id=name, group=None, fields=rights)


def some_run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "some", {"1.jpg": {"color": "红"}})


def test_the_curve_counts_reviewed_pictures_as_right(tmp_path: Path):
    # 20 pictures: the two most doubtful are wrong in half of their fields, one in the middle is wholly wrong.
    cases = [judged(f"{at}", True, at >= 2) if at != 10 else judged("10", False, False) for at in range(20)]
    doubts = {f"{at}": 1 - at / 20 for at in range(20)}
    told = review(some_run(tmp_path), cases, doubts, target=0.95)
    assert told.accuracy.value == pytest.approx(1 - 2 / 20)
    assert told.needed.value == pytest.approx(2 / 20)
    assert told.in_random_order == pytest.approx(0.5)
    reached = {round(x, 2): y for x, y, _, _ in told.curve}
    assert reached[0.0] == pytest.approx(0.9)
    assert reached[0.1] == pytest.approx(0.95)
    assert reached[0.5] == pytest.approx(0.95)
    assert reached[1.0] == 1.0
    assert all(low <= y + 1e-9 and y <= high + 1e-9 for _, y, low, high in told.curve)


def test_doubts_that_are_all_equal_are_worth_as_much_as_no_order(tmp_path: Path):
    cases = [judged(f"{at}", at % 4 > 0) for at in range(40)]
    told = review(some_run(tmp_path), cases, dict.fromkeys((case.id for case in cases), 0.5), target=0.9)
    assert told.needed.value == pytest.approx(told.in_random_order, abs=1e-9)
    assert not told.is_order_of_use


def test_nothing_needs_review_where_the_target_is_reached_already(tmp_path: Path):
    told = review(some_run(tmp_path), [judged("a", True), judged("b", True)], {"a": 0.1, "b": 0.2}, target=0.98)
    assert (told.needed.value, told.in_random_order) == (0.0, 0.0)
    assert told.needed.is_too_few


def test_pictures_without_margins_cannot_be_ordered(tmp_path: Path):
    with pytest.raises(RunError, match="no margins"):
        review(some_run(tmp_path), [judged("a", True)], {}, target=0.98)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    answers = {f"{at:02}.jpg": {"color": "红" if at else "蓝"} for at in range(40)}
    kept(write_run(tmp_path / "run", answers), [{"color": 0.02 if at == 0 else 0.9} for at in range(40)])
    write_run(tmp_path / "old", answers)
    (tmp_path / "gold.csv").write_text("picture,color\n" + "".join(f"{name},红\n" for name in answers))
    return Shell(tmp_path)


def test_the_command_lists_draws_and_tells(shell: Shell):
    listed = shell.run("doubt", "run")
    assert listed.status == 0, listed.err
    assert listed.out.index("00.jpg") < listed.out.index("01.jpg")
    said = shell.run("doubt", "run", "--gold", "gold.csv", "--target", "0.99", "--svg", "curve.svg", "--json")
    assert said.status == 0, said.err
    told = json.loads(said.out)
    assert told["pictures"] == 40
    assert 0 < told["review_needed"]["value"] <= 1 / 40 < told["review_needed_in_random_order"]
    root = ElementTree.parse(shell.folder / "curve.svg").getroot()
    assert root.tag == f"{SVG}svg"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("doubt", "old"), "kept no margins"),
        (("doubt", "run", "--svg", "x.svg"), "--gold"),
        (("doubt", "run", "--gold", "gold.csv", "--target", "98"), "target must lie in (0, 1]"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(shell: Shell, words: tuple[str, ...], complaint: str):
    said = shell.run(*words)
    assert said.status == 2
    assert complaint in said.err.replace("\n", " ")
