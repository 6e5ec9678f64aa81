"""From the words on the command line to messages: which are pictures, which is the question. Asks nobody."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from flashsight.core.errors import ConfigError, PictureError
from flashsight.core.types import Detail, JsonConstraint, Message, PictureRef, TextPart

DEFAULT_QUESTION = "请描述这张图片的内容"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".heic", ".heif")
_URLS = ("http://", "https://", "file://", "data:")


def read_question(
    words: Sequence[str], *, max_bytes: int, detail: Detail = "auto", otherwise: str | None = DEFAULT_QUESTION
) -> tuple[Message, ...]:
    """Pictures first, the question last; `otherwise` is asked without one. `-` is a picture on standard input.

    Raises PictureError for a picture that is not there, ConfigError for words that make no request.
    """
    if not words:
        raise ConfigError('nothing to ask; say for example: flashsight ask picture.jpg "这是什么?"')
    *pictures, last = words
    question: str | None = last
    if is_picture(last):
        pictures, question = list(words), otherwise
    if question is not None and not question.strip():
        raise ConfigError("the question is empty; leave it out to have the picture described")
    parts = [_reference(word, max_bytes, detail) for word in pictures]
    asked = () if question is None else (TextPart(text=question),)
    return (Message(role="user", parts=(*parts, *asked)),)


def is_picture(word: str) -> bool:
    """True if a word names a picture: a file, a URL, `-`, or what looks like a picture's file name."""
    if word == "-" or word.startswith(_URLS):
        return True
    is_name = word.lower().endswith(SUFFIXES) and len(word) < 1024
    return is_name or (len(word.encode()) < 256 and Path(word).is_file())


def read_schema(file: Path) -> JsonConstraint:
    """The JSON schema that the answer must fit. Raises ConfigError for a file that is none."""
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(f"the schema file {file} cannot be read; correct --json-schema") from None
    except ValueError as error:
        raise ConfigError(f"the schema file {file} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ConfigError(f"the schema in {file} must be a JSON object")
    return JsonConstraint(schema=schema)


def _reference(word: str, max_bytes: int, detail: Detail) -> PictureRef:
    if word.startswith(_URLS):
        return PictureRef(url=word, detail=detail, param=word[:80])
    content = _read(word, max_bytes)
    url = "data:application/octet-stream;base64," + base64.b64encode(content).decode("ascii")
    return PictureRef(url=url, detail=detail, param="standard input" if word == "-" else word)


def _read(word: str, max_bytes: int) -> bytes:
    """Read one byte more than is allowed at most: the gate then says what the limit is."""
    if word == "-":
        return sys.stdin.buffer.read(max_bytes + 1)
    path = Path(word)
    if not path.is_file():
        raise PictureError(f"there is no picture {word!r}; the question goes last, in quotes", param=word)
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError:
        raise PictureError(f"the picture {word!r} cannot be read; check its permissions", param=word) from None
