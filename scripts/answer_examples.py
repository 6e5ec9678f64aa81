"""Asks the built-in checkpoint every question about the example pictures and keeps what it says, right or wrong.

    PYTHONPATH=src python scripts/answer_examples.py
    PYTHONPATH=src python scripts/answer_examples.py --model-path OTHER     how many it answers; nothing is written

It is a run of `flashsight batch` over a table made of examples/pictures/questions.json; an answer is right when it
holds every text that a truthful one contains. Writes examples/pictures/answers.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples" / "pictures"
ANSWERS = FOLDER / "answers.json"
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one or two pictures, and the texts that a truthful answer contains."""

    pictures: tuple[str, ...]
    kind: str
    text: str
    contains: tuple[str, ...]

    def accepts(self, answer: str) -> bool:
        """Whether the answer holds every text, whatever the case."""
        return all(text.lower() in answer.lower() for text in self.contains)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was said."""

    pictures: tuple[str, ...]
    kind: str
    question: str
    answer: str
    right: bool


def questions(folder: Path = FOLDER) -> Iterator[Question]:
    """Every question of questions.json, first in Chinese, then in English."""
    for example in json.loads((folder / "questions.json").read_text(encoding="utf-8")):
        for asked in example["questions"]:
            for language in LANGUAGES:
                contains = tuple(asked["contains"][language])
                yield Question(tuple(example["pictures"]), example["kind"], asked[language], contains)


def ask(asked: list[Question], *flags: str) -> list[Answered]:
    """Answers of one run in this folder's own environment; `flags` go to `flashsight batch`."""
    with tempfile.TemporaryDirectory() as name:
        table, run = Path(name) / "questions.jsonl", Path(name) / "run"
        cases = [
            {"id": f"{number:03}", "picture": [str(FOLDER / picture) for picture in question.pictures]}
            | {"prompt": question.text}
            for number, question in enumerate(asked)
        ]
        table.write_text("\n".join(json.dumps(case, ensure_ascii=False) for case in cases), encoding="utf-8")
        command = [sys.executable, "-m", "flashsight", "batch", str(table), "--out", str(run), "--max-tokens", "200"]
        subprocess.run([*command, *flags], check=True)  # noqa: S603 - our own command
        results = [json.loads(line) for line in (run / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Answered(question.pictures, question.kind, question.text, result["answer"], question.accepts(result["answer"]))
        for question, result in zip(asked, results, strict=True)
    ]


def summary(answers: list[Answered]) -> str:
    """Right of all by kind, as one line."""
    right, everything = Counter(a.kind for a in answers if a.right), Counter(a.kind for a in answers)
    parts = [f"{kind} {right[kind]}/{number}" for kind, number in everything.items()]
    return f"{right.total()} of {everything.total()} right: " + ", ".join(parts)


def main() -> None:
    """Ask, keep what the built-in one says, and say how it went; flags go to `flashsight batch`."""
    flags = sys.argv[1:]
    answers = ask(list(questions()), *flags)
    if not flags:
        lines = ",\n".join(json.dumps(asdict(answer), ensure_ascii=False) for answer in answers)
        ANSWERS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sys.stdout.write(summary(answers) + "\n")


if __name__ == "__main__":
    main()
