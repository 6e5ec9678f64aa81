"""A body's bytes -> ChatRequest, or an error that names the field, the limit and what came instead. Does no I/O.

Pydantic finds the fault; the sentences are ours, and nothing a user wrote is echoed but numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flashsight.core.errors import OptionRefused, RequestError
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
from flashsight.server.fields import FIELDS
from flashsight.server.protocol import (
    AnyMessage,
    AssistantMessage,
    ChatBody,
    Image,
    ImageUrl,
    ObjectFormat,
    SchemaFormat,
    SystemMessage,
    Text,
)

_HINTS = {
    "(video_url)": "video is out of scope; send single pictures",
    "(input_audio)": "audio is not supported",
    "(file)": "files are not supported; send a picture as image_url",
    "(image)": "the type of a picture part is 'image_url'",
    "(input_image)": "the type of a picture part is 'image_url'",
    "(tool)": "tools are not supported",
    "(function)": "tools are not supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A request and how its answer is to be sent. end_user: the client's own name for who asks, for the log."""

    request: ChatRequest
    is_stream: bool
    include_usage: bool
    end_user: str | None


def parse_chat(body: bytes) -> Parsed:
    """Raise RequestError or OptionRefused naming the first field at fault."""
    try:
        parsed = ChatBody.model_validate_json(body)
    except ValidationError as error:
        raise _sentence(error.errors(include_url=False)[0]) from None
    if parsed.stream_options is not None and not parsed.stream:
        raise RequestError("stream_options needs stream: true", param="stream_options")
    return Parsed(
        request=ChatRequest(
            model=parsed.model,
            messages=tuple(_message(index, message) for index, message in enumerate(parsed.messages)),
            sampling=_sampling(parsed),
            thinking=_thinking(parsed),
        ),
        is_stream=bool(parsed.stream),
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        end_user=parsed.safety_identifier or parsed.user,
    )


# --- the body in the words of core ---------------------------------------------------------------------------


def _message(index: int, message: AnyMessage) -> Message:
    role = "system" if isinstance(message, SystemMessage) else message.role
    if isinstance(message.content, str):
        return Message(role=role, parts=(TextPart(text=message.content),))
    if not message.content and not isinstance(message, AssistantMessage):
        raise RequestError(f"messages[{index}].content is empty", param=f"messages[{index}].content")
    path = f"messages[{index}].content"
    return Message(role=role, parts=tuple(_part(f"{path}[{i}]", part) for i, part in enumerate(message.content)))


def _part(path: str, part: Text | Image) -> TextPart | PictureRef:
    if isinstance(part, Text):
        return TextPart(text=part.text)
    if isinstance(part.image_url, ImageUrl):
        return PictureRef(url=part.image_url.url, detail=part.image_url.detail, param=f"{path}.image_url.url")
    return PictureRef(url=part.image_url, param=f"{path}.image_url")


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


def _thinking(body: ChatBody) -> bool:
    """Three fields can say it; they must agree."""
    said: dict[str, bool] = {}
    if body.thinking is not None:
        said["thinking"] = body.thinking.type == "enabled"
    if body.chat_template_kwargs is not None and body.chat_template_kwargs.enable_thinking is not None:
        said["chat_template_kwargs"] = body.chat_template_kwargs.enable_thinking
    if body.reasoning_effort is not None:
        said["reasoning_effort"] = body.reasoning_effort not in ("none", "minimal")
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


# --- a fault in words ----------------------------------------------------------------------------------------


def _sentence(fault: ErrorDetails) -> RequestError:
    if fault["type"] == "json_invalid" or not fault["loc"]:
        return RequestError("the body must be one JSON object in UTF-8, nested at most 200 deep", code="invalid_json")
    path = _path(fault["loc"])
    top = str(fault["loc"][0])
    known = FIELDS.get(top)
    if fault["type"] == "extra_forbidden":
        return OptionRefused(f"{path} is not a field that this server knows; leave it out", param=path)
    if known is not None and known.verdict in ("met", "refused"):
        return OptionRefused(f"{top} is not supported as sent: {known.note}", param=top)
    if fault["type"] == "none_required":
        return OptionRefused(f"{path} is not supported; leave it out", param=path)
    if fault["type"].startswith("union_tag"):
        return _wrong_kind(fault, path)
    if fault["loc"][-1] == "(parts)":
        return RequestError(f"{path} must be a string or a list of parts", param=path)
    if fault["type"] == "literal_error":
        return RequestError(f"{path} must be {fault['ctx']['expected']}", param=path)
    return RequestError(f"{path} {_rule(fault['type'], fault.get('ctx', {}))}{_got(fault['input'])}", param=path)


def _wrong_kind(fault: ErrorDetails, path: str) -> RequestError:
    ctx = fault.get("ctx", {})
    named = str(ctx.get("expected_tags", "")).replace("'(", "'").replace(")'", "'")
    field = "role" if path.count(".") == 0 and path.startswith("messages") else "type"
    hint = _HINTS.get(str(ctx.get("tag", "")), "")
    sentence = f"{path}.{field} must be one of {named}" + (f": {hint}" if hint else "")
    return (OptionRefused if hint else RequestError)(sentence, param=f"{path}.{field}")


def _rule(kind: str, ctx: Mapping[str, Any]) -> str:
    """Return what a field must be, by pydantic's name of the fault."""
    bounds = {
        "greater_than": ("must be above", "gt"),
        "greater_than_equal": ("must be at least", "ge"),
        "less_than": ("must be below", "lt"),
        "less_than_equal": ("must be at most", "le"),
        "too_short": ("must have at least this many entries:", "min_length"),
        "too_long": ("must have at most this many entries:", "max_length"),
        "string_too_short": ("must have at least this many characters:", "min_length"),
        "string_too_long": ("must have at most this many characters:", "max_length"),
        "string_pattern_mismatch": ("must match", "pattern"),
    }
    if kind in bounds:
        words, key = bounds[kind]
        limit = ctx[key]
        return f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
    return {
        "missing": "is required",
        "string_type": "must be a string",
        "bool_type": "must be true or false",
        "int_type": "must be an integer",
        "int_from_float": "must be an integer",
        "int_parsing": "must be an integer",
        "int_parsing_size": "must be an integer of reasonable size",
        "float_type": "must be a number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "list_type": "must be a list",
        "dict_type": "must be an object",
        "model_type": "must be an object",
        "model_attributes_type": "must be an object",
    }.get(kind, "is not valid")


def _got(value: object) -> str:
    """Numbers are echoed; texts may be private or huge."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return f", got {value:.6g}" if abs(value) < 1e15 else ", got a far larger number"


def _path(loc: Sequence[int | str]) -> str:
    """Return `messages[0].content[1].image_url.url`; the tags of our unions, in parentheses, are no part of it."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not (step.startswith("(") and step.endswith(")")) and step != "[key]":
            path += ("." if path else "") + step[:64]
    return path
