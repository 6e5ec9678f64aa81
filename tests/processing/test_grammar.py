from __future__ import annotations

import json
import random
import re
from typing import Any

import jsonschema
import numpy as np
import pytest

from flashsight.core.errors import SchemaError
from flashsight.core.types import ChoiceConstraint, Constraint, JsonConstraint, RegexConstraint, TokenConstraint
from flashsight.processing.grammar import CACHED_GRAMMARS, MAX_SCHEMA_BYTES, GrammarCompiler
from flashsight.processing.tokenizer import Tokenizer

PRODUCT = {
    "type": "object",
    "properties": {
        "category": {"enum": ["杯子", "cup"]},
        "price": {"type": "integer", "minimum": 0, "maximum": 999},
        "key_features": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 1, "maxItems": 2},
        "in_stock": {"type": "boolean"},
    },
    "required": ["category", "price", "key_features", "in_stock"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> GrammarCompiler:
    return GrammarCompiler(tokenizer)


def allowed(tokenizer: Tokenizer, constraint: TokenConstraint) -> list[int]:
    """The ids whose bit is set, of a model with more logits than the tokenizer has tokens."""
    words = np.full((tokenizer.size + 10 + 31) // 32, -1, np.int32)
    constraint.write_mask(words)
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist()


def random_answer(tokenizer: Tokenizer, constraint: TokenConstraint, seed: int) -> str | None:
    """Draw among the allowed tokens until the grammar ends; None if it does not end in time."""
    draw = random.Random(seed)
    ids: list[int] = []
    for _ in range(400):
        choice = draw.choice(allowed(tokenizer, constraint))
        if choice in tokenizer.stop_ids:
            return tokenizer.decode(ids)
        ids.append(choice)
        constraint.advance(choice)
        assert choice < tokenizer.size
    return None


def test_random_walks_give_json_that_its_schema_accepts(tokenizer: Tokenizer, compiler: GrammarCompiler) -> None:
    answers = [
        random_answer(tokenizer, compiler.compile(JsonConstraint(schema=PRODUCT), thinking=False), seed)
        for seed in range(40)
    ]
    ended = [answer for answer in answers if answer is not None]
    assert len(ended) > 20
    for answer in ended:
        jsonschema.validate(json.loads(answer), PRODUCT)


@pytest.mark.parametrize("pattern", [r"[0-9]{3}-[a-c]+", r"(ja|nein)!?", r"[一-二]{2,4}"])
def test_a_random_walk_matches_its_regex(tokenizer: Tokenizer, compiler: GrammarCompiler, pattern: str) -> None:
    answers = [
        random_answer(tokenizer, compiler.compile(RegexConstraint(pattern=pattern), thinking=False), seed)
        for seed in range(20)
    ]
    assert any(answers)
    assert all(re.fullmatch(pattern, answer) for answer in answers if answer is not None)


def test_a_choice_gives_one_of_its_options_whatever_characters_they_have(
    tokenizer: Tokenizer, compiler: GrammarCompiler
) -> None:
    options = ("yes", "yes please", 'a"b\\c\n', "中文", "😀", "/x/", "$&(")
    answers = {
        random_answer(tokenizer, compiler.compile(ChoiceConstraint(options=options), thinking=False), seed)
        for seed in range(60)
    }
    assert answers == set(options)


def take(tokenizer: Tokenizer, constraint: TokenConstraint, text: str) -> bool:
    for token in tokenizer.encode(text):
        if token not in allowed(tokenizer, constraint):
            return False
        constraint.advance(token)
    return True


@pytest.mark.parametrize("text", ['{"a":1}', '{"a": 1, "b": [true, null]}', '{\n  "a": "x"\n}', "{}"])
def test_any_object_is_any_json_object_compact_or_indented(
    tokenizer: Tokenizer, compiler: GrammarCompiler, text: str
) -> None:
    constraint = compiler.compile(JsonConstraint(schema=None), thinking=False)
    assert not constraint.is_finished
    assert take(tokenizer, constraint, text)
    assert constraint.is_finished
    assert set(allowed(tokenizer, constraint)) == set(tokenizer.stop_ids)


@pytest.mark.parametrize("text", ["[1]", "1", " {}", "{" + " " * 40, "{  ", "{\n\n", "{'a'"])
def test_any_object_is_nothing_else(tokenizer: Tokenizer, compiler: GrammarCompiler, text: str) -> None:
    assert not take(tokenizer, compiler.compile(JsonConstraint(schema=None), thinking=False), text)


def test_with_thinking_on_the_grammar_wakes_after_the_thinking(tokenizer: Tokenizer, compiler: GrammarCompiler) -> None:
    constraint = compiler.compile(ChoiceConstraint(options=("red",)), thinking=True)
    think, end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
    assert allowed(tokenizer, constraint) == [think]
    constraint.advance(think)
    for token in tokenizer.encode("any words 你好"):
        free = allowed(tokenizer, constraint)
        assert {token, end} <= set(free)
        assert not set(free) & tokenizer.stop_ids
        assert not constraint.is_finished
        constraint.advance(token)
    constraint.advance(end)
    assert not take(tokenizer, compiler.compile(ChoiceConstraint(options=("red",)), thinking=False), "blue")
    assert take(tokenizer, constraint, "red")
    assert constraint.is_finished


def test_sequences_do_not_share_their_place_in_a_grammar(tokenizer: Tokenizer, compiler: GrammarCompiler) -> None:
    first = compiler.compile(ChoiceConstraint(options=("red",)), thinking=False)
    assert take(tokenizer, first, "red")
    second = compiler.compile(ChoiceConstraint(options=("red",)), thinking=False)
    assert first.is_finished
    assert take(tokenizer, second, "red")


DEEP: dict[str, Any] = {"type": "integer"}
for _ in range(300):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    "constraint",
    [
        JsonConstraint(schema={"type": "nonsense"}),
        JsonConstraint(schema={"$ref": "#/nowhere"}),
        JsonConstraint(schema={"$ref": "#"}),
        JsonConstraint(schema={"$ref": "http://example.com/schema"}),
        JsonConstraint(schema={"not": {"type": "string"}}),
        JsonConstraint(schema={"not": {"type": "string"}, "x-guidance": {"lenient": True}}),
        JsonConstraint(schema={"type": "string", "pattern": "(a"}),
        JsonConstraint(schema={"type": "string", "format": "secret-format"}),
        JsonConstraint(schema={"enum": ["x" * MAX_SCHEMA_BYTES]}),
        JsonConstraint(schema={"const": {1, 2}}),
        JsonConstraint(schema=DEEP),
        JsonConstraint(schema={"const": "\ud83d"}),
        RegexConstraint(pattern="\ud83d"),
        ChoiceConstraint(options=("\ud83d",)),
        RegexConstraint(pattern="(a"),
        RegexConstraint(pattern="(" * 2000 + ")" * 2000),
        RegexConstraint(pattern="a" * 5000),
        ChoiceConstraint(options=()),
        ChoiceConstraint(options=("a", "")),
        ChoiceConstraint(options=("a",) * 1001),
        ChoiceConstraint(options=("a" * 40_000, "b" * 40_000)),
    ],
)
def test_what_cannot_be_enforced_is_refused_in_our_own_words(compiler: GrammarCompiler, constraint: Constraint) -> None:
    with pytest.raises(SchemaError) as caught:
        compiler.compile(constraint, thinking=False)
    assert caught.value.code == "invalid_schema"
    assert "secret-format" not in caught.value.message
    assert len(caught.value.message) < 300


def test_only_the_last_grammars_used_are_kept(tokenizer: Tokenizer) -> None:
    compiler = GrammarCompiler(tokenizer)
    for number in range(CACHED_GRAMMARS + 20):
        compiler.compile(ChoiceConstraint(options=(f"option {number}",)), thinking=False)
    assert len(compiler._compiled) == CACHED_GRAMMARS
