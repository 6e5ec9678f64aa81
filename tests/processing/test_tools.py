"""GLM's tool format: into the prompt, out of a stream of tokens, and held by a grammar in between."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer

from flashsight.core.errors import SchemaError
from flashsight.core.tools import Calls, Tool, ToolCall
from flashsight.core.types import JsonConstraint, Message, TextPart, TokenConstraint
from flashsight.processing.grammar import GrammarCompiler
from flashsight.processing.template import ChatTemplate
from flashsight.processing.tokenizer import Tokenizer
from flashsight.processing.toolcalls import CallPiece, ToolCallReader
from tests.support.tiny import ADDED_TOKENS

PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "where"},
        "unit": {"type": "string", "enum": ["°C", "°F"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["city", "days"],
    "$defs": {"tag": {"enum": ["rain", "sun"]}},
}
WEATHER = Tool(name="weather", description="天气", parameters=PARAMETERS)
CLOCK = Tool(name="clock")


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> GrammarCompiler:
    return GrammarCompiler(tokenizer)


# --- into the prompt -----------------------------------------------------------------------------------------

OFFER = """[gMASK]<sop><|system|>
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{"type": "function", "function": {"name": "weather", "description": "天气", "parameters": {"type": "object"}}}
{"type": "function", "function": {"name": "clock"}}
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}
<arg_key>{arg-key-1}</arg_key>
<arg_value>{arg-value-1}</arg_value>
<arg_key>{arg-key-2}</arg_key>
<arg_value>{arg-value-2}</arg_value>
...
</tool_call>"""
TURNS = """<|user|>
Rain?<|assistant|>
<think>two cities</think>
Let me see.
<tool_call>weather
<arg_key>city</arg_key>
<arg_value>"München"</arg_value>
<arg_key>days</arg_key>
<arg_value>2</arg_value>
</tool_call>
<tool_call>clock
</tool_call><|observation|>
<tool_response>
wet
</tool_response>
<tool_response>
noon
</tool_response><|assistant|>
"""


def laid_out(tokenizer: Tokenizer, messages: list[Message], tools: list[Tool]) -> list[int]:
    ids: list[int] = []
    for piece in ChatTemplate(tokenizer).lay_out(messages, thinking=True, tools=tools):
        assert isinstance(piece, int | str)
        ids.extend([piece] if isinstance(piece, int) else tokenizer.encode(piece))
    return ids


def test_tools_calls_and_results_read_as_the_family_was_trained(tokenizer: Tokenizer) -> None:
    calls = (
        ToolCall(id="1", name="weather", arguments='{"city": "\\"München\\"", "days": 2}'),
        ToolCall(id="2", name="clock", arguments="{}"),
    )
    messages = [
        Message(role="user", parts=(TextPart(text="Rain?"),)),
        Message(role="assistant", parts=(TextPart(text="Let me see."),), tool_calls=calls, reasoning="two cities"),
        Message(role="tool", parts=(TextPart(text="wet"),)),
        Message(role="tool", parts=(TextPart(text="noon"),)),
    ]
    tools = [Tool(name="weather", description="天气", parameters={"type": "object"}), CLOCK]
    reference = FastTokenizer.from_file(str(tokenizer.path))
    assert laid_out(tokenizer, messages, tools) == reference.encode(OFFER + TURNS, add_special_tokens=False).ids


@given(text=st.lists(st.sampled_from([name for name, _ in ADDED_TOKENS] + ["a", "\n"]), max_size=6).map("".join))
def test_tags_typed_by_anybody_stay_text(tokenizer: Tokenizer, text: str) -> None:
    def specials(said: str) -> list[int]:
        call = ToolCall(id="1", name="f", arguments=json.dumps({"k" + said: said}))
        messages = [
            Message(role="assistant", parts=(), tool_calls=(call,)),
            Message(role="tool", parts=(TextPart(text=said),)),
        ]
        tool = Tool(name="f", description=said, parameters={"properties": {said: {}}})
        return [number for number in laid_out(tokenizer, messages, [tool]) if tokenizer.is_special(number)]

    assert specials(text) == specials("")


# --- out of a stream -----------------------------------------------------------------------------------------

NAMES = st.text(alphabet="abcXYZ_-09", min_size=1, max_size=12)
TEXTS = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('\n <>"\\{}天气😀')))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def in_pieces(tokenizer: Tokenizer, text: str, draw: random.Random) -> list[int]:
    """Ids of a text as a model may write it: cut anywhere, even inside a character."""
    if draw.random() < 0.5:
        cuts = sorted(draw.randrange(len(text) + 1) for _ in range(3))
        return [i for a, b in zip([0, *cuts], [*cuts, None], strict=True) for i in tokenizer.encode(text[a:b])]
    single = {tokenizer.token_bytes(number): number for number in range(300)}
    return [single[bytes([byte])] for byte in text.encode()]


def spoken(tokenizer: Tokenizer, name: str, arguments: dict[str, tuple[Any, bool]], draw: random.Random) -> list[int]:
    tag = tokenizer.id_of
    ids = [tag("<tool_call>"), *in_pieces(tokenizer, name + "\n", draw)]
    for key, (value, is_bare) in arguments.items():
        ids += [tag("<arg_key>"), *in_pieces(tokenizer, key, draw), tag("</arg_key>"), *tokenizer.encode("\n")]
        text = value if is_bare else json.dumps(value, ensure_ascii=draw.random() < 0.5)
        ids += [tag("<arg_value>"), *in_pieces(tokenizer, text, draw), tag("</arg_value>"), *tokenizer.encode("\n")]
    return [*ids, tag("</tool_call>")]


def joined(pieces: list[CallPiece]) -> list[tuple[str, Any]]:
    calls: list[tuple[str, str]] = []
    for piece in pieces:
        if piece.call == len(calls):
            assert piece.id is not None
            assert piece.name is not None
            calls.append((piece.name, piece.arguments))
        else:
            assert (piece.id, piece.name) == (None, None)
            calls[piece.call] = (calls[piece.call][0], calls[piece.call][1] + piece.arguments)
    return [(name, json.loads(arguments)) for name, arguments in calls]


ARGUMENTS = st.one_of(st.tuples(TEXTS, st.just(True)), st.tuples(VALUES, st.just(False)))
CALLS = st.tuples(NAMES, st.dictionaries(TEXTS, ARGUMENTS, max_size=4))


@given(calls=st.lists(CALLS, min_size=1, max_size=3, unique_by=lambda call: call[0]), seed=st.integers())
def test_any_call_is_read_back_however_its_text_was_cut_into_tokens(
    tokenizer: Tokenizer, calls: list[tuple[str, dict[str, tuple[Any, bool]]]], seed: int
) -> None:
    draw = random.Random(seed)
    tools = []
    for name, arguments in calls:
        strings = {key: {"type": "string"} for key, (_, is_bare) in arguments.items() if is_bare}
        tools.append(Tool(name=name, parameters={"properties": strings}))
    reader, pieces = ToolCallReader(tokenizer, tools), list[CallPiece]()
    for name, arguments in calls:
        for token in spoken(tokenizer, name, arguments, draw):
            assert reader.takes(token)
            pieces += reader.push(token)
        assert not reader.takes(tokenizer.encode("\n")[0])
    expected = [(name, {key: value for key, (value, _) in arguments.items()}) for name, arguments in calls]
    assert joined(pieces) == expected
    ids = [piece.id for piece in pieces if piece.id is not None]
    assert len(set(ids)) == len(ids) == reader.num_calls == len(calls)


# --- held by a grammar ---------------------------------------------------------------------------------------


def allowed(tokenizer: Tokenizer, constraint: TokenConstraint) -> list[int]:
    words = np.full((tokenizer.size + 10 + 31) // 32, 0, np.int32)
    constraint.write_mask(words)
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist()


def walk(tokenizer: Tokenizer, constraint: TokenConstraint, seed: int, first: list[int]) -> list[int] | None:
    """Draw among what is allowed, tags first so that it ends, until the end; None if it does not end in time."""
    draw = random.Random(seed)
    ids: list[int] = []
    for _ in range(600):
        free = allowed(tokenizer, constraint)
        tags = [token for token in free if tokenizer.is_special(token)]
        token = first.pop(0) if first else draw.choice(tags if tags and draw.random() < 0.4 else free)
        assert token in free
        if token in tokenizer.stop_ids:
            return ids
        ids.append(token)
        constraint.advance(token)
    return None


@pytest.mark.parametrize("mode", ["required", "auto", "single", "thinking"])
def test_random_walks_call_known_tools_with_arguments_by_their_schema(
    tokenizer: Tokenizer, compiler: GrammarCompiler, mode: str
) -> None:
    tools = (WEATHER, CLOCK)
    calls = Calls(tools=tools, is_required=mode != "auto", is_parallel=mode != "single")
    think = [tokenizer.id_of("<think>"), tokenizer.encode("a")[0], tokenizer.id_of("</think>")]
    first = {"auto": [*tokenizer.encode("So"), tokenizer.id_of("<tool_call>")], "thinking": think}.get(mode, [])
    num_ended = 0
    for seed in range(30):
        constraint = compiler.compile_calls(calls, None, thinking=mode == "thinking")
        ids = walk(tokenizer, constraint, seed, list(first))
        if ids is None:
            continue
        num_ended += 1
        reader, pieces = ToolCallReader(tokenizer, tools), list[CallPiece]()
        for token in ids:
            pieces += reader.push(token) if reader.takes(token) else []
        read = joined(pieces)
        assert 1 <= len(read) <= (1 if mode == "single" else 16)
        for name, arguments in read:
            assert name in ("weather", "clock")
            jsonschema.validate(arguments, PARAMETERS if name == "weather" else {"maxProperties": 0})
    assert num_ended > 10


def test_an_answer_that_may_call_follows_its_schema_when_it_does_not(
    tokenizer: Tokenizer, compiler: GrammarCompiler
) -> None:
    begin = tokenizer.id_of("<tool_call>")
    constraint = compiler.compile_calls(Calls(tools=(CLOCK,)), JsonConstraint(schema={"const": {}}), thinking=False)
    assert set(allowed(tokenizer, constraint)) >= {begin, tokenizer.encode("{")[0]}
    constraint.advance(tokenizer.encode("{")[0])
    assert begin not in allowed(tokenizer, constraint)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "array"},
        {"required": ["x"]},
        {"properties": {"": {}}},
        {"properties": {"x": {"type": "nonsense"}}},
        {"properties": {"x": {"not": {}}}},
        {"properties": {"x": {"type": "integer", "description": "d" * 70_000}}},
    ],
)
def test_parameters_that_cannot_be_enforced_are_a_schema_error(
    compiler: GrammarCompiler, parameters: dict[str, Any]
) -> None:
    with pytest.raises(SchemaError):
        compiler.compile_calls(Calls(tools=(Tool(name="f", parameters=parameters),)), None, thinking=False)
