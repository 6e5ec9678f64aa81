"""What a run's folder holds, as frozen dataclasses, and how it is read. Asks no model and compares nothing.

    RUN/manifest.json    what was asked of whom: enough to repeat the run
    RUN/cases.jsonl      the work: one Case a line, in the order of the source
    RUN/journal.jsonl    while the run goes on: one finished case a line, in the order they ended
    RUN/results.jsonl    once all are done: one Result a line, in the order of the cases, the same at every repetition
    RUN/timings.jsonl    once all are done: one Timing a line, in the same order
    RUN/doubts.jsonl     once all are done, where a schema was asked for: one Doubt a line, in the same order

A line is a JSON object in UTF-8. A reader ignores the fields it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from flashsight.core.errors import ConfigError
from flashsight.workbench.filenames import readable

FORMAT = 1

Json = Mapping[str, Any]
Record = TypeVar("Record")


class RunError(ConfigError):
    """A run's folder is missing, damaged or not the one that was meant."""

    code = "bad_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Who answered. path, weights_id, precision and device are None for another server, url for this process.

    path: as the setting `model_path`; precision: as the setting `dtype`.
    """

    name: str
    path: str | None = None
    weights_id: str | None = None
    precision: str | None = None
    device: str | None = None
    url: str | None = None

    @property
    def called(self) -> str:
        """What tells it from other models: its checkpoint's name, or, of another server's, the name it is asked by."""
        return (Path(self.path).name if self.path is not None else "") or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """Where the cases came from. root: the folder that picture paths are relative to."""

    path: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was asked of whom. Two runs are comparable when their schema_sha256 are equal.

    created: UTC, ISO 8601. schema None: the answer is plain text. The hashes are sha256 in hex: of the prompt's UTF-8,
    of the schema as compact JSON with sorted keys. sampling: temperature, max_tokens, seed … as `core.types.Sampling`
    names them. media: the limits that change what the model sees. versions: of flashsight, Python and torch.
    near_once: pictures that look the same were asked about once.
    evidence: a box was asked for each field, as `workbench.evidence`; the schema is told without it.
    """

    created: str
    model: ModelRecord
    source: SourceRecord
    num_cases: int
    prompt: str
    prompt_sha256: str
    schema: Json | None
    schema_sha256: str | None
    sampling: Json
    thinking: bool = False
    media: Json = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    evidence: bool = False
    near_once: bool = False
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePicture:
    """A picture of a case. path: relative to the source's root where it lies below it. sha256: None if unreadable."""

    path: str
    sha256: str | None = None

    @property
    def shown(self) -> str:
        """The path as people read it."""
        return readable(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the work. id is unique in the run. prompt: its own, None for the run's.

    columns: the other columns of the table it came from, as text.
    same_as: an earlier case that looks the same and whose answer it takes, where that was asked for.
    """

    id: str
    pictures: tuple[CasePicture, ...]
    prompt: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    same_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a case has no answer: a stable code of the error tree and its sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Counts of one answer; picture and reasoning are parts of prompt and completion."""

    prompt: int
    picture: int
    completion: int
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one case.

    answer: None if there is none. error: why there is no answer, or none that fits the schema. parsed: the answer as a
    JSON object, None where it is none or no schema was asked for. finish: stop | length | content_filter.
    duplicate_of: the id of an earlier case whose answer this is: of the same bytes and prompt, or `Case.same_as`.
    looks_like: ids of cases
    whose pictures look the same and whose answers differ. boxes: pixels of the turned original, as `core.types.Box`.
    picture_hashes: how each picture looks, in hex, as `workbench.look.fingerprint`.
    """

    id: str
    pictures: tuple[CasePicture, ...]
    answer: str | None = None
    parsed: Json | None = None
    finish: str | None = None
    error: Fault | None = None
    tokens: Tokens | None = None
    boxes: tuple[Json, ...] = ()
    prompt: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    picture_hashes: tuple[str, ...] = ()
    duplicate_of: str | None = None
    looks_like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds of one case, all 0 for a duplicate and for a case that was not answered.

    total_ms: from the question to the last word. first_ms: to the first word. The stages are the server's own and may
    overlap. cached_tokens came from the prefix cache. attempts: how often it was asked, 0 for a duplicate.
    """

    id: str
    total_ms: float
    first_ms: float = 0.0
    queued_ms: float = 0.0
    decode_ms: float = 0.0
    encode_ms: float = 0.0
    prefill_ms: float = 0.0
    cached_tokens: int = 0
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """How sure the model was of each field of one case, as `workbench.margins`. margins: empty where nothing told it.

    Measured as times are: the last digits may differ from one process to another.
    """

    id: str
    margins: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder, opened for reading."""

    folder: Path
    manifest: Manifest

    @property
    def is_complete(self) -> bool:
        """True once every case has ended, with an answer or an error."""
        return (self.folder / "results.jsonl").is_file()

    def cases(self) -> Iterator[Case]:
        """Yield the work, in the order of its source."""
        return (case_of(row) for row in read_lines(self.folder / "cases.jsonl"))

    def results(self) -> Iterator[Result]:
        """Yield the results: in the order of the cases, or, while the run goes on, in the order they ended."""
        if self.is_complete:
            return (result_of(row) for row in read_lines(self.folder / "results.jsonl"))
        return (result_of(row["result"]) for row in read_lines(self.folder / "journal.jsonl", is_growing=True))

    def timings(self) -> Iterator[Timing]:
        """Yield the times, in the order of the results."""
        if self.is_complete:
            return (known(Timing, row) for row in read_lines(self.folder / "timings.jsonl"))
        rows = read_lines(self.folder / "journal.jsonl", is_growing=True)
        return (known(Timing, row["timing"]) for row in rows)

    def doubts(self) -> Iterator[Doubt]:
        """Yield how sure the model was, in the order of the results; nothing of a run that did not keep it."""
        if self.is_complete:
            kept = self.folder / "doubts.jsonl"
            return (known(Doubt, row) for row in (read_lines(kept) if kept.exists() else ()))
        rows = read_lines(self.folder / "journal.jsonl", is_growing=True)
        return (known(Doubt, row["doubt"]) for row in rows if row.get("doubt"))

    def picture_file(self, picture: CasePicture) -> Path:
        """Where the picture lay when the run was made."""
        return Path(self.manifest.source.root) / picture.path


def open_run(folder: Path) -> Run:
    """Open a run's folder. Raises RunError where there is none or its format is not known here."""
    try:
        row = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except OSError:
        raise RunError(f"{folder} is no run: it has no manifest.json; name a folder that `batch --out` wrote") from None
    except ValueError:
        raise RunError(f"the manifest.json in {folder} is damaged; start the run anew in another folder") from None
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        raise RunError(f"the run in {folder} is of another format than {FORMAT}; read it with the version that made it")
    try:
        return Run(folder, _manifest_of(row))
    except (KeyError, TypeError):
        raise RunError(f"the manifest.json in {folder} lacks fields; start the run anew in another folder") from None


def read_lines(file: Path, *, is_growing: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file. A last line without its end is left out where the file is still written to.

    Raises RunError for a line that is no object, naming it.
    """
    if not file.exists():
        if is_growing:
            return
        raise RunError(f"{file} is missing; copy the whole folder of the run")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if is_growing and not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise RunError(f"line {number} of {file} is damaged; restore the file, or start the run anew")
            yield row


def to_line(record: object) -> str:
    """One line of JSON, its end included, for any of these dataclasses or a mapping of them."""
    return json.dumps(record, default=asdict, ensure_ascii=False, separators=(",", ":")) + "\n"


def case_of(row: Json) -> Case:
    """A Case as its line says."""
    return known(Case, row, pictures=_pictures(row))


def result_of(row: Json) -> Result:
    """A Result as its line says."""
    error, tokens = row.get("error"), row.get("tokens")
    return known(
        Result,
        row,
        pictures=_pictures(row),
        error=known(Fault, error) if error else None,
        tokens=known(Tokens, tokens) if tokens else None,
        boxes=tuple(row.get("boxes", ())),
        picture_hashes=tuple(row.get("picture_hashes", ())),
        looks_like=tuple(row.get("looks_like", ())),
    )


def known(kind: type[Record], row: Json, **replaced: Any) -> Record:
    """The dataclass `kind` from the fields of a row that it knows."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in row.items() if name in names} | replaced)


def _manifest_of(row: Json) -> Manifest:
    model, source = known(ModelRecord, row["model"]), known(SourceRecord, row["source"])
    return known(Manifest, row, model=model, source=source)


def _pictures(row: Json) -> tuple[CasePicture, ...]:
    return tuple(known(CasePicture, picture) for picture in row["pictures"])
