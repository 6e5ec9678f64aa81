"""Calls of tools as a grammar: the tags are tokens, a plain string stands bare, every other value is JSON.

Knows no engine. `is_bare` says which values stand bare; whoever reads calls must ask it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flashsight.core.errors import SchemaError
from flashsight.core.tools import Calls, Tool

MOST_CALLS: Final = 16
"""Calls of one answer, so that a model that cannot stop is stopped."""

_BARE_KEYS: Final = frozenset({"type", "description", "title", "default", "examples", "enum", "const", "deprecated"})
_SHARED_KEYS: Final = ("$defs", "definitions")


def is_bare(schema: object) -> bool:
    """Tell whether values of this schema are strings that stand as they are: strings free or out of a list."""
    if not isinstance(schema, Mapping) or schema.get("type") != "string" or not schema.keys() <= _BARE_KEYS:
        return False
    return all(isinstance(option, str) and option for option in _options(schema))


def properties_of(tool: Tool) -> Mapping[str, Any]:
    """Return the schemas of a tool's parameters by name, none if it declares none."""
    declared = (tool.parameters or {}).get("properties")
    return declared if isinstance(declared, Mapping) else {}


def calls_grammar(calls: Calls, *, json_options: Mapping[str, object]) -> str:
    """Return the grammar (llguidance's Lark) of one or more calls. Raises SchemaError naming the tool at fault."""
    rules = [f"call_{number}: {_call(number, tool, json_options)}" for number, tool in enumerate(calls.tools)]
    choice = " | ".join(f"call_{number}" for number in range(len(calls.tools)))
    more = f' ("\\n" call){{0,{MOST_CALLS - 1}}}' if calls.is_parallel else ""
    return "\n".join([f'start: "\\n"? call{more}', f"call: {choice}", *rules, r"TEXT: /(.|\n)*/"])


def _call(number: int, tool: Tool, json_options: Mapping[str, object]) -> str:
    path = f"tools[{number}].function.parameters"
    parameters = tool.parameters or {}
    required = parameters.get("required", [])
    properties = properties_of(tool)
    if parameters.get("type", "object") != "object":
        raise SchemaError(f"{path} of {tool.name!r} must describe an object", param="tools")
    if not isinstance(required, list) or not all(isinstance(key, str) and key in properties for key in required):
        raise SchemaError(f"{path} of {tool.name!r} requires a parameter that it does not declare", param="tools")
    pieces = [f"<tool_call> {json.dumps(tool.name + chr(10))}"]
    for key, schema in properties.items():
        if not key:
            raise SchemaError(f"{path} of {tool.name!r} declares a parameter without a name", param="tools")
        argument = " ".join(_argument(key, schema, parameters, json_options))
        pieces.append(argument if key in required else f"({argument})?")
    return " ".join([*pieces, "</tool_call>"])


def _argument(
    key: str, schema: Any, parameters: Mapping[str, Any], json_options: Mapping[str, object]
) -> Iterator[str]:
    yield f'<arg_key> {json.dumps(key)} </arg_key> "\\n" <arg_value>'
    if is_bare(schema):
        options = _options(schema)
        yield "(" + " | ".join(json.dumps(option) for option in options) + ")" if options else "TEXT"
    else:
        own = dict(schema) if isinstance(schema, Mapping) else {} if schema is True else {"not": {}}
        shared = {name: parameters[name] for name in _SHARED_KEYS if name in parameters}
        yield "%json " + json.dumps({**shared, **own, "x-guidance": dict(json_options)})
    yield '</arg_value> "\\n"'


def _options(schema: Mapping[str, Any]) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    options = schema.get("enum", [])
    return list(options) if isinstance(options, list) else [None]
