"""What `batch` asks: the command line over a preset, over the run that is repeated, over the usual. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flashsight.cli.ask import refuse_pointless
from flashsight.cli.scene import scene_of
from flashsight.core.config import Config
from flashsight.core.errors import ConfigError
from flashsight.core.settings import Effective
from flashsight.core.types import Sampling
from flashsight.presets import Language, Preset

if TYPE_CHECKING:
    from flashsight.workbench.ask import Question
    from flashsight.workbench.records import Run

_GATE = frozenset({"max_pixels", "min_side", "max_aspect", "max_pictures"})
"""Limits that pictures meet here, whoever answers."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says of the question; None where it is silent."""

    prompt: str | None
    preset: str | None
    language: Language | None
    schema: str | None
    url: str | None
    max_tokens: int | None
    temperature: float | None
    seed: int | None
    thinking: bool | None
    evidence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of whom; `origin` is the run that is repeated."""

    question: Question
    config: Config
    url: str | None
    origin: Run | None


def asked_of(effective: Effective, given: Given, origin: Path | None) -> Asked:
    """Settle the question. Raises ConfigError for what does not go together."""
    from flashsight.workbench.evidence import with_evidence
    from flashsight.workbench.plan import question_of
    from flashsight.workbench.records import open_run
    from flashsight.workbench.schema import read_schema

    folder = effective.config.server.presets_folder
    scene = scene_of(given.preset, given.language, folder)
    repeated = open_run(origin) if origin is not None else None
    wanted = read_schema(given.schema, folder) if given.schema is not None else None
    before = question_of(repeated) if repeated is not None else _usual(has_schema=wanted is not None)
    if scene.preset is not None:
        before = _by_preset(before, scene.preset, scene.language)
    said: dict[str, Any] = {"max_tokens": given.max_tokens, "temperature": given.temperature, "seed": given.seed}
    question = replace(
        before,
        prompt=_prompt(before, given),
        schema=wanted if wanted is not None else before.schema,
        sampling=replace(before.sampling, **{name: value for name, value in said.items() if value is not None}),
        thinking=before.thinking if given.thinking is None else given.thinking,
        evidence=before.evidence or given.evidence,
    )
    if question.evidence:
        with_evidence(question.schema or {})  # says what is wrong with it before anything is loaded
    url = given.url
    if repeated is not None and url is None and effective.origins["model_path"] == "default":
        url = repeated.manifest.model.url
    refuse_pointless(effective, url, used_here=_GATE)
    return Asked(question=question, config=_config(effective, repeated), url=url, origin=repeated)


def _usual(*, has_schema: bool) -> Question:
    from flashsight.workbench.ask import Question
    from flashsight.workbench.plan import DEFAULT_PROMPT, SCHEMA_PROMPT

    prompt = SCHEMA_PROMPT if has_schema else DEFAULT_PROMPT
    return Question(prompt=prompt, schema=None, sampling=Sampling(max_tokens=512))


def _by_preset(before: Question, preset: Preset, language: Language) -> Question:
    suggested: dict[str, Any] = {
        name: value
        for name in ("temperature", "top_p", "max_tokens")
        if (value := getattr(preset.sampling, name)) is not None
    }
    return replace(
        before,
        prompt=preset.prompt.of(language),
        schema=preset.schema if preset.schema is not None else before.schema,
        sampling=replace(before.sampling, **suggested),
    )


def _prompt(before: Question, given: Given) -> str:
    """A prompt takes the place of the usual one, and stands behind a preset's."""
    if given.prompt is None:
        return before.prompt
    if not given.prompt.strip():
        raise ConfigError("the prompt is empty; leave --prompt out to use the usual one", param="prompt")
    return given.prompt if given.preset is None else f"{before.prompt}\n{given.prompt}"


def _config(effective: Effective, repeated: Run | None) -> Config:
    """The settings, with the repeated run's own where nothing else was said."""
    config = effective.config
    if repeated is None:
        return config
    model, media = repeated.manifest.model, repeated.manifest.media
    untold = {name for name, origin in effective.origins.items() if origin == "default"}
    said = {
        "path": ("model_path", model.path),
        "dtype": ("dtype", model.precision),
        "served_name": ("served_name", model.name),
    }
    changes: dict[str, Any] = {
        name: value for name, (setting, value) in said.items() if setting in untold and value is not None
    }
    kept: dict[str, Any] = {
        name: value for name, value in media.items() if {"max_bytes": "max_picture_size"}.get(name, name) in untold
    }
    return replace(config, model=replace(config.model, **changes), media=replace(config.media, **kept))
