"""What became of the same pictures from one run to the next. Without a gold table it knows no right or wrong.

A field of a picture is fixed (wrong, then right), broken (right, then wrong) or the same.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flashsight.workbench.evaluate import fields_of, judged_cases, paths_of, value_of
from flashsight.workbench.gold import GoldTable, Pairing, pair
from flashsight.workbench.metrics import MISSING, spelled
from flashsight.workbench.records import Manifest, Result, Run, RunError
from flashsight.workbench.rules import Rules
from flashsight.workbench.sections import JudgedCase
from flashsight.workbench.statistics import Change, change
from flashsight.workbench.words import value_key

State = Literal["fixed", "broken", "mixed", "same", "changed"]
WHOLE = "whole picture"


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureChange:
    """One picture in both runs. fields: those that turned, with both values and, given gold, what is right.

    state: fixed, broken or mixed by its fields given gold, else changed; same where nothing turned.
    """

    id: str
    state: State
    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, str, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two runs side by side. fields: per field, and for the whole picture, how many turned; empty without gold."""

    runs: tuple[str, str]
    num: int
    only: tuple[tuple[str, ...], tuple[str, ...]]
    pictures: tuple[PictureChange, ...]
    fields: Mapping[str, Change]
    pairing: Pairing | None
    prompt_diff: tuple[str, ...]
    settings: Mapping[str, tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """The comparison for JSON."""
        return {
            "runs": list(self.runs),
            "pictures_in_both": self.num,
            "only_in": {run: list(ids) for run, ids in zip(("first", "second"), self.only, strict=True)},
            "fields": {name: one.as_dict() for name, one in self.fields.items()},
            "pictures": [asdict(one) for one in self.pictures],
            "prompt_diff": list(self.prompt_diff),
            "settings": {name: list(both) for name, both in self.settings.items()},
        }


def compare(first: Run, second: Run, rules: Rules, gold: GoldTable | None = None) -> Comparison:
    """Compare two runs over the pictures that both have. Raises RunError for different schemas or no shared picture."""
    refuse_other_schema(first, second)
    results = tuple({result.id: result for result in run.results()} for run in (first, second))
    shared = [one for one in results[0] if one in results[1]]
    if not shared:
        raise RunError(f"{first.folder} and {second.folder} share no picture; compare runs of the same folder or table")
    pairing = pair(gold, paths_of({one: results[0][one] for one in shared})) if gold is not None else None
    fields: Mapping[str, Change] = {}
    if pairing is None:
        pictures = [_unjudged(results[0][one], results[1][one], fields_of(first.manifest)) for one in shared]
    else:
        before, after = (
            judged_cases(run, {one: results[at][one] for one in shared}, pairing, rules)
            for at, run in enumerate((first, second))
        )
        pictures = [_judged(old, new) for old, new in zip(before, after, strict=True)]
        fields = _changes(before, after)
    return Comparison(
        runs=(str(first.folder), str(second.folder)),
        num=len(shared),
        only=(_missing(results[0], results[1]), _missing(results[1], results[0])),
        pictures=tuple(pictures),
        fields=fields,
        pairing=pairing,
        prompt_diff=prompt_difference(first.manifest.prompt, second.manifest.prompt),
        settings=_settings(first.manifest, second.manifest),
    )


def prompt_difference(before: str, after: str) -> tuple[str, ...]:
    """The lines of two prompts that differ, with + and - as in a unified diff; nothing where they are equal."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    return tuple(lines)[2:]


def refuse_other_schema(first: Run, second: Run) -> None:
    """Raise RunError for runs whose answers have other fields."""
    if first.manifest.schema_sha256 == second.manifest.schema_sha256:
        return
    names = [set(fields_of(run.manifest)) for run in (first, second)]
    differing = ", ".join(sorted(names[0] ^ names[1])) or "the same names with other types"
    raise RunError(f"{first.folder} and {second.folder} were asked for different schemas: {differing}; use one")


def _missing(here: Mapping[str, Result], there: Mapping[str, Result]) -> tuple[str, ...]:
    return tuple(one for one in here if one not in there)


def _unjudged(before: Result, after: Result, fields: Sequence[str]) -> PictureChange:
    values = {name: (_said(before, name), _said(after, name), None) for name in fields}
    turned = {name: both for name, both in values.items() if value_key(both[0]) != value_key(both[1])}
    state: State = "changed" if turned else "same"
    return PictureChange(id=before.id, state=state, changed=tuple(turned), values=turned)


def _said(result: Result, name: str) -> str:
    return spelled(value_of(result, name)) or MISSING


def _verdicts(case: JudgedCase) -> dict[str, bool]:
    texts = {name: text.is_consistent for name, text in case.texts.items()}
    return {name: one.is_right for name, one in case.fields.items()} | texts


def _judged(before: JudgedCase, after: JudgedCase) -> PictureChange:
    old, new = _verdicts(before), _verdicts(after)
    fixed = tuple(name for name in old if new[name] and not old[name])
    broken = tuple(name for name in old if old[name] and not new[name])
    state: State = "mixed" if fixed and broken else "fixed" if fixed else "broken" if broken else "same"
    values = {name: (_got(before, name), _got(after, name), _expected(after, name)) for name in (*fixed, *broken)}
    return PictureChange(id=before.id, state=state, fixed=fixed, broken=broken, values=values)


def _got(case: JudgedCase, name: str) -> str:
    return case.fields[name].got if name in case.fields else case.texts[name].got or MISSING


def _expected(case: JudgedCase, name: str) -> str:
    return case.fields[name].expected if name in case.fields else case.texts[name].expected


def _changes(before: Sequence[JudgedCase], after: Sequence[JudgedCase]) -> dict[str, Change]:
    pairs = [(_verdicts(old), _verdicts(new)) for old, new in zip(before, after, strict=True)]
    names = dict.fromkeys(name for old, _ in pairs for name in old)
    told = {}
    for name in names:
        rows = [(old[name], new[name]) for old, new in pairs if name in old]
        told[name] = change([old for old, _ in rows], [new for _, new in rows])
    whole = [(all(old.values()), all(new.values())) for old, new in pairs if old]
    return told | {WHOLE: change([old for old, _ in whole], [new for _, new in whole])}


def _settings(first: Manifest, second: Manifest) -> dict[str, tuple[str, str]]:
    rows = [_flat(manifest) for manifest in (first, second)]
    names = dict.fromkeys((*rows[0], *rows[1]))
    both = {name: (rows[0].get(name, MISSING), rows[1].get(name, MISSING)) for name in names}
    return {name: values for name, values in both.items() if values[0] != values[1]}


def _flat(manifest: Manifest) -> dict[str, str]:
    model = {f"model {name}": value for name, value in asdict(manifest.model).items()}
    told = model | {
        "thinking": manifest.thinking,
        "evidence": manifest.evidence,
        **manifest.sampling,
        **manifest.media,
        **manifest.versions,
    }
    return {name: _spelled(value) for name, value in told.items()}


def _spelled(value: object) -> str:
    """A setting as text; 0 and 0.0 are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)
