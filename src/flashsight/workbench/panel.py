"""What the rating page shows and takes: a run's items, the most doubtful first, ratings, and two rounds side by side.

Of two rounds a rater sees two answers and never which is which: the sides are drawn once for each rater and item, and
kept. Knows no HTTP and reads no picture.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from flashsight.core.errors import PictureError, RequestError
from flashsight.workbench.compare import refuse_other_schema
from flashsight.workbench.distance import edit_distance
from flashsight.workbench.evaluate import PLAIN_TEXT, fields_of, value_of
from flashsight.workbench.preference import Preference, preference
from flashsight.workbench.rating_records import TAGS, RatingRow, Said, checked, checked_rater
from flashsight.workbench.ratings import picture_hash, prompt_hash, run_id, store_of
from flashsight.workbench.records import CasePicture, Result, Run, RunError
from flashsight.workbench.review import by_doubt, doubts_of
from flashsight.workbench.rows import as_text
from flashsight.workbench.rules import Rules

Json = Mapping[str, Any]
Side = Literal["left", "right", "same"]


class Panel:
    """One run, or two, open for rating. Safe from any thread: what is said goes through the store."""

    def __init__(
        self,
        run: Run,
        rules: Rules,
        second: Run | None = None,
        *,
        draw: Callable[[], bool] = lambda: bool(secrets.randbits(1)),
    ) -> None:
        """Raises RunError for a run that is not complete, and for two that share no case or no schema.

        draw: whether a rater sees two rounds swapped.
        """
        for one in (run, second):
            if one is not None and not one.is_complete:
                raise RunError(
                    f"the run in {one.folder} is not complete; let it end first, with the command that began it"
                )
        self.run, self._second, self._draw = run, second, draw
        self._store = store_of(run)
        self._results = tuple(run.results())
        doubts = doubts_of(run, rules)
        margins = {one.id: one.margins for one in run.doubts()}
        self._copy = copy_field(run, rules)
        order = {result.id: at for at, result in enumerate(by_doubt(self._results, doubts))}
        self._items = [
            self._item(place, result, order[result.id], doubts.get(result.id), margins.get(result.id, {}))
            for place, result in enumerate(self._results)
        ]
        self._others = _shared(run, second, self._results) if second is not None else {}
        self._store.current()

    def about(self) -> Json:
        """What is rated, without a word that tells two rounds apart."""
        return {
            "id": run_id(self.run),
            "name": self.run.folder.name,
            "prompt": None if self._second is not None else self.run.manifest.prompt,
            "num_items": len(self._items),
            "num_pairs": len(self._others),
            "copy_field": self._copy,
            "has_doubts": any(item["doubt"] is not None for item in self._items),
            "tags": [{"key": key, "zh": zh, "en": en} for key, (zh, en) in TAGS.items()],
        }

    def items(self, rater: str) -> list[Json]:
        """Every item in the order of the run, with what this rater says of it."""
        said = {row.item: row for row in self._store.current(checked_rater(rater))}
        return [item | {"rating": _told(said.get(item["id"]))} for item in self._items]

    def rate(self, rater: str, place: int, said: Said, *, turn: int | None = None) -> Json | None:
        """Keep what a rater says of the item at a place; returns what holds now, None where nothing is said.

        turn: as in `RatingStore.add`.
        """
        result, told = self._result(place), checked(said)
        written = self._items[place]["copy"]
        if told.corrected is not None and written is None:
            raise RequestError("this item has no copy that could be corrected", param="corrected")
        row = self._store.add(
            item=result.id,
            picture_sha256=picture_hash(result),
            prompt_sha256=prompt_hash(self.run, result),
            rater=checked_rater(rater),
            said=told,
            edit_distance=None if told.corrected is None else edit_distance(written, told.corrected),
            turn=turn,
        )
        return _told(row)

    def undo(self, rater: str, *, turn: int | None = None) -> Json:
        """Take back what a rater said last: the item's place, None if there is nothing, and what holds now."""
        undone = self._store.undo(checked_rater(rater), turn=turn)
        if undone is None:
            return {"place": None, "rating": None}
        places = {result.id: place for place, result in enumerate(self._results)}
        return {"place": places.get(undone[0]), "rating": _told(undone[1])}

    def picture(self, place: int, number: int) -> tuple[Path, CasePicture]:
        """The file of a picture of the run's own list, and what the run knows of it."""
        pictures = self._result(place).pictures
        if not 0 <= number < len(pictures):
            raise PictureError(f"the item has {len(pictures)} pictures, numbered from 0", code="picture_missing")
        return self.run.picture_file(pictures[number]), pictures[number]

    def choices(self, rater: str) -> list[Json]:
        """The places that both rounds have, with the side that this rater preferred."""
        swapped = self._store.sides(run_id(self._other_run()), checked_rater(rater))
        chosen = {item: one for (item, who), one in self._chosen().items() if who == rater}
        ids = {place: self._results[place].id for place in self._others}
        return [
            {"place": place, "chosen": _as_side(chosen.get(item), is_swapped=swapped.get(item, False))}
            for place, item in ids.items()
        ]

    def pair(self, rater: str, place: int) -> Json:
        """Both answers to one item, on the sides that were drawn for this rater."""
        shown = [_fields(self.run, self._result(place)), _fields(self._other_run(), self._other(place))]
        left, right = reversed(shown) if self._is_swapped(checked_rater(rater), place) else shown
        return {"place": place, "left": left, "right": right}

    def choose(self, rater: str, place: int, side: Side | None, *, turn: int | None = None) -> None:
        """Keep which side a rater prefers; None takes it back."""
        if side is not None and side not in get_args(Side):
            raise RequestError(f"side must be left, right or same, got {side!r}", param="side")
        self._other(place)
        is_swapped = self._is_swapped(checked_rater(rater), place)
        chosen: Literal["first", "second", "same"] | None = None
        if side is not None:
            chosen = "same" if side == "same" else "first" if (side == "left") != is_swapped else "second"
        self._store.choose(run_id(self._other_run()), self._results[place].id, rater, chosen, turn=turn)

    def preferred(self) -> Preference:
        """Which round people prefer, all raters together."""
        return preference(self._chosen())

    def rounds(self) -> tuple[str, str]:
        """The names of both rounds' folders, for when the comparison is over."""
        return self.run.folder.name, self._other_run().folder.name

    def _item(
        self, place: int, result: Result, order: int, doubt: float | None, margins: Mapping[str, float]
    ) -> dict[str, Any]:
        written = value_of(result, self._copy) if self._copy is not None else None
        return {
            "place": place,
            "order": order,
            "id": result.id,
            "names": [picture.shown for picture in result.pictures],
            "prompt": result.prompt,
            "fields": [field | {"margin": margins.get(field["name"])} for field in _fields(self.run, result)],
            "copy": written if isinstance(written, str) else None,
            "boxes": [dict(box) for box in result.boxes],
            "doubt": None if doubt is None else round(doubt, 4),
            "error": None if result.error is None else asdict(result.error),
        }

    def _result(self, place: int) -> Result:
        if not 0 <= place < len(self._results):
            raise RequestError(f"the run has {len(self._results)} items, numbered from 0", param="place")
        return self._results[place]

    def _other_run(self) -> Run:
        if self._second is None:
            raise RequestError("only one run is open; start with two: flashsight workbench RUN RUN2", param="place")
        return self._second

    def _other(self, place: int) -> Result:
        self._other_run()
        if place not in self._others:
            raise RequestError(f"the second run has no item of the place {place}", param="place")
        return self._others[place]

    def _is_swapped(self, rater: str, place: int) -> bool:
        return self._store.side(run_id(self._other_run()), self._results[place].id, rater, drawn=self._draw())

    def _chosen(self) -> dict[tuple[str, str], Literal["first", "second", "same"]]:
        return self._store.choices(run_id(self._other_run()))


def _as_side(chosen: str | None, *, is_swapped: bool) -> Side | None:
    if chosen is None or chosen == "same":
        return "same" if chosen else None
    return "left" if (chosen == "first") != is_swapped else "right"


def copy_field(run: Run, rules: Rules) -> str | None:
    """The field that holds the copy: the whole answer without a schema, else the first that words something freely."""
    if run.manifest.schema is None:
        return PLAIN_TEXT
    return next((name for name in fields_of(run.manifest) if rules.kind_of(name, run.manifest.schema) == "text"), None)


def _fields(run: Run, result: Result) -> list[dict[str, Any]]:
    """Name and value of each field, or the answer as it stands where it is no object."""
    if result.parsed is None:
        return [] if result.answer is None else [{"name": None, "value": result.answer}]
    names = dict.fromkeys((*fields_of(run.manifest), *result.parsed))
    return [{"name": name, "value": as_text(result.parsed[name])} for name in names if name in result.parsed]


def _shared(run: Run, second: Run, results: Sequence[Result]) -> dict[int, Result]:
    refuse_other_schema(run, second)
    if run_id(run) == run_id(second):
        raise RunError(f"{run.folder} and {second.folder} are the same run; name two rounds")
    theirs = {result.id: result for result in second.results()}
    shared = {place: theirs[result.id] for place, result in enumerate(results) if result.id in theirs}
    if not shared:
        raise RunError(f"{run.folder} and {second.folder} share no picture; compare runs of the same folder or table")
    return shared


def _told(row: RatingRow | None) -> dict[str, Any] | None:
    if row is None or row.said.is_nothing:
        return None
    said = asdict(row.said)
    return said | {"tags": list(row.said.tags), "edit_distance": row.edit_distance, "at": row.at}
