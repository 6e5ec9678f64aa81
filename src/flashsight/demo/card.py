"""Writes nano's model card from what was measured: its training, its scores, its limits. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError
from flashsight.demo.evaluate import figure, missed, table
from flashsight.demo.history import TrainingRun, told

BRIEF: Mapping[str, tuple[str, ...]] = {
    "text of 20 px and more, share of wrong characters: Chinese · English": (
        "Chinese text ≥ 20 px, seen fonts: CER",
        "English text ≥ 20 px, seen fonts: CER",
    ),
    "screens: title · error · primary button · all buttons (F1)": (
        "UI, seen layouts: title",
        "UI, seen layouts: error text",
        "UI, seen layouts: primary button",
        "UI, seen layouts, unseen fonts: button list F1",
    ),
    "the same in a UI kit that training never saw": (
        "UI, unseen kit in a browser: title",
        "UI, unseen kit in a browser: error text",
        "UI, unseen kit in a browser: primary button",
        "UI, unseen kit in a browser: button list F1",
    ),
    "product cards: price · colour · material · category · all as JSON": (
        "card, unseen fonts: price",
        "card: colour",
        "card: material",
        "card: category, product not named",
        "card: all attributes",
    ),
    "drawings: name in seen styles · in an unseen style · unknown ones refused": (
        "drawing, seen styles: Chinese name",
        "drawing, unseen style: Chinese name",
        "concepts never shown: refused",
    ),
    "charts: largest and smallest · written values · values read off the axis": (
        "chart: largest and smallest",
        "chart: written value within 5 %",
        "chart: value read off the axis within 5 %",
    ),
    "two pictures: what differs": ("two pictures: what differs",),
    "nothing to see: said so": ("blank or noise: said so",),
}
"""What a README shows: lines of figures, and the rows that they come from."""

TEXT = """\
# nano

The checkpoint inside FlashSight: the architecture of GLM-4.6V-Flash (`glm4v`) at {parameters:.1f} million parameters,
trained from scratch by `flashsight demo train` on drawn pictures. It is for a first look, for tests and for examples;
it is no general assistant. FlashSight 内置的小模型：只认识训练时画出来的那几类图片，不是通用助手。

## Training

{trained}
Stored as int8 with one scale per output channel; loading restores full numbers.
What was drawn: text, user interfaces, product cards, icons and drawings, a few cut-out photographs, charts, pairs of
pictures that differ, and pictures of nothing. Sources and licences of drawings, fonts and strings are in NOTICE.

## Scores

{answers:,} answers about {shown:,} drawn or rendered pictures of the validation split, each row by the condition that
it names; strings and words are kept from training, but for the usual ones of screens and shops. Greedy decoding, the
int8 weights themselves, 95 % intervals (Wilson's for shares, the bootstrap's for rates). Made by
`flashsight demo evaluate --answers {wanted} --seed {seed}` and `flashsight demo card`.

{table}
Goals missed, and by how much:

{missed}
## Limits

- Photographs and scenes of everyday life: a small closed list of cut-out objects is all it has seen.
- Text below about 18 pixels of the picture as the model sees it (larger ones are shrunk to 500,000 pixels),
  handwriting, vertical or curved text: expect wrong characters, look-alikes first.
- Real screenshots differ from drawn ones: expect two to three times the error rates of the table.
- It answers short questions of the kinds above in Chinese and English. It does not reason, count beyond a few things,
  write freely or hold a long conversation; instructions outside its kinds get an answer that should not be trusted.
- It was trained to say 不在我的词汇里 / "not in my vocabulary" for drawings it has no name for, and to say that
  nothing is there when nothing is; the rows "refused" and "said so" tell how often it does.
"""


def model_card(report: Mapping[str, Any], runs: Sequence[TrainingRun], num_parameters: int) -> str:
    """Return the card's Markdown for an evaluation's report and the runs that trained the checkpoint."""
    return TEXT.format(
        parameters=num_parameters / 1e6,
        trained=told(runs),
        answers=report["answers"],
        shown=report["pictures"],
        seed=report["seed"],
        wanted=max(row["num"] for row in report["rows"]),
        table=table(report),
        missed=missed(report["rows"]),
    )


def brief(report: Mapping[str, Any]) -> str:
    """Return the figures that a newcomer asks for as a short Markdown table, as a README shows them."""
    rows = {row["name"]: row for row in report["rows"]}
    lines = ["| asked about | measured |", "|---|---|"]
    for asked, names in BRIEF.items():
        told = [figure(rows[name]["value"], rows[name]["measure"]) for name in names if name in rows]
        if told:
            lines.append(f"| {asked} | {' · '.join(told)} |")
    return "\n".join(lines) + "\n"


def read_report(evaluation: Path) -> dict[str, Any]:
    """Return the report that an evaluation left in a folder. Raises ConfigError where there is none."""
    try:
        report: dict[str, Any] = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{evaluation} holds no report.json; `flashsight demo evaluate` writes one") from error
    return report
