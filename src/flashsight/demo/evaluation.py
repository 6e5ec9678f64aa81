"""Puts one set of questions to one or more checkpoints, and writes down what came of it. Knows no training.

report.json, table.md    every promise with its figure and interval
failures.json            the first wrong answers of each
nano-failures.md         some of them with their pictures
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashsight.core.config import ModelConfig
from flashsight.demo.evaluate import overall, table
from flashsight.demo.gallery import write_gallery
from flashsight.demo.generate import Answerer
from flashsight.demo.material import Material
from flashsight.demo.packing import Packer
from flashsight.demo.sample import SKILLS
from flashsight.demo.showing import as_shown
from flashsight.demo.suite import Case, draw_suite, failures, measure
from flashsight.models.loading import LoadedModel, load_model
from flashsight.processing.resize import PictureSettings
from flashsight.processing.tokenizer import Tokenizer

Told = Callable[[str], None]
SHOWN_FAILURES = 20  # of each row, in failures.json
SAID_EVERY = 0.1  # of the answers


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one checkpoint made of a suite: the report and the answers by (case, pair)."""

    report: dict[str, Any]
    answers: dict[tuple[int, int], str]

    @property
    def overall(self) -> float:
        """One number: the mean over all promises."""
        return overall(self.report["rows"])


def answerer_for(loaded: LoadedModel, sizes: PictureSettings | None = None) -> Answerer:
    """What answers with a loaded checkpoint; sizes: at which it is shown pictures, if not at those of its processor."""
    tokenizer, settings = Tokenizer(loaded.files), sizes or PictureSettings.load(loaded.files)
    packer = Packer(tokenizer, SKILLS)
    return Answerer(loaded.model, tokenizer, packer, show=lambda sample: as_shown(sample, settings))


class Evaluation:
    """A drawn suite: about `num_answers` answers for every promise, on pictures kept from training."""

    def __init__(self, material: Path, num_answers: int, seed: int, max_pixels: int) -> None:
        self.seed = seed
        self.cases: list[Case] = draw_suite(Material(material), num_answers, seed, max_pixels)
        self.num = sum(len(case.sample.pairs) for case in self.cases)

    @classmethod
    def for_checkpoint(cls, path: str, material: Path, num_answers: int, seed: int) -> Evaluation:
        """A suite whose pictures the checkpoint takes without shrinking them."""
        files = load_model(ModelConfig(path=path)).files
        settings = PictureSettings.load(files)
        return cls(material, num_answers, seed, settings.max_pixels // settings.frames)

    def of(self, path: str, told: Told, sizes: PictureSettings | None = None) -> Evaluated:
        """Ask a checkpoint everything; `told` hears how far it is. sizes: as of `answerer_for`."""
        loaded = load_model(ModelConfig(path=path))
        answerer = answerer_for(loaded, sizes)
        answers: dict[tuple[int, int], str] = {}
        said = 0.0
        for place, text in answerer.told([case.sample for case in self.cases]):
            answers[place] = text
            if len(answers) >= said * self.num:
                told(f"{len(answers)} of {self.num} answers about {len(self.cases)} pictures")
                said += SAID_EVERY
        report = {"weights": loaded.weights_id, "seed": self.seed, "pictures": len(self.cases), "answers": self.num}
        return Evaluated({**report, "rows": measure(self.cases, answers)}, answers)

    def write(self, out: Path, evaluated: Evaluated) -> str:
        """Write report, table, failures and the page of failures into a folder; return the table."""
        out.mkdir(parents=True, exist_ok=True)
        shown = table(evaluated.report)
        (out / "report.json").write_text(json.dumps(evaluated.report, indent=1, ensure_ascii=False), encoding="utf-8")
        (out / "table.md").write_text(shown, encoding="utf-8")
        wrong = failures(self.cases, evaluated.answers, limit=SHOWN_FAILURES)
        (out / "failures.json").write_text(json.dumps(wrong, indent=1, ensure_ascii=False), encoding="utf-8")
        write_gallery(out, self.cases, wrong)
        return shown
