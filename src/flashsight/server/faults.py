"""A fault of a body in words: pydantic finds it, the sentence is ours; nothing a user wrote is echoed but numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from flashsight.core.errors import OptionRefused, RequestError
from flashsight.server.fields import FIELDS, ProtocolField

_HINTS = {
    "(video_url)": "video is out of scope; send single pictures",
    "(input_audio)": "audio is not supported",
    "(image)": "the type of a picture part is 'image_url'",
    "(input_image)": "the type of a picture part is 'image_url'",
    "(function)": "send the result as a message of the role 'tool'",
}

_WRONG_TYPE = frozenset({"list_type", "model_type", "model_attributes_type"})
_EITHER: Mapping[int | str, str] = {
    "(parts)": "a string or a list of parts",
    "(list)": "a string or a list of strings",
    "(object)": "a string or an object",
}
"""What may stand where one of our unions stands, by the tag of what it took the value for."""

_UNKNOWN = {"metadata": "is not kept, as no chat is stored; metadata names a preset and its language, nothing else"}


def sentence(error: ValidationError, fields: Mapping[str, ProtocolField] = FIELDS) -> RequestError:
    """Return the first fault as an error that names the field, the limit and what came instead."""
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "json_invalid" or not fault["loc"]:
        return RequestError("the body must be one JSON object in UTF-8, nested at most 200 deep", code="invalid_json")
    path = _path(fault["loc"])
    top = str(fault["loc"][0])
    known = fields.get(top)
    if fault["type"] == "extra_forbidden":
        reason = _UNKNOWN.get(path.partition(".")[0], "is not a field that this server knows; leave it out")
        return OptionRefused(f"{path} {reason}", param=path)
    if known is not None and known.verdict in ("met", "refused"):
        return OptionRefused(f"{top} is not supported as sent: {known.note}", param=top)
    if fault["type"] == "none_required":
        return OptionRefused(f"{path} is not supported; leave it out", param=path)
    if fault["type"].startswith("union_tag"):
        return _wrong_kind(fault, path)
    if fault["type"] in _WRONG_TYPE and fault["loc"][-1] in _EITHER:
        return RequestError(f"{path} must be {_EITHER[fault['loc'][-1]]}{_got(fault['input'])}", param=path)
    return _broken_rule(fault, path)


def query_sentence(faults: Sequence[Any]) -> RequestError:
    """The same of an address's query, whose faults the framework finds."""
    return _broken_rule(faults[0], str(faults[0]["loc"][-1])[:64])


def refuse_unknown(request: Request, known: AbstractSet[str]) -> None:
    """Raise OptionRefused naming the first part of the address's query that is none of `known`."""
    for name in request.query_params:
        if name not in known:
            raise OptionRefused(
                f"{name[:64]!r} is not a parameter that this address knows; it takes {', '.join(sorted(known))}",
                param=name[:64],
            )


def _broken_rule(fault: ErrorDetails, path: str) -> RequestError:
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
    if isinstance(value, float) and not math.isfinite(value):
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
