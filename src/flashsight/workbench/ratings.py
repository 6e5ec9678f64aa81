"""A run's ratings for whoever reads them: what people said of its answers, kept in RUN/ratings.sqlite.

A rater is a random word, no person; each has one current rating an item, and every earlier one stays in the file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from flashsight.workbench.rating_records import RatingRow
from flashsight.workbench.rating_store import RatingStore
from flashsight.workbench.records import Case, Result, Run, RunError
from flashsight.workbench.schema import sha256_of_text

RATINGS_FILE = "ratings.sqlite"


def run_id(run: Run) -> str:
    """A name of the run that stays when its folder moves: the beginning of its manifest's sha256."""
    try:
        return hashlib.sha256((run.folder / "manifest.json").read_bytes()).hexdigest()[:16]
    except OSError:
        raise RunError(f"the manifest.json in {run.folder} cannot be read; check the folder") from None


def picture_hash(item: Case | Result) -> str:
    """The hashes of an item's pictures, joined by +; `-` stands for one that could not be read."""
    return "+".join(picture.sha256 or "-" for picture in item.pictures)


def prompt_hash(run: Run, item: Case | Result) -> str:
    """The hash of the question that an item was asked."""
    return run.manifest.prompt_sha256 if item.prompt is None else sha256_of_text(item.prompt)


def store_of(run: Run) -> RatingStore:
    """The file of a run's ratings; it need not be there yet."""
    return RatingStore(Path(run.folder) / RATINGS_FILE, run_id(run))


def read_ratings(run: Run) -> list[RatingRow]:
    """The current ratings of a run, one a rater and item, in the order they were given; none where nobody rated.

    Raises RatingError for a file that cannot be read or holds another run's ratings.
    """
    return store_of(run).current()
