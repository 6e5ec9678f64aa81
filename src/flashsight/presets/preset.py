"""What a preset is, and how its prompt joins a question. Reads no file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from flashsight.core.errors import RequestError
from flashsight.core.types import Message, TextPart

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Worded:
    """The same words in both languages."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """Return the words in one of them."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetSampling:
    """What a preset suggests where a request leaves it open; None suggests nothing."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A scene. title and hint are for people, prompt for the model; schema is a JSON schema that the answer fits."""

    name: str
    title: Worded
    hint: Worded
    prompt: Worded
    schema: Mapping[str, Any] | None = None
    sampling: PresetSampling = PresetSampling()


def preset_named(presets: Mapping[str, Preset], name: str, *, param: str) -> Preset:
    """Return the preset; raise RequestError in the name of the field `param`, with all that there are."""
    if name in presets:
        return presets[name]
    near = difflib.get_close_matches(name[:64], presets, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = ", ".join(presets) or "none"
    raise RequestError(f"{param} names no preset{hint}; known are: {known}", code="preset_not_found", param=param)


def with_prompt(messages: Sequence[Message], prompt: str, *, param: str = "messages") -> tuple[Message, ...]:
    """Put the prompt into the last user message: right before its text, or after its pictures when it has no text.

    Pictures that open the message still open it, so that what was read ahead of them holds.
    """
    for place in reversed(range(len(messages))):
        if messages[place].role == "user":
            asked = replace(messages[place], parts=_with_instruction(messages[place], prompt))
            return (*messages[:place], asked, *messages[place + 1 :])
    raise RequestError("a preset asks about a user's message, but there is none", param=param)


def _with_instruction(message: Message, prompt: str) -> tuple[Any, ...]:
    parts = [part for part in message.parts if not (isinstance(part, TextPart) and not part.text.strip())]
    texts = [place for place, part in enumerate(parts) if isinstance(part, TextPart)]
    if not texts:
        return (*parts, TextPart(text=prompt))
    return (*parts[: texts[0]], TextPart(text=f"{prompt}\n"), *parts[texts[0] :])
