"""What a run will ask, settled before the first answer: the question, and the manifest that says it. Asks nobody."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flashsight import __version__
from flashsight.core.config import MediaConfig
from flashsight.core.types import Sampling
from flashsight.workbench.ask import Question
from flashsight.workbench.records import Manifest, ModelRecord, Run, SourceRecord
from flashsight.workbench.schema import sha256_of_schema, sha256_of_text

DEFAULT_PROMPT = "请描述这张图片的内容"
SCHEMA_PROMPT = "请按要求的字段描述图中的商品。"

_MEDIA = ("max_bytes", "max_pixels", "min_side", "max_aspect", "max_side", "max_pictures")
"""Limits that change what the model sees or what is refused."""

_NOT_WRITTEN = {"constraint", "calls"}
"""The schema stands beside the sampling; a run calls no tools."""


def manifest_of(
    question: Question, model: ModelRecord, media: MediaConfig, *, path: Path, root: Path, num_cases: int
) -> Manifest:
    """The manifest of a run that begins now."""
    return Manifest(
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=model,
        source=SourceRecord(path=str(path.absolute()), root=str(root.absolute())),
        num_cases=num_cases,
        prompt=question.prompt,
        prompt_sha256=sha256_of_text(question.prompt),
        schema=question.schema,
        schema_sha256=sha256_of_schema(question.schema),
        sampling=_written(question.sampling),
        thinking=question.thinking,
        evidence=question.evidence,
        media={name: getattr(media, name) for name in _MEDIA},
        versions={"flashsight": __version__, "python": platform.python_version(), "torch": version("torch")},
    )


def question_of(run: Run) -> Question:
    """The question that a run asked."""
    manifest = run.manifest
    names = {field.name for field in fields(Sampling)} - _NOT_WRITTEN
    said = {name: _tupled(value) for name, value in manifest.sampling.items() if name in names}
    return Question(
        prompt=manifest.prompt,
        schema=manifest.schema,
        sampling=Sampling(**said),
        thinking=manifest.thinking,
        evidence=manifest.evidence,
    )


def _written(sampling: Sampling) -> Mapping[str, Any]:
    """As JSON reads it back, so that two manifests can be compared."""
    said = {name: value for name, value in asdict(sampling).items() if name not in _NOT_WRITTEN}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value
