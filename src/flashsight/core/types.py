"""What travels along the way of a request, each a frozen dataclass. Knows no HTTP, no tensor and no tokenizer.

ChatRequest -> [media gate] -> Conversation -> ModelInput -> (engine) TokenEvent -> Delta
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType, Protocol

from flashsight.core.tools import Calls, Tool, ToolCall

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
Detail = Literal["auto", "low", "high"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
PictureFormat = Literal["jpeg", "png", "webp", "gif", "bmp", "heic"]
CacheLevel = Literal["none", "disk", "host", "device"]

PictureKey = NewType("PictureKey", str)
"""sha256 of the bytes + the processing settings: equal keys mean equal encoder output for one set of weights."""

Region = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of a picture, in pixels of the turned original."""

Salt = NewType("Salt", bytes)
"""Derived on the server from the caller's key; it opens every block-hash chain, so tenants share no prefix."""


# --- what a request says -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Text of a message. It is tokenised with special tokens disabled, whoever wrote it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRef:
    """A picture as the request names it: data URL, bare base64, `file://`, `http(s)://`; not looked at yet.

    `param` is the path of the field in the request, such as `messages[0].content[1].image_url.url`.
    """

    url: str = field(repr=False)
    detail: Detail = "auto"
    param: str = "image_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture that passed the gate: its bytes, their hash, and what the header says (not decoded yet).

    width and height are pixels of the picture as stored, before its EXIF orientation (1..8) is applied.
    """

    content: bytes = field(repr=False)
    sha256: str
    format: PictureFormat
    width: int
    height: int
    orientation: int = 1

    @property
    def turned_size(self) -> tuple[int, int]:
        """(width, height) in pixels as a person sees the picture, EXIF orientation applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePart:
    """A picture of a message, past the gate. region: the only part of it that is meant, None for all of it."""

    media: Media
    detail: Detail = "auto"
    param: str = "image_url"
    region: Region | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. Before the media gate its pictures are PictureRef, after it PicturePart.

    Of an assistant's turn: tool_calls in their order, and its reasoning. The turns of the role `tool` that follow
    carry the results in the same order.
    """

    role: Role
    parts: tuple[TextPart | PictureRef | PicturePart, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonConstraint:
    """The answer is JSON; `schema` None means any object."""

    schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexConstraint:
    """The whole answer matches the pattern (Rust regex syntax)."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceConstraint:
    """The answer is one of these strings."""

    options: tuple[str, ...]


Constraint = JsonConstraint | RegexConstraint | ChoiceConstraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How an answer is drawn: the protocol's own options, already checked against their ranges.

    max_tokens None means what the context leaves. temperature 0 is greedy. `stop` strings end the answer and are
    not part of it. `logit_bias` speaks of token ids. `seed` None draws a fresh one. `thinking_tokens` bounds the
    thinking, its two tags counted; None: only max_tokens does. `calls` None: the answer calls no tool.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    n: int = 1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    constraint: Constraint | None = None
    thinking_tokens: int | None = None
    calls: Calls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A parsed request body. Its pictures are still references."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    thinking: bool = False
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a public name for logs (never the key) and the salt of its caches."""

    name: str
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a ChatBackend answers: messages whose pictures passed the gate, and the tools that the model is told of."""

    messages: tuple[Message, ...]
    caller: Caller
    request_id: str
    thinking: bool = False
    tools: tuple[Tool, ...] = ()


# --- what the model reads ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A picture in patches: t frames (1 for a still picture), h rows, w columns; h and w are multiples of merge."""

    t: int
    h: int
    w: int

    @property
    def num_patches(self) -> int:
        """Rows that the encoder reads."""
        return self.t * self.h * self.w


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureInput:
    """One picture of a prompt: its place among the ids, and how to get its pixels if no cache has its features.

    Its tokens are ids [start, start + num_tokens). `load` decodes on a thread of the caller's choice and returns
    uint8 pixels [height, width, 3] of the turned original or of a tile of it, or raises UnreadablePicture.
    `resized` is the (height, width) in pixels that the encoder sees. `param` is the request's field that named it.
    """

    key: PictureKey
    grid: Grid
    resized: tuple[int, int]
    start: int
    num_tokens: int
    load: Callable[[], NDArray[np.uint8]] = field(repr=False)
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelInput:
    """A prompt as the engine reads it.

    ids: int64 [L]. positions: int64 [3, L], the M-RoPE rows (time, height, width).
    delta: the position of generated token i (0-based index in the whole sequence) is i + delta on all three rows.
    pictures are in the order of their places.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    delta: int
    pictures: tuple[PictureInput, ...] = ()


class TokenConstraint(Protocol):
    """A grammar at work on one sequence: says which token may come next. Made by processing, driven by the engine."""

    def write_mask(self, words: NDArray[np.int32]) -> None:
        """Write the allowed tokens into int32 [ceil(V / 32)], bit i of word w standing for token 32 * w + i."""

    def advance(self, token: int) -> None:
        """Take the token that was chosen."""

    @property
    def is_finished(self) -> bool:
        """True when only the end of the answer may follow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenSampling:
    """Sampling as the engine understands it: token ids only, no strings, one sequence.

    stop_ids end the sequence and are not published; banned_ids are never drawn; max_tokens is at least 1.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    num_logprobs: int | None = None
    max_tokens: int = 1
    stop_ids: frozenset[int] = frozenset()
    banned_ids: tuple[int, ...] = ()
    constraint: TokenConstraint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """Natural logarithm of a token's probability, before temperature and truncation, after bias and penalties."""

    token: int
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time to the first token went, in seconds of the server's clock. Stages may overlap."""

    queued_seconds: float = 0.0
    decode_seconds: float = 0.0
    encode_seconds: float = 0.0
    prefill_seconds: float = 0.0
    first_token_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStats:
    """What the engine found in its caches for one sequence.

    cached_tokens of prompt_tokens came from the prefix cache; picture_level is the worst level among the pictures.
    """

    prompt_tokens: int
    picture_tokens: int
    cached_tokens: int
    picture_level: CacheLevel
    timings: Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """One step of one sequence, as the engine publishes it.

    token None only with a finish. A stop id is reported as finish "stop" without a token. `stats` comes with the first
    event. top is sorted by falling logprob and empty unless asked for.
    """

    token: int | None
    logprob: TokenLogprob | None = None
    top: tuple[TokenLogprob, ...] = ()
    finish: Literal["stop", "length"] | None = None
    stats: PromptStats | None = None


# --- what comes back -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLogprob:
    """A token's text and UTF-8 bytes with its logprob, and the likeliest others at that place."""

    token: str
    token_bytes: bytes
    logprob: float
    top: tuple[TextLogprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box that the answer speaks of, in pixels of the turned original: left, top, right, bottom."""

    picture: int
    left: int
    top: int
    right: int
    bottom: int
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of the answer of choice `index`; never half a character."""

    index: int
    text: str
    logprobs: tuple[TextLogprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """A piece of the thinking of choice `index`."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of call number `call` of choice `index`: its id and name first, then its arguments' JSON in pieces."""

    index: int
    call: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Choice `index` has ended. boxes are those its whole answer named."""

    index: int
    reason: FinishReason
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counts of the whole request, last in a stream. cached_tokens and picture_tokens are parts of prompt_tokens.

    picture_tiles: how many tiles each picture was read in beside its overview; empty where no detail was asked for.
    """

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    picture_tokens: int
    cached_tokens: int
    picture_level: CacheLevel
    timings: Timings
    picture_tiles: tuple[int, ...] = ()


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Finish | Usage
