"""A run's folder written for a test, line by line, as its contract says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flashsight.workbench.records import (
    CasePicture,
    Fault,
    Manifest,
    ModelRecord,
    Result,
    Run,
    SourceRecord,
    Timing,
    open_run,
    to_line,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"type": "string"},
        "color": {"type": "string"},
        "price": {"type": "number"},
        "key_features": {"type": "array", "items": {"type": "string"}},
        "marketing_copy": {"type": "string"},
    },
}

Answers = Mapping[str, Mapping[str, Any] | str | None]


def write_run(
    folder: Path,
    answers: Answers,
    *,
    prompt: str = "这是什么商品?",
    schema: Mapping[str, Any] | None = SCHEMA,
    milliseconds: Sequence[float] = (),
) -> Run:
    """A complete run: an answer per picture as an object, as words that are no object, or None for a failure."""
    folder.mkdir()
    manifest = Manifest(
        created="2026-11-23T06:00:00Z",
        model=ModelRecord(name="nano"),
        source=SourceRecord(path="/pictures", root="/pictures"),
        num_cases=len(answers),
        prompt=prompt,
        prompt_sha256=prompt,
        schema=schema,
        schema_sha256=json.dumps(schema),
        sampling={},
    )
    results, timings = [], []
    for at, (name, answer) in enumerate(answers.items()):
        results.append(_result(name, answer))
        milliseconds_here = milliseconds[at] if at < len(milliseconds) else 1000.0
        timings.append(Timing(id=name, total_ms=milliseconds_here, attempts=int(at < len(milliseconds))))
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    (folder / "results.jsonl").write_text("".join(map(to_line, results)), encoding="utf-8")
    (folder / "timings.jsonl").write_text("".join(map(to_line, timings)), encoding="utf-8")
    return open_run(folder)


def _result(name: str, answer: Mapping[str, Any] | str | None) -> Result:
    pictures = (CasePicture(path=name),)
    if answer is None:
        return Result(id=name, pictures=pictures, error=Fault(code="invalid_image", message="no picture"))
    if isinstance(answer, str):
        return Result(id=name, pictures=pictures, answer=answer)
    return Result(id=name, pictures=pictures, answer=json.dumps(answer, ensure_ascii=False), parsed=answer)
