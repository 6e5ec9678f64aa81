"""A run's ratings as figures and as a table for CSV or Excel, which `evaluate --ratings` reads back. Asks nobody."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from flashsight.workbench.agreement import RELIABLE, TENTATIVE, krippendorff, weighted_kappa
from flashsight.workbench.export import harmless
from flashsight.workbench.rating_records import RatingRow, tag_name
from flashsight.workbench.sheets import TableError
from flashsight.workbench.statistics import Figure, mean
from flashsight.workbench.whole import new_workbook, opened_whole

COLUMNS = (
    "picture",
    "rating",
    "accepted",
    "corrected_copy",
    "edit_distance",
    "tags",
    "rater",
    "time",
    "run",
    "picture_sha256",
    "prompt_sha256",
)
HISTORY = ("number", "undoes")

_NUMBERS = {"rating", "edit_distance", "number", "undoes"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingSummary:
    """All ratings of a run. score: of the items' mean ratings, 1 to 5. alpha: of all raters; kappa: of just two.

    tags: how many items got each, most first. edits: of the corrected copies.
    """

    num_items: int
    num_raters: int
    num_ratings: int
    score: Figure
    alpha: Figure
    kappa: Figure | None
    tags: tuple[tuple[str, int], ...]
    edits: Figure

    @property
    def reliance(self) -> str:
        """What the agreement says, by Krippendorff's bounds on the lower end of its interval."""
        if self.alpha.value is None or self.alpha.low is None:
            return "nothing to tell yet: no two people rated the same items differently 尚无法判断"
        if self.alpha.low >= RELIABLE:
            return "reliable 可靠"
        return "tentative 仅供参考" if self.alpha.low >= TENTATIVE else "do not rely on single ratings 一致性不足"

    def as_dict(self) -> dict[str, Any]:
        """The summary for JSON."""
        return {
            "items": self.num_items,
            "raters": self.num_raters,
            "ratings": self.num_ratings,
            "mean_rating": self.score.as_dict(),
            "krippendorff_alpha": self.alpha.as_dict(),
            "weighted_kappa": self.kappa.as_dict() if self.kappa else None,
            "tags": dict(self.tags),
            "mean_edit_distance": self.edits.as_dict(),
        }


def summarise(rows: Sequence[RatingRow], *, seed: int = 0) -> RatingSummary:
    """Figure out the current ratings of a run."""
    raters = sorted({row.rater for row in rows})
    scores: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.said.score is not None:
            scores.setdefault(row.item, {})[row.rater] = row.said.score
    both = [(said[raters[0]], said[raters[1]]) for said in scores.values() if len(said) == 2 == len(raters)]
    tagged = {(tag, row.item) for row in rows for tag in row.said.tags}
    return RatingSummary(
        num_items=len({row.item for row in rows}),
        num_raters=len(raters),
        num_ratings=len(rows),
        score=mean([fmean(said.values()) for said in scores.values()], seed=seed),
        alpha=krippendorff([list(said.values()) for said in scores.values()], seed=seed),
        kappa=weighted_kappa(both, seed=seed) if len(raters) == 2 else None,
        tags=tuple(Counter(tag for tag, _ in sorted(tagged)).most_common()),
        edits=mean([float(row.edit_distance) for row in rows if row.edit_distance is not None], seed=seed),
    )


def write_ratings(rows: Iterable[RatingRow], file: Path, *, with_history: bool = False) -> None:
    """Write .csv or .xlsx, one row a rating.

    Raises TableError for another ending, RunError where it cannot be written.
    """
    names = (*COLUMNS, *HISTORY) if with_history else COLUMNS
    table = [_cells(row) for row in rows]
    ending = file.suffix.lower()
    if ending not in (".csv", ".xlsx"):
        raise TableError(f"{file} must end in .csv or .xlsx")
    (_write_csv if ending == ".csv" else _write_excel)(file, names, table)


def _cells(row: RatingRow) -> dict[str, str | float | None]:
    return {
        "picture": row.item,
        "rating": row.said.score,
        "accepted": "yes" if row.said.is_accepted else "no",
        "corrected_copy": row.said.corrected,
        "edit_distance": row.edit_distance,
        "tags": ";".join(map(tag_name, row.said.tags)),
        "rater": row.rater,
        "time": row.at,
        "run": row.run,
        "picture_sha256": row.picture_sha256,
        "prompt_sha256": row.prompt_sha256,
        "number": row.number,
        "undoes": row.undoes,
    }


def _write_csv(file: Path, names: Sequence[str], table: Iterable[dict[str, str | float | None]]) -> None:
    with opened_whole(file, encoding="utf-8-sig") as written:
        sheet = csv.DictWriter(written, names, extrasaction="ignore")
        sheet.writeheader()
        for row in table:
            sheet.writerow({name: harmless(value) if value is not None else "" for name, value in row.items()})


def _write_excel(file: Path, names: Sequence[str], table: Iterable[dict[str, str | float | None]]) -> None:
    with new_workbook(file) as book:
        sheet = book.add_worksheet("ratings")
        sheet.write_row(0, 0, names, book.add_format({"bold": True}))
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, len(names) - 1, 18)
        number = 0
        for number, row in enumerate(table, 1):
            for place, name in enumerate(names):
                value = row[name]
                if value is not None:
                    (sheet.write_number if name in _NUMBERS else sheet.write_string)(number, place, value)
        sheet.autofilter(0, 0, max(1, number), len(names) - 1)
