"""A body's bytes -> ChatRequest, or an error that names the field, the limit and what came instead. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from pydantic import ValidationError

from flashsight.core.errors import RequestError
from flashsight.core.tools import Calls, Tool
from flashsight.core.types import (
    ChatRequest,
    ChoiceConstraint,
    Constraint,
    JsonConstraint,
    Message,
    PictureRef,
    RegexConstraint,
    Sampling,
    TextPart,
)
from flashsight.presets import Preset, with_prompt
from flashsight.server.faults import sentence
from flashsight.server.presets import Scene, filled_in, scene_of
from flashsight.server.protocol import (
    AnyMessage,
    AssistantMessage,
    ChatBody,
    ChatMetadata,
    File,
    Image,
    ImageUrl,
    ObjectFormat,
    SchemaFormat,
    SystemMessage,
    TemplateArguments,
    Text,
    ThinkingSwitch,
)
from flashsight.server.tools import calls_of, results_in_order, tool_calls_of, tools_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A request and how its answer is to be sent. end_user: the client's own name for who asks, for the log."""

    request: ChatRequest
    is_stream: bool
    include_usage: bool
    end_user: str | None


_QUICK_BYTES, _QUICK_COMMAS = 512 * 1024, 1024


def is_quick(body: bytes) -> bool:
    """Tell whether a body is parsed in well under a millisecond: less than a thread's turn costs beside a busy engine.

    The base64 of a picture makes it long and costs next to nothing; what costs is parts, and commas stand between them.
    """
    return len(body) <= _QUICK_BYTES and body.count(b",") <= _QUICK_COMMAS


_NO_PRESETS: Mapping[str, Preset] = MappingProxyType({})


def parse_chat(body: bytes, presets: Mapping[str, Preset] = _NO_PRESETS) -> Parsed:
    """Raise RequestError or OptionRefused naming the first field at fault. `presets` are those that may be named."""
    try:
        parsed = ChatBody.model_validate_json(body)
    except ValidationError as error:
        raise sentence(error) from None
    if parsed.stream_options is not None and not parsed.stream:
        raise RequestError("stream_options needs stream: true", param="stream_options")
    scene = _scene(parsed.metadata, presets)
    parsed = parsed if scene is None else filled_in(parsed, scene.preset)
    messages = messages_of(parsed.messages)
    tools = tools_of(parsed.tools)
    return Parsed(
        request=ChatRequest(
            model=parsed.model,
            messages=messages if scene is None else with_prompt(messages, scene.prompt),
            sampling=replace(_sampling(parsed), calls=_calls(parsed, tools)),
            tools=tools,
            thinking=thinking_of(parsed, parsed.reasoning_effort),
        ),
        is_stream=bool(parsed.stream),
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        end_user=parsed.safety_identifier or parsed.user,
    )


def _scene(metadata: ChatMetadata | None, presets: Mapping[str, Preset]) -> Scene | None:
    if metadata is None:
        return None
    if metadata.preset is None and metadata.language is not None:
        raise RequestError("metadata.language needs metadata.preset", param="metadata.language")
    return scene_of(metadata.preset, metadata.language, presets)


# --- the body in the words of core ---------------------------------------------------------------------------


def messages_of(messages: Sequence[AnyMessage]) -> tuple[Message, ...]:
    """Return the messages in the words of core, their pictures as references."""
    return results_in_order(messages, [_message(index, message) for index, message in enumerate(messages)])


def _message(index: int, message: AnyMessage) -> Message:
    role = "system" if isinstance(message, SystemMessage) else message.role
    path = f"messages[{index}].content"
    parts = _parts(path, message.content)
    if not isinstance(message, AssistantMessage):
        if not parts:
            raise RequestError(f"{path} is empty", param=path)
        return Message(role=role, parts=parts)
    calls = tool_calls_of(index, message)
    if message.content is None and not calls:
        raise RequestError(f"{path} must be a string or a list of parts", param=path)
    return Message(role=role, parts=parts, tool_calls=calls, reasoning=message.reasoning_content or "")


def _parts(path: str, content: str | Sequence[Text | Image | File] | None) -> tuple[TextPart | PictureRef, ...]:
    if isinstance(content, str):
        return (TextPart(text=content),)
    return tuple(_part(f"{path}[{i}]", part) for i, part in enumerate(content or ()))


def _part(path: str, part: Text | Image | File) -> TextPart | PictureRef:
    if isinstance(part, Text):
        return TextPart(text=part.text)
    if isinstance(part, File):
        return PictureRef(url=part.file.file_id, param=f"{path}.file.file_id")
    return picture_ref(f"{path}.image_url", part.image_url)


def picture_ref(path: str, named: ImageUrl | str) -> PictureRef:
    """Return the reference of a picture that the field `path` names by a URL or an uploaded file's id."""
    if isinstance(named, str):
        return PictureRef(url=named, param=path)
    if named.url is not None and named.file_id is None:
        return PictureRef(url=named.url, detail=named.detail or "auto", param=f"{path}.url")
    if named.file_id is not None and named.url is None:
        return PictureRef(url=named.file_id, detail=named.detail or "auto", param=f"{path}.file_id")
    raise RequestError(f"{path} needs exactly one of url and file_id", param=f"{path}.url")


def _sampling(body: ChatBody) -> Sampling:
    if body.top_logprobs and not body.logprobs:
        raise RequestError("top_logprobs needs logprobs: true", param="top_logprobs")
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Sampling(
        temperature=0.0 if body.top_p == 0 else body.temperature or 0.0,
        top_p=body.top_p or 1.0,
        top_k=max(0, body.top_k or 0),
        min_p=body.min_p or 0.0,
        repetition_penalty=body.repetition_penalty or 1.0,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        seed=body.seed,
        logit_bias=tuple((body.logit_bias or {}).items()),
        logprobs=bool(body.logprobs),
        top_logprobs=body.top_logprobs or 0,
        n=body.n or 1,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stop,
        ignore_eos=bool(body.ignore_eos),
        constraint=_constraint(body),
        thinking_tokens=_thinking_tokens(body),
    )


def _calls(body: ChatBody, tools: tuple[Tool, ...]) -> Calls | None:
    calls = calls_of(tools, body.tool_choice, body.parallel_tool_calls)
    if calls is not None and body.ignore_eos:
        raise RequestError("ignore_eos contradicts tools, whose calls have an end", param="ignore_eos")
    if calls is not None and calls.is_required and _constraint(body) is not None:
        raise RequestError(
            "an answer that must call a tool cannot follow response_format or structured_outputs too; leave one out",
            param="tool_choice",
        )
    return calls


def _constraint(body: ChatBody) -> Constraint | None:
    wanted: list[Constraint] = []
    if isinstance(body.response_format, ObjectFormat):
        wanted.append(JsonConstraint(schema=None))
    elif isinstance(body.response_format, SchemaFormat):
        wanted.append(JsonConstraint(schema=body.response_format.json_schema.json_schema or {}))
    if body.structured_outputs is not None:
        if body.structured_outputs.regex is not None:
            wanted.append(RegexConstraint(pattern=body.structured_outputs.regex))
        if body.structured_outputs.choice is not None:
            wanted.append(ChoiceConstraint(options=tuple(body.structured_outputs.choice)))
        if not wanted:
            raise RequestError("structured_outputs needs regex or choice", param="structured_outputs")
    if len(wanted) > 1:
        raise RequestError(
            "an answer can follow one constraint; send one of response_format, structured_outputs.regex and "
            "structured_outputs.choice",
            param="structured_outputs",
        )
    if wanted and body.ignore_eos:
        raise RequestError("ignore_eos contradicts a constrained answer, which has an end", param="ignore_eos")
    return wanted[0] if wanted else None


class Switches(Protocol):
    """Fields that ask for thinking or not."""

    @property
    def thinking(self) -> ThinkingSwitch | None:
        """GLM's own switch."""

    @property
    def chat_template_kwargs(self) -> TemplateArguments | None:
        """The template's argument."""


def thinking_of(body: Switches, effort: str | None = None) -> bool:
    """Tell whether the model is to think. Three fields can say it; they must agree."""
    said: dict[str, bool] = {}
    if body.thinking is not None:
        said["thinking"] = body.thinking.type == "enabled"
    if body.chat_template_kwargs is not None and body.chat_template_kwargs.enable_thinking is not None:
        said["chat_template_kwargs"] = body.chat_template_kwargs.enable_thinking
    if effort is not None:
        said["reasoning_effort"] = effort not in ("none", "minimal")
    if len(set(said.values())) > 1:
        raise RequestError(f"{' and '.join(said)} contradict each other; send one of them", param=next(iter(said)))
    return next(iter(said.values()), False)


def _thinking_tokens(body: ChatBody) -> int | None:
    if body.thinking is None or body.thinking.budget_tokens is None:
        return None
    if body.thinking.type == "disabled":
        raise RequestError(
            "thinking.budget_tokens needs thinking.type 'enabled'; leave the budget out", param="thinking.budget_tokens"
        )
    return body.thinking.budget_tokens
