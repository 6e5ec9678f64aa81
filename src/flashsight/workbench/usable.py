"""The usable-copy rate, from what people said of a run's answers, in a table or on the page. Knows no gold table.

A picture's copy is usable if the median of its ratings is 4 or more, or if a person took it over without a change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flashsight.workbench.gold import PICTURE, find_columns, find_sheet, index_ids
from flashsight.workbench.metrics import spelled
from flashsight.workbench.rating_records import RatingRow
from flashsight.workbench.records import Result
from flashsight.workbench.rules import Rules
from flashsight.workbench.sheets import TableError, read_sheets
from flashsight.workbench.statistics import Figure, share
from flashsight.workbench.words import number_of, value_key

RATING, ACCEPTED, CORRECTED, RUN = "rating", "accepted", "corrected_copy", "run"
_RUN_ID = re.compile(r"[0-9a-f]{16}")
USABLE_FROM, LOWEST, HIGHEST = 4.0, 1.0, 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What one person said of one answer. corrected: the copy as it was taken over, None where none was written."""

    picture: str
    score: float | None = None
    is_accepted: bool = False
    corrected: str | None = None


def read_ratings(file: Path, rules: Rules, *, sheet: str | None = None, run: str | None = None) -> list[Rating]:
    """Read a table with the picture and a rating 1-5, or whether its copy was accepted and the corrected copy.

    A picture may stand in several rows, one a person. run: as `ratings.run_id`; rows that name another are left out, as
    they are about other answers. Raises TableError for what is no rating, and where all of it is another run's.
    """
    chosen, header_at = find_sheet(file, read_sheets(file), rules, sheet)
    columns = find_columns(file, chosen.rows[header_at], (RATING, ACCEPTED, CORRECTED, RUN), rules)
    if RATING not in columns and ACCEPTED not in columns:
        raise TableError(f"{file} has neither a column `rating` (1-5) nor `accepted` (yes or no); add one")
    ratings, num_others = [], 0
    for at, row in enumerate(chosen.rows[header_at + 1 :], chosen.first_row + header_at + 1):
        cells = {name: row[place] for name, place in columns.items()}
        picture = cells[PICTURE]
        if picture is None:
            continue
        if run is not None and _RUN_ID.fullmatch(named := cells.get(RUN) or "") and named != run:
            num_others += 1
            continue
        score = _score(file, at, cells.get(RATING))
        accepted = rules.canonical(ACCEPTED, cells.get(ACCEPTED) or "") == rules.canonical(ACCEPTED, "yes")
        ratings.append(Rating(picture=picture, score=score, is_accepted=accepted, corrected=cells.get(CORRECTED)))
    if num_others and not ratings:
        raise TableError(
            f"all ratings in {file} are of another run; export this one's: flashsight ratings RUN --out FILE"
        )
    return ratings


def ratings_of(rows: Iterable[RatingRow]) -> list[Rating]:
    """What raters said on the page, as a table would have it: the picture is the case's id."""
    return [
        Rating(
            picture=row.item,
            score=row.said.score,
            is_accepted=row.said.is_accepted,
            corrected=row.said.corrected,
        )
        for row in rows
    ]


def _score(file: Path, line: int, cell: str | None) -> float | None:
    score = number_of(cell) if cell is not None else None
    if cell is not None and (score is None or not LOWEST <= score <= HIGHEST):
        raise TableError(f"row {line} of {file} has the rating {cell!r}; it must be a number from 1 to 5")
    return score


def usable_share(ratings: Sequence[Rating], results: Mapping[str, Result], fields: Sequence[str]) -> Figure:
    """Return the share of rated pictures whose copy is usable; `fields` are the texts a correction is compared with."""
    index = index_ids({one: [picture.path for picture in result.pictures] for one, result in results.items()})
    by_id: dict[str, list[Rating]] = {}
    for rating in ratings:
        fitting = index(rating.picture)
        if len(fitting) == 1 and (rating.score is not None or rating.is_accepted or rating.corrected):
            by_id.setdefault(fitting[0], []).append(rating)
    return share(sum(_is_usable(said, results[one], fields) for one, said in by_id.items()), len(by_id))


def _is_usable(said: Sequence[Rating], result: Result, fields: Sequence[str]) -> bool:
    scores = [rating.score for rating in said if rating.score is not None]
    if scores and median(scores) >= USABLE_FROM:
        return True
    written = {value_key(spelled((result.parsed or {}).get(field, result.answer))) for field in fields}
    return any(one.is_accepted and (one.corrected is None or value_key(one.corrected) in written) for one in said)
