"""Tools of a body in the words of core: what is offered, what may be called, and that results answer calls.

Raises RequestError naming the field at fault; compiles no schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from flashsight.core.errors import RequestError
from flashsight.core.tools import Calls, Tool, ToolCall
from flashsight.core.types import Message
from flashsight.server.protocol import AnyMessage, AssistantMessage, NamedTool, ToolBody, ToolChoice, ToolMessage


def tools_of(tools: Sequence[ToolBody] | None) -> tuple[Tool, ...]:
    """Return the tools; their names must differ."""
    seen: set[str] = set()
    for number, tool in enumerate(tools or ()):
        if tool.function.name in seen:
            raise RequestError(
                f"tools[{number}].function.name is taken by an earlier tool; give each its own",
                param=f"tools[{number}].function.name",
            )
        seen.add(tool.function.name)
    functions = [tool.function for tool in tools or ()]
    return tuple(Tool(name=f.name, description=f.description, parameters=f.parameters) for f in functions)


def calls_of(tools: tuple[Tool, ...], choice: ToolChoice | None, is_parallel: bool | None) -> Calls | None:
    """Return what the answer may call; a named function is called exactly once."""
    if not tools:
        if choice not in (None, "none", "auto"):
            raise RequestError("tool_choice needs tools", param="tool_choice")
        return None
    if choice == "none":
        return None
    if not isinstance(choice, NamedTool):
        return Calls(tools=tools, is_required=choice == "required", is_parallel=is_parallel is not False)
    named = tuple(tool for tool in tools if tool.name == choice.function.name)
    if not named:
        raise RequestError("tool_choice.function.name is none of the tools' names", param="tool_choice.function.name")
    return Calls(tools=named, is_required=True, is_parallel=False)


def tool_calls_of(index: int, message: AssistantMessage) -> tuple[ToolCall, ...]:
    """Return the calls of an earlier answer; their ids must differ and their arguments be JSON objects."""
    calls: list[ToolCall] = []
    for number, call in enumerate(message.tool_calls or ()):
        path = f"messages[{index}].tool_calls[{number}]"
        if any(call.id == other.id for other in calls):
            raise RequestError(f"{path}.id is that of an earlier call; give each its own", param=f"{path}.id")
        if not _is_object(call.function.arguments):
            raise RequestError(
                f"{path}.function.arguments must be the text of a JSON object", param=f"{path}.function.arguments"
            )
        calls.append(ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments))
    return tuple(calls)


def results_in_order(bodies: Sequence[AnyMessage], messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages with each call's result in the place of the call; every call has one, and nothing else does.

    The model is not told ids, so the order is what tells it which result belongs to which call.
    """
    ordered: list[Message] = []
    place = 0
    while place < len(bodies):
        body = bodies[place]
        if isinstance(body, ToolMessage):
            raise _stray(place)
        ordered.append(messages[place])
        place += 1
        calls = messages[place - 1].tool_calls
        results = dict(_results(bodies, messages, place, {call.id for call in calls})) if calls else {}
        missing = [number for number, call in enumerate(calls) if call.id not in results]
        if missing:
            path = f"messages[{place - 1}].tool_calls[{missing[0]}]"
            raise RequestError(f"{path} has no result; a message of the role 'tool' must follow", param=path)
        ordered.extend(results[call.id] for call in calls)
        place += len(results)
    return tuple(ordered)


def _results(
    bodies: Sequence[AnyMessage], messages: Sequence[Message], place: int, wanted: set[str]
) -> Iterator[tuple[str, Message]]:
    while wanted and place < len(bodies):
        body = bodies[place]
        if not isinstance(body, ToolMessage):
            return
        if body.tool_call_id not in wanted:
            raise _stray(place)
        wanted.discard(body.tool_call_id)
        yield body.tool_call_id, messages[place]
        place += 1


def _stray(place: int) -> RequestError:
    path = f"messages[{place}].tool_call_id"
    return RequestError(f"{path} is that of no call without a result in the answer just before", param=path)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
