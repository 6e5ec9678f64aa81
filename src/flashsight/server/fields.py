"""Every field of a chat completions body and what becomes of it. The documentation and the refusals read this table.

honoured   does what OpenAI's reference says
met        the listed values already describe how this server works; every other value is refused by name
refused    every value but null (or an empty list) is refused by name
extension  not OpenAI's; honoured
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["honoured", "met", "refused", "extension"]


@dataclass(frozen=True, slots=True)
class ProtocolField:
    """What becomes of a field; `note` completes the sentence of a refusal, or says what is particular."""

    verdict: Verdict
    note: str = ""


FIELDS: dict[str, ProtocolField] = {
    "messages": ProtocolField("honoured", "roles system, developer, user, assistant, tool; pictures of user and tool"),
    "model": ProtocolField("honoured", "the served name; any other is 404"),
    "stream": ProtocolField("honoured"),
    "stream_options": ProtocolField("honoured", "include_usage; include_obfuscation only false"),
    "temperature": ProtocolField("honoured", "0 to 2; the default is 0: the likeliest answer"),
    "top_p": ProtocolField("honoured", "0 to 1; 0 means greedy"),
    "max_tokens": ProtocolField("honoured", "thinking counts; more than the context leaves is 400"),
    "max_completion_tokens": ProtocolField("honoured", "as max_tokens, and goes before it"),
    "n": ProtocolField("honoured", "1 to 16; the prompt is read once"),
    "stop": ProtocolField("honoured", "up to 16 strings of 1 to 256 characters; looked for in the answer"),
    "seed": ProtocolField("honoured", "choice i draws with seed + i"),
    "presence_penalty": ProtocolField("honoured", "-2 to 2"),
    "frequency_penalty": ProtocolField("honoured", "-2 to 2"),
    "logit_bias": ProtocolField("honoured", "token id to -100 … 100"),
    "logprobs": ProtocolField("honoured", "of the answer's tokens, not of the thinking's"),
    "top_logprobs": ProtocolField("honoured", "0 to 20; needs logprobs"),
    "response_format": ProtocolField(
        "honoured",
        "json_schema is always strict: the answer cannot be invalid, only cut where max_tokens or stop ends it",
    ),
    "reasoning_effort": ProtocolField("honoured", "none and minimal: no thinking; every other: thinking, of one depth"),
    "user": ProtocolField("honoured", "written to the request's log line, nothing else"),
    "safety_identifier": ProtocolField("honoured", "as user, and goes before it"),
    "store": ProtocolField("met", "nothing is stored; only false is accepted"),
    "service_tier": ProtocolField("met", "there is one tier; only 'auto' and 'default' are accepted"),
    "modalities": ProtocolField("met", "answers are text; only ['text'] is accepted"),
    "verbosity": ProtocolField("met", "the model has no such switch; only 'medium' is accepted"),
    "prompt_cache_key": ProtocolField("met", "one process with one cache: every prefix is found without a hint"),
    "prompt_cache_retention": ProtocolField("met", "the cache lives in memory; only 'in_memory' is accepted"),
    "parallel_tool_calls": ProtocolField("honoured", "false: at most one call"),
    "tool_choice": ProtocolField("honoured", "none, auto, required, or a function by name"),
    "function_call": ProtocolField("met", "superseded by tool_choice, send that; only 'none' and 'auto' are accepted"),
    "tools": ProtocolField("honoured", "up to 128 functions; arguments always follow `parameters`"),
    "functions": ProtocolField("refused", "superseded by tools, send those"),
    "metadata": ProtocolField(
        "honoured", "only `preset`, one of /v1/presets, and its `language`: zh (the default) or en; no chat is stored"
    ),
    "audio": ProtocolField("refused", "answers are text"),
    "moderation": ProtocolField("refused", "this server has no moderation service behind it"),
    "prediction": ProtocolField("refused", "predicted outputs are not supported"),
    "prompt_cache_options": ProtocolField("refused", "the cache works by itself and has no options per request"),
    "web_search_options": ProtocolField("refused", "this server never searches the web"),
    "top_k": ProtocolField("extension", "0 (or -1) means off"),
    "min_p": ProtocolField("extension", "0 to 1"),
    "repetition_penalty": ProtocolField("extension", "0.01 to 10; 1 means off"),
    "ignore_eos": ProtocolField("extension", "go on to max_tokens; for load tests"),
    "structured_outputs": ProtocolField("extension", "exactly one of regex (a pattern) and choice (a list of answers)"),
    "thinking": ProtocolField(
        "extension", "{'type': 'enabled' | 'disabled', 'budget_tokens': 2 or more}; the default: disabled"
    ),
    "chat_template_kwargs": ProtocolField("extension", "only {'enable_thinking': true | false}"),
}

RESPONSE_FIELDS: dict[str, ProtocolField] = {
    "model": ProtocolField("honoured", "the served name; any other is 404"),
    "input": ProtocolField("honoured", "a string, or messages with input_text and input_image; output as it came"),
    "instructions": ProtocolField("honoured", "a system message before the input"),
    "max_output_tokens": ProtocolField("honoured", "thinking counts; more than the context leaves is 400"),
    "temperature": ProtocolField("honoured", "0 to 2; the default is 0: the likeliest answer"),
    "top_p": ProtocolField("honoured", "0 to 1; 0 means greedy"),
    "text": ProtocolField("honoured", "format text, json_object or json_schema, which is always strict"),
    "reasoning": ProtocolField("honoured", "effort none and minimal: no thinking; every other: thinking, of one depth"),
    "stream": ProtocolField("honoured", "OpenAI's event names"),
    "stream_options": ProtocolField("honoured", "include_obfuscation only false"),
    "user": ProtocolField("honoured", "written to the request's log line, nothing else"),
    "safety_identifier": ProtocolField("honoured", "as user, and goes before it"),
    "metadata": ProtocolField(
        "honoured", "up to 16 texts, repeated in the reply; `preset` and its `language` name a scene as in a chat"
    ),
    "store": ProtocolField("met", "nothing is stored; only false is accepted"),
    "background": ProtocolField("met", "an answer belongs to its request; only false is accepted"),
    "truncation": ProtocolField("met", "nothing of the input is dropped; only 'disabled' is accepted"),
    "service_tier": ProtocolField("met", "there is one tier; only 'auto' and 'default' are accepted"),
    "parallel_tool_calls": ProtocolField("met", "only true is accepted; use /v1/chat/completions for tools"),
    "tool_choice": ProtocolField("met", "only 'none' and 'auto' are accepted; use /v1/chat/completions for tools"),
    "top_logprobs": ProtocolField("met", "only 0 is accepted; use /v1/chat/completions for logprobs"),
    "prompt_cache_key": ProtocolField("met", "one process with one cache: every prefix is found without a hint"),
    "prompt_cache_retention": ProtocolField("met", "the cache lives in memory; only 'in_memory' is accepted"),
    "tools": ProtocolField("refused", "use /v1/chat/completions for tools"),
    "include": ProtocolField("refused", "nothing is left out that could be included"),
    "previous_response_id": ProtocolField("refused", "nothing is stored; send the earlier turns in input"),
    "conversation": ProtocolField("refused", "nothing is stored; send the earlier turns in input"),
    "prompt": ProtocolField("refused", "no prompts are stored; send the text itself"),
    "max_tool_calls": ProtocolField("refused", "there are no built-in tools"),
    "context_management": ProtocolField("refused", "nothing is compacted; send what the model shall read"),
    "access_programs": ProtocolField("refused", "there are no such programs here"),
    "background_options": ProtocolField("refused", "an answer belongs to its request"),
    "image": ProtocolField("refused", "this server makes no pictures"),
    "moderation": ProtocolField("refused", "this server has no moderation service behind it"),
    "prompt_cache_options": ProtocolField("refused", "the cache works by itself and has no options per request"),
    "thinking": ProtocolField("extension", "as in a chat"),
    "chat_template_kwargs": ProtocolField("extension", "only {'enable_thinking': true | false}"),
}
"""The same of POST /v1/responses."""
