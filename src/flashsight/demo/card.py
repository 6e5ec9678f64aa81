"""Writes nano's model card from what was measured: its training, its scores, its limits. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError
from flashsight.demo.evaluate import missed, table
from flashsight.demo.history import TrainingRun, told

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
it names; strings are always unseen. Greedy decoding, the int8 weights themselves, 95 % intervals (Wilson's for shares,
the bootstrap's for rates). Made by `flashsight demo evaluate --seed {seed}` and `flashsight demo card`.

{table}
Goals missed, and by how much:

{missed}
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


def model_card(report: Mapping[str, Any], runs: Sequence[TrainingRun], num_parameters: int) -> str:
    """Return the card's Markdown for an evaluation's report and the runs that trained the checkpoint."""
    return TEXT.format(
        parameters=num_parameters / 1e6,
        trained=told(runs),
        answers=report["answers"],
        shown=report["pictures"],
        seed=report["seed"],
        table=table(report),
        missed=missed(report["rows"]),
    )


def read_report(evaluation: Path) -> dict[str, Any]:
    """Return the report that an evaluation left in a folder. Raises ConfigError where there is none."""
    try:
        report: dict[str, Any] = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{evaluation} holds no report.json; `flashsight demo evaluate` writes one") from error
    return report
