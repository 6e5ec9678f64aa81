"""The body of POST /v1/responses -> ChatRequest: what pictures and text need, everything else refused by name.

The verdicts are those of `fields`. Does no I/O and keeps nothing: each request brings its whole conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from flashsight.core.errors import RequestError
from flashsight.core.types import (
    ChatRequest,
    Constraint,
    JsonConstraint,
    Message,
    PictureRef,
    Role,
    Sampling,
    TextPart,
)
from flashsight.presets import Preset, with_prompt
from flashsight.server.faults import sentence
from flashsight.server.fields import RESPONSE_FIELDS
from flashsight.server.parse import thinking_of
from flashsight.server.presets import scene_of, suggested_sampling
from flashsight.server.protocol import (
    MAX_COUNT,
    MAX_MESSAGES,
    Absent,
    Body,
    Effort,
    FileId,
    TemplateArguments,
    Thinking,
)


class InputText(Body):
    """Text of a turn; an earlier answer's as it came."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: Absent = None
    logprobs: Absent = None


class InputImage(Body):
    """A picture, exactly one of `image_url` and `file_id`."""

    type: Literal["input_image"]
    image_url: Annotated[str, Field(min_length=1)] | None = None
    file_id: FileId | None = None
    detail: Literal["auto", "low", "high"] | None = None


def _kind_of_part(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    kind = "input_text" if kind == "output_text" else kind
    return f"({kind})" if isinstance(kind, str) else "(none)"


def _kind_of_content(value: Any) -> str:
    return "(string)" if isinstance(value, str) else "(parts)"


Part = Annotated[
    Annotated[InputText, Tag("(input_text)")] | Annotated[InputImage, Tag("(input_image)")],
    Discriminator(_kind_of_part),
]
Content = Annotated[
    Annotated[str, Tag("(string)")] | Annotated[list[Part], Tag("(parts)")], Discriminator(_kind_of_content)
]


class Turn(Body):
    """A message, also an earlier answer's as it came."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: str | None = None
    status: str | None = None
    boxes: list[Any] | None = None


class ReasoningText(Body):
    """A piece of reasoning."""

    type: Literal["reasoning_text"]
    text: str


class Reasoned(Body):
    """An earlier answer's reasoning as it came; GLM reads it again only after the last question."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: Absent = None
    content: list[ReasoningText] | None = None
    status: str | None = None
    encrypted_content: None = None


def _kind_of_item(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "(message)" if kind is None else f"({kind})"


Item = Annotated[
    Annotated[Turn, Tag("(message)")] | Annotated[Reasoned, Tag("(reasoning)")], Discriminator(_kind_of_item)
]
Input = Annotated[
    Annotated[str, Tag("(string)")]
    | Annotated[list[Item], Field(min_length=1, max_length=MAX_MESSAGES), Tag("(parts)")],
    Discriminator(_kind_of_content),
]


class Format(Body):
    """How the answer is written; `name`, `schema`, `strict` belong to json_schema, which is always strict."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] | None = None
    description: str | None = None
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class TextOptions(Body):
    """The answer's text."""

    format: Format | None = None
    verbosity: Literal["medium"] | None = None


class Reasoning(Body):
    """Whether the model thinks."""

    effort: Effort | None = None
    summary: None = None
    generate_summary: None = None


class ResponseStreamOptions(Body):
    """Padding of a stream is not sent."""

    include_obfuscation: Literal[False] | None = None


Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]
"""Texts of the caller's own, as OpenAI bounds them."""


class ResponseBody(Body):
    """The body of POST /v1/responses."""

    model: Annotated[str, Field(min_length=1)]
    input: Input
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    store: Literal[False] | None = None
    background: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None
    service_tier: Literal["auto", "default"] | None = None
    parallel_tool_calls: Literal[True] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    top_logprobs: Literal[0] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory"] | None = None
    tools: Absent = None
    include: Absent = None
    metadata: Metadata | None = None
    previous_response_id: None = None
    conversation: None = None
    prompt: None = None
    max_tool_calls: None = None
    context_management: Absent = None
    access_programs: None = None
    background_options: None = None
    image: None = None
    moderation: None = None
    prompt_cache_options: None = None
    thinking: Thinking | None = None
    chat_template_kwargs: TemplateArguments | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedResponse:
    """A request, how its answer is to be sent, and the body, whose settings the reply repeats."""

    request: ChatRequest
    is_stream: bool
    end_user: str | None
    body: ResponseBody


_NO_PRESETS: Mapping[str, Preset] = MappingProxyType({})


def parse_response(body: bytes, presets: Mapping[str, Preset] = _NO_PRESETS) -> ParsedResponse:
    """Raise RequestError or OptionRefused naming the first field at fault. `presets` are those that may be named."""
    try:
        parsed = ResponseBody.model_validate_json(body)
    except ValidationError as error:
        raise sentence(error, RESPONSE_FIELDS) from None
    if parsed.stream_options is not None and not parsed.stream:
        raise RequestError("stream_options needs stream: true", param="stream_options")
    said = parsed.metadata or {}
    scene = scene_of(said.get("preset"), said.get("language"), presets)
    parsed = parsed if scene is None else _filled_in(parsed, scene.preset)
    messages = _messages(parsed)
    effort = parsed.reasoning.effort if parsed.reasoning is not None else None
    return ParsedResponse(
        request=ChatRequest(
            model=parsed.model,
            messages=messages if scene is None else with_prompt(messages, scene.prompt, param="input"),
            sampling=_sampling(parsed),
            thinking=thinking_of(parsed, effort),
        ),
        is_stream=bool(parsed.stream),
        end_user=parsed.safety_identifier or parsed.user,
        body=parsed,
    )


def _filled_in(body: ResponseBody, preset: Preset) -> ResponseBody:
    """Return the body with the preset's schema and sampling where it leaves them open."""
    added = suggested_sampling(preset, body)
    if preset.schema is not None and (body.text is None or body.text.format is None):
        schema = {"type": "json_schema", "name": preset.name, "schema": dict(preset.schema)}
        added["text"] = (body.text or TextOptions()).model_copy(update={"format": Format.model_validate(schema)})
    if body.max_output_tokens is None and preset.sampling.max_tokens is not None:
        added["max_output_tokens"] = preset.sampling.max_tokens
    return body.model_copy(update=added)


def _messages(body: ResponseBody) -> tuple[Message, ...]:
    messages: list[Message] = []
    if body.instructions:
        messages.append(Message(role="system", parts=(TextPart(text=body.instructions),)))
    if isinstance(body.input, str):
        return (*messages, Message(role="user", parts=(TextPart(text=body.input),)))
    thought = ""
    for number, item in enumerate(body.input):
        if isinstance(item, Reasoned):
            thought = "".join(piece.text for piece in item.content or ())
            continue
        role: Role = "system" if item.role == "developer" else item.role
        parts = _parts(f"input[{number}].content", item)
        messages.append(Message(role=role, parts=parts, reasoning=thought if role == "assistant" else ""))
        thought = ""
    return tuple(messages)


def _parts(path: str, turn: Turn) -> tuple[TextPart | PictureRef, ...]:
    if isinstance(turn.content, str):
        return (TextPart(text=turn.content),)
    if not turn.content and turn.role != "assistant":
        raise RequestError(f"{path} is empty", param=path)
    return tuple(_part(f"{path}[{number}]", turn, part) for number, part in enumerate(turn.content))


def _part(path: str, turn: Turn, part: InputText | InputImage) -> TextPart | PictureRef:
    if isinstance(part, InputText):
        return TextPart(text=part.text)
    if turn.role != "user":
        raise RequestError(f"{path} is a picture; pictures belong to the role 'user'", param=path)
    if (part.image_url is None) == (part.file_id is None):
        raise RequestError(f"{path} needs exactly one of image_url and file_id", param=f"{path}.image_url")
    field = "file_id" if part.image_url is None else "image_url"
    return PictureRef(url=part.image_url or part.file_id or "", detail=part.detail or "auto", param=f"{path}.{field}")


def _sampling(body: ResponseBody) -> Sampling:
    budget = None
    if body.thinking is not None and body.thinking.budget_tokens is not None:
        budget = body.thinking.budget_tokens
        if body.thinking.type == "disabled":
            raise RequestError(
                "thinking.budget_tokens needs thinking.type 'enabled'; leave the budget out",
                param="thinking.budget_tokens",
            )
    return Sampling(
        temperature=0.0 if body.top_p == 0 else body.temperature or 0.0,
        top_p=body.top_p or 1.0,
        max_tokens=body.max_output_tokens,
        constraint=_constraint(body.text.format if body.text is not None else None),
        thinking_tokens=budget,
    )


def _constraint(wanted: Format | None) -> Constraint | None:
    if wanted is None:
        return None
    named: Sequence[object] = (wanted.name, wanted.description, wanted.json_schema, wanted.strict)
    if wanted.type != "json_schema":
        if any(value is not None for value in named):
            raise RequestError("text.format has fields that are json_schema's; leave them out", param="text.format")
        return JsonConstraint(schema=None) if wanted.type == "json_object" else None
    if wanted.name is None or wanted.json_schema is None:
        raise RequestError("text.format of type json_schema needs name and schema", param="text.format")
    return JsonConstraint(schema=wanted.json_schema)
