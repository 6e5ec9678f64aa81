"""Writes nano's model card from what was measured: its training, its scores, its limits. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flashsight.demo.evaluate import table

TEXT = """\
# nano

The checkpoint inside FlashSight: the architecture of GLM-4.6V-Flash (`glm4v`) at {parameters:.1f} million parameters,
trained from scratch by `flashsight demo train` on drawn pictures. It is for a first look, for tests and for examples;
it is no general assistant. FlashSight 内置的小模型：只认识训练时画出来的那几类图片，不是通用助手。

## Training

{pictures:,} drawn pictures with about six questions each, seen once, in {minutes:.0f} minutes ({steps:,} steps).
Stored as int8 with one scale per output channel; loading restores full numbers.
What was drawn: text, user interfaces, product cards, icons and drawings, a few cut-out photographs, charts, pairs of
pictures that differ, and pictures of nothing. Sources and licences of drawings, fonts and strings are in NOTICE.

## Scores

{answers:,} answers about {shown:,} drawn or rendered pictures of the validation split, each row by the condition that
it names; strings are always unseen. Greedy decoding, the int8 weights themselves, 95 % intervals (Wilson's for shares,
the bootstrap's for rates). Made by `flashsight demo evaluate --seed {seed}`.

{table}
## Limits

- Photographs and scenes of everyday life: a small closed list of cut-out objects is all it has seen.
- Text below about 18 pixels of the picture as the model sees it (448 x 448 for a square one), handwriting, vertical or
  curved text: expect wrong characters, look-alikes first.
- Real screenshots differ from drawn ones: expect two to three times the error rates of the table.
- It answers short questions of the kinds above in Chinese and English. It does not reason, count beyond a few things,
  write freely or hold a long conversation; instructions outside its kinds get an answer that should not be trusted.
- It was trained to say 不在我的词汇里 / "not in my vocabulary" for drawings it has no name for, and to say that
  nothing is there when nothing is; the rows `refuse` say how often it does.
"""


def model_card(report: Mapping[str, object], last_line: Mapping[str, object], num_parameters: int) -> str:
    """Return the card's Markdown for an evaluation's report and the last line of the training's log."""
    return TEXT.format(
        parameters=num_parameters / 1e6,
        pictures=int(str(last_line["pictures"])),
        minutes=float(str(last_line["seconds"])) / 60,
        steps=int(str(last_line["step"])),
        answers=report["answers"],
        shown=report["pictures"],
        seed=report["seed"],
        table=table(report),
    )


def write_card(evaluation: Path, log: Path, num_parameters: int) -> Path:
    """Write MODEL_CARD.md beside an evaluation's report.json, from it and a training's log; return where."""
    report = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    path = evaluation / "MODEL_CARD.md"
    path.write_text(model_card(report, last, num_parameters), encoding="utf-8")
    return path
