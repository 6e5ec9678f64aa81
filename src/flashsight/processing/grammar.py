"""Constraints of an answer, compiled to say which token may come next. Knows no sampling and no engine.

JSON by schema, any JSON object, a regex or a choice; llguidance does the grammar. With thinking on, the grammar sleeps
until the model closes its thinking: the first token opens it, and no end is allowed while it lasts.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Final

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from numpy.typing import NDArray

from flashsight.core.errors import SchemaError
from flashsight.core.tools import Calls
from flashsight.core.types import ChoiceConstraint, Constraint, JsonConstraint, TokenConstraint
from flashsight.processing.lazy import AfterThinking, OnceCalled
from flashsight.processing.tokenizer import Tokenizer
from flashsight.processing.toolgrammar import calls_grammar

MAX_SCHEMA_BYTES: Final = 65_536
MAX_REGEX_CHARACTERS: Final = 4_096
MAX_CHOICES: Final = 1_000
CACHED_GRAMMARS: Final = 64

# Between two tokens of JSON stands at most one space or one line break with its indent, never white space without
# end; nothing in a schema can loosen that.
_JSON_OPTIONS: Final = {
    "whitespace_flexible": True,
    "whitespace_pattern": r"\x20|\x0A\x20{0,16}",
    "lenient": False,
    "coerce_one_of": False,
}

_LIMITS: Final = {"initial_lexer_fuel": 1_000_000, "step_lexer_fuel": 200_000, "max_grammar_size": 200_000}


class GrammarCompiler:
    """Compiles constraints for one tokenizer and keeps the last ones used. Call it off the event loop; thread-safe."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._think, self._think_end = tokenizer.id_of("<think>"), tokenizer.id_of("</think>")
        self._lock = threading.Lock()
        self._vocabulary: LLTokenizer | None = None
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def compile(self, constraint: Constraint, *, thinking: bool) -> TokenConstraint:
        """Return a fresh constraint for one sequence. Raises SchemaError when it cannot be compiled or is too large."""
        grammar = _Grammar(self._matcher(_grammar_of(constraint)), self._tokenizer.size)
        if not thinking:
            return grammar
        return AfterThinking(grammar, self._think, self._think_end, self._tokenizer.stop_ids)

    def compile_calls(self, calls: Calls, constraint: Constraint | None, *, thinking: bool) -> TokenConstraint:
        """Return a constraint for one sequence that may, or must, call tools; else it follows `constraint`, if any.

        A call always has a known name and arguments by its schema. Raises SchemaError where that cannot be enforced.
        """
        grammar = _Grammar(self._matcher(_calls_grammar(calls)), self._tokenizer.size)
        if calls.is_required:
            if not thinking:
                return grammar
            return AfterThinking(grammar, self._think, self._think_end, self._tokenizer.stop_ids)
        otherwise = None if constraint is None else self.compile(constraint, thinking=thinking)
        return OnceCalled(
            grammar,
            otherwise,
            tool_call=self._tokenizer.id_of("<tool_call>"),
            think=self._think,
            think_end=self._think_end,
            thinking=thinking,
        )

    def _matcher(self, grammar: str) -> LLMatcher:
        with self._lock:
            matcher = self._compiled.get(grammar)
            if matcher is None:
                self._vocabulary = self._vocabulary or self._read_vocabulary()
                matcher = _compile(self._vocabulary, grammar)
            self._compiled[grammar] = matcher
            self._compiled.move_to_end(grammar)
            if len(self._compiled) > CACHED_GRAMMARS:
                self._compiled.popitem(last=False)
            return matcher.deep_copy()

    def _read_vocabulary(self) -> LLTokenizer:
        """Built for the first constraint, not at start: with 150,000 tokens it takes about a second."""
        definition = self._tokenizer.path.read_text(encoding="utf-8")
        stops = sorted(self._tokenizer.stop_ids)
        return LLTokenizer(definition, n_vocab=self._tokenizer.size, eos_token=stops)


class _Grammar:
    """A grammar at work on one sequence, from its first token on."""

    def __init__(self, matcher: LLMatcher, num_tokens: int) -> None:
        self._matcher = matcher
        self._words = (num_tokens + 31) // 32

    def write_mask(self, words: NDArray[np.int32]) -> None:
        assert words.dtype == np.int32, "the mask is int32"
        assert words.flags.c_contiguous, "the mask is written through its address"
        assert len(words) >= self._words, "the model's vocabulary is at least the tokenizer's"
        words[self._words :] = 0
        self._matcher.unsafe_compute_mask_ptr(words.ctypes.data, 4 * self._words)
        self._check()

    def advance(self, token: int) -> None:
        self._matcher.consume_token(token)
        self._check()

    @property
    def is_finished(self) -> bool:
        return bool(self._matcher.is_stopped())

    def _check(self) -> None:
        if self._matcher.is_error():
            raise SchemaError(
                "the answer's schema or pattern became too costly to follow; make it simpler", code="schema_too_complex"
            )


def _grammar_of(constraint: Constraint) -> str:
    """Return the constraint in llguidance's own form, its size checked."""
    if isinstance(constraint, JsonConstraint):
        return _json_grammar(constraint)
    if isinstance(constraint, ChoiceConstraint):
        return _choice_grammar(constraint.options)
    if len(constraint.pattern) > MAX_REGEX_CHARACTERS:
        raise SchemaError(
            f"the regex has {len(constraint.pattern)} characters, the limit is {MAX_REGEX_CHARACTERS}; shorten it"
        )
    try:
        return str(LLMatcher.grammar_from_regex(constraint.pattern))
    except ValueError:  # half a surrogate pair out of JSON
        raise SchemaError("the regex holds a character that does not exist; write it in whole characters") from None


def _calls_grammar(calls: Calls) -> str:
    try:
        text = calls_grammar(calls, json_options=_JSON_OPTIONS)
        grammar = str(LLMatcher.grammar_from_lark(text))
    except (TypeError, ValueError, RecursionError):
        raise SchemaError("a tool's schema is not plain JSON or is nested too deeply; simplify it") from None
    if len(text) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the tools' schemas have {len(text)} bytes, the limit is {MAX_SCHEMA_BYTES}; simplify them")
    return grammar


def _json_grammar(constraint: JsonConstraint) -> str:
    schema = {"type": "object"} if constraint.schema is None else constraint.schema
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError):
        raise SchemaError("the schema is not plain JSON or is nested too deeply; simplify it") from None
    if len(text) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the schema has {len(text)} bytes, the limit is {MAX_SCHEMA_BYTES}; simplify it")
    try:
        return str(LLMatcher.grammar_from_json_schema(text, overrides=_JSON_OPTIONS))
    except ValueError:
        raise SchemaError("the schema is no JSON object or is nested too deeply; simplify it") from None


def _choice_grammar(options: tuple[str, ...]) -> str:
    if not 1 <= len(options) <= MAX_CHOICES or not all(options):
        raise SchemaError(f"a choice has 1 to {MAX_CHOICES} options, none of them empty, got {len(options)}")
    if sum(map(len, options)) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the options of a choice have more than {MAX_SCHEMA_BYTES} characters in all; shorten them")
    return str(LLMatcher.grammar_from_lark("start: " + " | ".join(map(json.dumps, options))))


def _compile(vocabulary: LLTokenizer, grammar: str) -> LLMatcher:
    """A grammar that allows no first token is an error too, though the library only finds out on the first mask."""
    matcher = LLMatcher(vocabulary, grammar, log_level=0, limits=LLParserLimits(verbose_errors=False, **_LIMITS))
    if not matcher.is_error():
        probe = matcher.deep_copy()
        probe.compute_bitmask()
        if not probe.is_error():
            return matcher
    raise SchemaError(
        "the schema, regex or choice cannot be enforced: it is not valid, allows no answer, or uses a keyword that is "
        "not supported (such as not, oneOf, if, uniqueItems or an unknown format); anyOf, enum and $ref are supported"
    )
