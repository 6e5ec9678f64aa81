"""The shapes of what comes back, for /openapi.json and whoever writes a client. Replies are not made of these.

A test holds real replies to them, so that a field which is added and not described here is found.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """No field but those that are named."""

    model_config = ConfigDict(extra="forbid")


class Fault(Shape):
    """What was wrong, the limit and the way out."""

    message: str
    type: str
    param: str | None
    code: str
    status: Annotated[int, Field(description="only in a stream, where the status line has gone out already")] = 0


class Error(Shape):
    """Every refusal and failure, and an event of a stream that breaks off."""

    error: Fault


class PromptDetails(Shape):
    """Parts of the prompt's tokens; image_cache is the coldest level that a picture's encoding came from."""

    cached_tokens: int
    image_tokens: int
    image_cache: Literal["none", "disk", "host", "device"]


class CompletionDetails(Shape):
    """Parts of the answer's tokens."""

    reasoning_tokens: int


class UsageCounts(Shape):
    """Tokens of the whole request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Stages(Shape):
    """Milliseconds of the server's clock until the first token; stages may overlap."""

    queued_ms: float
    decode_ms: float
    encode_ms: float
    prefill_ms: float
    first_token_ms: float


ImageTiles = Annotated[list[int], Field(description="tiles of each picture, where one was asked for in detail")]


class PixelBox(Shape):
    """Left, top, right and bottom in pixels of a picture as a person sees it."""

    picture: int
    box: Annotated[list[int], Field(min_length=4, max_length=4)]
    label: str | None


class LikelyToken(Shape):
    """A token with the natural logarithm of its probability."""

    token: str
    bytes: list[int]
    logprob: float


class ChosenToken(LikelyToken):
    """The token that was drawn, and the likeliest others."""

    top_logprobs: list[LikelyToken]


class Logprobs(Shape):
    """Of the answer's tokens."""

    content: list[ChosenToken]


class Called(Shape):
    """A function and its arguments, the text of a JSON object."""

    name: str
    arguments: str


class Call(Shape):
    """A call of a tool."""

    id: str
    type: Literal["function"]
    function: Called


class AnswerMessage(Shape):
    """The answer; content is null where it only calls tools."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str = ""
    tool_calls: list[Call] = []
    boxes: list[PixelBox] = []


class AnswerChoice(Shape):
    """One of the `n` answers."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class Head(Shape):
    """What all chunks of an answer share, and the whole answer has too."""

    id: str
    created: int
    model: str
    service_tier: Literal["default"]
    system_fingerprint: str


class ChatCompletion(Head):
    """A whole answer."""

    object: Literal["chat.completion"]
    choices: list[AnswerChoice]
    usage: UsageCounts
    timings: Stages
    image_tiles: ImageTiles = []


class CalledPiece(Shape):
    """The name comes first, the arguments' text in pieces."""

    name: str = ""
    arguments: str


class CallPiece(Shape):
    """A piece of call number `index`; id and type only in its first."""

    index: int
    id: str = ""
    type: Literal["function"] = "function"
    function: CalledPiece


class PieceOfAnswer(Shape):
    """What a chunk adds; the role only in a choice's first, boxes only in its last."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    reasoning_content: str = ""
    tool_calls: list[CallPiece] = []
    boxes: list[PixelBox] = []


class ChunkChoice(Shape):
    """A piece of one of the `n` answers."""

    index: int
    delta: PieceOfAnswer
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] | None


class ChatCompletionChunk(Head):
    """An event of a stream; the usage, if asked for, comes last and without choices."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]
    usage: UsageCounts | None = None
    timings: Annotated[Stages | None, Field(description="beside the usage")] = None
    image_tiles: ImageTiles = []


class TokenizeReply(Shape):
    """Ids of a prompt, and the most that prompt and answer may have together."""

    tokens: list[int]
    count: int
    max_model_len: int


class Pixels(Shape):
    """A size in pixels."""

    width: int
    height: int


class Patches(Shape):
    """A size in patches; t is 1 for a still picture."""

    t: int
    h: int
    w: int


class TilesReply(Shape):
    """How a picture is read in detail, beside its overview."""

    count: int
    rows: int
    columns: int
    resized: Pixels
    image_tokens: int


class SpentEstimate(Shape):
    """Milliseconds: decoding with encoding, and the prefill of its tokens."""

    image: float
    prefill: float


class EstimateReply(Shape):
    """What a picture would cost."""

    object: Literal["image.estimate"]
    bytes: int
    format: str
    sha256: str
    width: int
    height: int
    resized: Pixels
    grid: Patches
    image_tokens: int
    tiles: TilesReply | None
    estimated_ms: SpentEstimate | None


class FileImage(Shape):
    """The picture in a file, its size as a person sees it."""

    sha256: str
    format: str
    width: int
    height: int
    image_tokens: int


class FileReply(Shape):
    """An uploaded picture."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: Literal["vision", "user_data"]
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None
    image: FileImage


class ResponseReply(BaseModel):
    """OpenAI's response object. It repeats the request's settings beside what is named here."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None
    metadata: dict[str, str]


class FileList(Shape):
    """The caller's own files; `last_id` is the next page's `after`."""

    object: Literal["list"]
    data: list[FileReply]
    has_more: bool
    first_id: str | None
    last_id: str | None


class FileGone(Shape):
    """A file that was forgotten."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class ModelReply(Shape):
    """The served model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Shape):
    """One model."""

    object: Literal["list"]
    data: list[ModelReply]


class HealthReply(Shape):
    """The process's state: `seconds` since the start while loading, afterwards what loading took."""

    status: Literal["ok", "failed"]
    model_ready: bool
    phase: str
    phase_seconds: float
    seconds: float
    model: Annotated[str, Field(description="the checkpoint's name, once it is served")] = ""
    device: str = ""
    dtype: str = ""
    fetches: Annotated[str, Field(description="only where pictures may come by address")] = ""


class QueueReply(Shape):
    """The line for room; position and time only of a request of the caller's own that waits in it."""

    object: Literal["queue"]
    num_waiting: int
    position: Annotated[int | None, Field(description="1 is next")]
    estimated_ms: int | None


class BothLanguages(Shape):
    """The same words twice."""

    zh: str
    en: str


class PresetReply(Shape):
    """A scene."""

    name: str
    title: BothLanguages
    hint: BothLanguages
    prompt: BothLanguages
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")]
    sampling: dict[str, float]


class PresetList(Shape):
    """All scenes that a request may name."""

    object: Literal["list"]
    data: list[PresetReply]


class PlanReply(BaseModel):
    """Where every byte goes, planned before the first request, and what is in use now. More numbers may be added."""

    model_config = ConfigDict(extra="allow")

    budget_bytes: int
    weight_bytes: int
    kv_bytes: int
    picture_cache_bytes: int
    step_bytes: int
    used_bytes: int
    num_blocks: int
    block_size: int
    limits: dict[str, int]
    use: dict[str, int]
