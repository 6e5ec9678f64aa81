"""The shape of a chat completions body, with the range of every field. Says what is well formed, decides nothing else.

Unknown fields are errors. `fields.FIELDS` says in words what becomes of each field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

MAX_MESSAGES = 2048
MAX_CHOICES = 16
MAX_STOPS = 16
MAX_COUNT = 2**31 - 1

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
MAX_TOOLS = 128
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Absent = Annotated[list[Any], Field(max_length=0)] | None
"""Only null or an empty list: the field is refused."""


class Body(BaseModel):
    """Strict JSON: no coercion, no unknown field, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Text(Body):
    """A text part."""

    type: Literal["text"]
    text: str


FileId = Annotated[str, Field(pattern=r"^file-[0-9A-Za-z]{1,64}$")]


class ImageUrl(Body):
    """Where a picture is, exactly one of `url` and `file_id`.

    url: data URL, bare base64, `file-…` or `sha256:…` of an uploaded picture, or, if the server allows it, file:// and
    http(s)://.
    """

    url: Annotated[str, Field(min_length=1)] | None = None
    file_id: FileId | None = None
    detail: Literal["auto", "low", "high"] | None = None


def _kind_of_url(value: Any) -> str:
    return "(string)" if isinstance(value, str) else "(object)"


NamedPicture = Annotated[
    Annotated[str, Field(min_length=1), Tag("(string)")] | Annotated[ImageUrl, Tag("(object)")],
    Discriminator(_kind_of_url),
]
"""A picture's reference: an object, or the URL itself."""


class Image(Body):
    """A picture part."""

    type: Literal["image_url"]
    image_url: NamedPicture


class FileRef(Body):
    """An uploaded file by its id."""

    file_id: FileId


class File(Body):
    """A picture that was uploaded to /v1/files, as OpenAI names files in a question."""

    type: Literal["file"]
    file: FileRef


def _kind_of_part(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"({kind})" if isinstance(kind, str) else "(none)"


def _kind_of_content(value: Any) -> str:
    return "(string)" if isinstance(value, str) else "(parts)"


TextTag = Annotated[Text, Tag("(text)")]
ImageTag = Annotated[Image, Tag("(image_url)")]
FileTag = Annotated[File, Tag("(file)")]
Parts = Annotated[list[Annotated[TextTag | ImageTag | FileTag, Discriminator(_kind_of_part)]], Tag("(parts)")]
TextParts = Annotated[list[Text], Tag("(parts)")]
String = Annotated[str, Tag("(string)")]
Content = Annotated[String | Parts, Discriminator(_kind_of_content)]
TextContent = Annotated[String | TextParts, Discriminator(_kind_of_content)]


class SystemMessage(Body):
    """Instructions."""

    role: Literal["system", "developer"]
    content: TextContent
    name: None = None


class UserMessage(Body):
    """A question; pictures and text in any order."""

    role: Literal["user"]
    content: Content
    name: None = None


class CalledFunction(Body):
    """The function of a call and its arguments, the text of a JSON object."""

    name: ToolName
    arguments: str


class ToolCallBody(Body):
    """A call that an earlier answer asked for."""

    id: Annotated[str, Field(min_length=1, max_length=256)]
    type: Literal["function"]
    function: CalledFunction
    index: int | None = None


class ToolMessage(Body):
    """The result of a call; it may hold pictures."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Annotated[str, Field(min_length=1, max_length=256)]
    name: None = None


class AssistantMessage(Body):
    """An earlier answer, as it was given; what an OpenAI client echoes back with null is accepted.

    Its reasoning is shown to the model again only after the last question, between calls, as GLM's own template has it.
    """

    role: Literal["assistant"]
    content: TextContent | None = None
    reasoning_content: str | None = None
    name: None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    tool_calls: Annotated[list[ToolCallBody], Field(max_length=MAX_TOOLS)] | None = None
    annotations: Absent = None
    boxes: list[Any] | None = None


def _kind_of_message(value: Any) -> str:
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    if role == "developer":
        return "(system)"
    return f"({role})" if isinstance(role, str) else "(none)"


AnyMessage = Annotated[
    Annotated[SystemMessage, Tag("(system)")]
    | Annotated[UserMessage, Tag("(user)")]
    | Annotated[AssistantMessage, Tag("(assistant)")]
    | Annotated[ToolMessage, Tag("(tool)")],
    Discriminator(_kind_of_message),
]


class Function(Body):
    """A function that the model may ask for. Its arguments always follow `parameters`, strict or not."""

    name: ToolName
    description: Annotated[str, Field(max_length=16384)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolBody(Body):
    """A tool; functions are the only kind."""

    type: Literal["function"]
    function: Function


class NamedFunction(Body):
    """The name of a function."""

    name: ToolName


class NamedTool(Body):
    """The one function that must be called."""

    type: Literal["function"]
    function: NamedFunction


def _kind_of_choice(value: Any) -> str:
    return "(string)" if isinstance(value, str) else "(object)"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("(string)")] | Annotated[NamedTool, Tag("(object)")],
    Discriminator(_kind_of_choice),
]


class StreamOptions(Body):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class JsonSchema(Body):
    """A named JSON schema; `strict` is always in force."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class PlainFormat(Body):
    """Text."""

    type: Literal["text"]


class ObjectFormat(Body):
    """Any JSON object."""

    type: Literal["json_object"]


class SchemaFormat(Body):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[
    Annotated[PlainFormat, Tag("(text)")]
    | Annotated[ObjectFormat, Tag("(json_object)")]
    | Annotated[SchemaFormat, Tag("(json_schema)")],
    Discriminator(_kind_of_part),
]


class StructuredOutputs(Body):
    """Exactly one of a pattern that the whole answer matches (Rust regex) and a list of possible answers."""

    regex: Annotated[str, Field(min_length=1, max_length=16384)] | None = None
    choice: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=4096)] | None = None


class ThinkingSwitch(Body):
    """GLM's own switch."""

    type: Literal["enabled", "disabled"]


class Thinking(ThinkingSwitch):
    """The switch, and how many tokens the thinking may have, its two tags counted."""

    budget_tokens: Annotated[int, Field(ge=2, le=MAX_COUNT)] | None = None


class TemplateArguments(Body):
    """The only argument of the chat template that a request may set."""

    enable_thinking: bool | None = None


StopString = Annotated[str, Field(min_length=1, max_length=256)]
OneStop = Annotated[StopString, Tag("(string)")]
SeveralStops = Annotated[list[StopString], Field(max_length=MAX_STOPS), Tag("(list)")]


def _kind_of_stop(value: Any) -> str:
    return "(string)" if isinstance(value, str) else "(list)"


class ChatMetadata(Body):
    """Names a preset, and the language of its prompt; nothing else is kept."""

    preset: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    language: Literal["zh", "en"] | None = None


class ChatBody(Body):
    """The body of POST /v1/chat/completions."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[AnyMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    stop: Annotated[OneStop | SeveralStops, Discriminator(_kind_of_stop)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[Annotated[int, Field(ge=0, le=MAX_COUNT)], Annotated[float, Field(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: Annotated[list[Literal["text"]], Field(min_length=1, max_length=1)] | None = None
    verbosity: Literal["medium"] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory"] | None = None
    parallel_tool_calls: bool | None = None
    tool_choice: ToolChoice | None = None
    function_call: Literal["none", "auto"] | None = None
    tools: Annotated[list[ToolBody], Field(max_length=MAX_TOOLS)] | None = None
    functions: Absent = None
    metadata: ChatMetadata | None = None
    audio: None = None
    moderation: None = None
    prediction: None = None
    prompt_cache_options: None = None
    web_search_options: None = None
    top_k: Annotated[int, Field(ge=-1, le=MAX_COUNT)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=10)] | None = None
    ignore_eos: bool | None = None
    structured_outputs: StructuredOutputs | None = None
    thinking: Thinking | None = None
    chat_template_kwargs: TemplateArguments | None = None
