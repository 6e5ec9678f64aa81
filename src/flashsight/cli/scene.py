"""What `ask` asks: the words of the command line, and the preset where one is named. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flashsight.cli.question import read_question, read_schema
from flashsight.core.errors import ConfigError, RequestError
from flashsight.core.types import Detail, JsonConstraint, Message, Sampling
from flashsight.presets import Language, Preset, PresetSampling, load_presets, preset_named, with_prompt

_MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Scene:
    """A preset in one language, or none."""

    preset: Preset | None
    language: Language

    def messages(self, words: Sequence[str], *, max_bytes: int, detail: Detail = "auto") -> tuple[Message, ...]:
        """Return the question of the command line, behind the preset's prompt where there is one."""
        if self.preset is None:
            return read_question(words, max_bytes=max_bytes, detail=detail)
        asked = read_question(words, max_bytes=max_bytes, detail=detail, otherwise=None)
        return with_prompt(asked, self.preset.prompt.of(self.language))

    def sampling(
        self, *, temperature: float | None, seed: int | None, max_tokens: int | None, schema: Path | None
    ) -> Sampling:
        """Return what was given, else what the preset suggests, else the command's own defaults."""
        suggested = PresetSampling() if self.preset is None else self.preset.sampling
        return Sampling(
            temperature=next(value for value in (temperature, suggested.temperature, 0.0) if value is not None),
            top_p=suggested.top_p or 1.0,
            seed=seed,
            max_tokens=max_tokens or suggested.max_tokens or _MAX_TOKENS,
            constraint=read_schema(schema) if schema is not None else self._constraint(),
        )

    def _constraint(self) -> JsonConstraint | None:
        if self.preset is None or self.preset.schema is None:
            return None
        return JsonConstraint(schema=dict(self.preset.schema))


def scene_of(name: str | None, language: Language | None, folder: Path | None) -> Scene:
    """Return the scene that the command line names. Raises ConfigError."""
    if name is None:
        if language is not None:
            raise ConfigError("--language is of a preset's prompt; add --preset, or leave it out", param="language")
        return Scene(None, "zh")
    try:
        return Scene(preset_named(load_presets(folder), name, param="--preset"), language or "zh")
    except RequestError as error:
        raise ConfigError(error.message, param="preset") from None
