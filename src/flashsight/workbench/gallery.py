"""Which judged pictures a report shows: the best, the typical and the worst, each with a small picture inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flashsight.workbench.records import Result, Run
from flashsight.workbench.sections import JudgedCase
from flashsight.workbench.thumbnails import small_picture

Place = Literal["best", "typical", "worst"]
SIDE, SHOWN = 200, 4
"""Longest side of a picture in a report, in pixels, and how many pictures each row has at most."""

_MOST_BYTES = 24 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A picture of the gallery. score: the mean of what is right about it, in [0, 1]. jpeg: as a data URL, or None."""

    id: str
    score: float
    case: JudgedCase
    jpeg: str | None


def score_of(case: JudgedCase) -> float:
    """How good an answer is: the mean over its fields, a text counting by its meaning."""
    scores = [one.score for one in case.fields.values()]
    scores += [text.similarity if text.is_consistent else 0.0 for text in case.texts.values()]
    return sum(scores) / len(scores) if scores else 0.0


def gallery(run: Run, cases: Sequence[JudgedCase], *, shown: int = SHOWN) -> Mapping[Place, Sequence[Exhibit]]:
    """The best, those around the median and the worst, no picture twice; equal ones in the order of the run."""
    # An encoder's last digits differ from one process to the next; the same run must show the same pictures.
    ranked = sorted(cases, key=lambda case: -round(score_of(case), 3))
    num = min(shown, -(-len(ranked) // 3))
    middle = max(num, (len(ranked) - num) // 2)
    chosen: dict[Place, Sequence[JudgedCase]] = {
        "best": ranked[:num],
        "typical": ranked[middle : min(middle + num, max(middle, len(ranked) - num))],
        "worst": ranked[max(num, len(ranked) - num) :][::-1],
    }
    wanted = {case.id for row in chosen.values() for case in row}
    results = {result.id: result for result in run.results() if result.id in wanted}
    return {
        place: [
            Exhibit(id=case.id, score=score_of(case), case=case, jpeg=_jpeg(run, results.get(case.id))) for case in row
        ]
        for place, row in chosen.items()
    }


def _jpeg(run: Run, result: Result | None) -> str | None:
    """A small picture as a data URL; None for one that is gone or cannot be shown."""
    shown = None
    if result is not None and result.pictures:
        shown = small_picture(run.picture_file(result.pictures[0]), SIDE)
    if shown is None:
        return None
    for quality in (82, 60, 30):
        written = io.BytesIO()
        shown[0].save(written, "JPEG", quality=quality)
        if written.tell() <= _MOST_BYTES:
            return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode("ascii")
    return None
