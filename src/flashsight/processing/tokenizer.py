"""Text to ids and ids to bytes, from a checkpoint's `tokenizer.json`. Runs nothing that a checkpoint brings along.

Text never becomes a special token, whoever wrote it: the encoder is built without the added tokens, so a typed
`<|image|>` is ordinary characters. Special ids are asked for by name. Knows no template and no sequence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as FastTokenizer

from flashsight.core.errors import CheckpointError

STOPS = ("<|endoftext|>", "<|user|>", "<|observation|>")
"""A turn has no end token of its own: the next role, or the end of text, ends it."""

SPOKEN = frozenset(
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "<|begin_of_box|>",
        "<|end_of_box|>",
        "<tool_call>",
        "</tool_call>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
    ]
)
"""Tags that an answer may contain. Every other special token is for prompts only."""

NEVER_SPOKEN = frozenset(
    [
        "[MASK]",
        "[gMASK]",
        "[sMASK]",
        "<sop>",
        "<eop>",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|observation|>",
        "/nothink",
        "<|image|>",
        "<|begin_of_image|>",
        "<|end_of_image|>",
        "<|video|>",
        "<|begin_of_video|>",
        "<|end_of_video|>",
        "<tool_response>",
        "</tool_response>",
    ]
)

_MOST_REMEMBERED, _LONGEST_REMEMBERED = 256, 512
"""Texts, and characters of one: the seams of a template, and questions asked about one picture after another."""

_SURROGATE = re.compile("[\\ud800-\\udfff]")


class Tokenizer:
    """A byte-level BPE tokenizer with its special tokens apart.

    path: its tokenizer.json. special: the special tokens' ids by their text. size: one more than the greatest id.
    """

    def __init__(self, files: Path) -> None:
        """Read `tokenizer.json` of the folder; CheckpointError when it is missing, damaged or of another kind."""
        self.path = files / "tokenizer.json"
        definition = _read_definition(self.path)
        added = definition.get("added_tokens") or []
        self.special: Mapping[str, int] = {token["content"]: token["id"] for token in added}
        self._hidden = {token["id"] for token in added if token.get("special")}
        self._text_of_special = {number: text for text, number in self.special.items()}
        pieces: Mapping[str, int] = definition["model"]["vocab"]
        self._pieces = {number: piece for piece, number in pieces.items()}
        self.size = 1 + max(max(self._pieces, default=0), max(self._text_of_special, default=0))
        self._encoder = _text_encoder(definition, self._text_of_special)
        self._stops = _stop_ids(files, self.special)
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._encode)

    def id_of(self, text: str) -> int:
        """Return the id of a special token; CheckpointError if this tokenizer has none of that name."""
        number = self.special.get(text)
        if number is None:
            raise CheckpointError(f"the checkpoint's tokenizer.json has no token {text!r}; it is not of the GLM family")
        return number

    def is_special(self, number: int) -> bool:
        """Tell whether an id is a special token, which visible text does not show."""
        return number in self._text_of_special

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; nothing in it is taken for a special token.

        JSON may carry halves of surrogate pairs: neighbours are joined, lone ones become U+FFFD.
        """
        if len(text) > _LONGEST_REMEMBERED:
            return self._encode(text)
        return [*self._remembered(text)]

    def _encode(self, text: str) -> list[int]:
        if _SURROGATE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids: list[int] = self._encoder.encode(text, add_special_tokens=False).ids
        return ids

    def token_bytes(self, number: int) -> bytes:
        """Return the UTF-8 bytes, perhaps of part of a character, that a token stands for; none for an unused id."""
        special = self._text_of_special.get(number)
        if special is not None:
            return special.encode()
        return bytes(_BYTE_OF[character] for character in self._pieces.get(number, ""))

    def decode(self, ids: Collection[int], *, keep_special: bool = False) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD. Special tokens vanish unless kept."""
        shown = (number for number in ids if keep_special or number not in self._text_of_special)
        return b"".join(map(self.token_bytes, shown)).decode("utf-8", "replace")

    @property
    def stop_ids(self) -> frozenset[int]:
        """The ids that end an answer: the family's and those that the checkpoint's configs name."""
        return self._stops

    def banned_ids(self, vocabulary_size: int) -> tuple[int, ...]:
        """Return the ids that an answer must never hold, of a model with that many logits.

        They are the prompt's own tokens (an answer with `<|image|>` in it would break the next turn) and rows of the
        vocabulary that no token uses.
        """
        marked = self._hidden | {number for text, number in self.special.items() if text in NEVER_SPOKEN}
        spoken = {number for text, number in self.special.items() if text in SPOKEN}
        used = self._pieces.keys() | self._text_of_special.keys()
        unused = {number for number in range(vocabulary_size) if number not in used}
        return tuple(sorted((marked | unused) - spoken - self._stops))

    def fragments(self) -> tuple[int, ...]:
        """Return the ids of tokens that are no whole characters: nothing is shown of them until the rest is there."""
        return tuple(number for number in sorted(self._pieces) if not _is_text(self.token_bytes(number)))


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_definition(path: Path) -> dict[str, Any]:
    try:
        definition: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CheckpointError(f"{path} is missing or damaged; copy the checkpoint's tokenizer.json again") from None
    kind = definition.get("model", {}).get("type", "BPE") if isinstance(definition, dict) else None
    if kind != "BPE" or not _is_byte_level(definition):
        raise CheckpointError(f"{path} holds no byte-level BPE tokenizer; only that kind, GLM's own, is supported")
    return definition


def _is_byte_level(definition: Mapping[str, Any]) -> bool:
    decoder = definition.get("decoder") or {}
    steps = decoder.get("decoders", [decoder])
    return any(step.get("type") == "ByteLevel" for step in steps)


def _text_encoder(definition: Mapping[str, Any], special: Mapping[int, str]) -> FastTokenizer:
    """Build the encoder that knows no special token, not even as an entry of the vocabulary."""
    model = definition["model"]
    hidden = {piece for piece, number in model["vocab"].items() if number in special}
    model = {
        **model,
        "vocab": {piece: number for piece, number in model["vocab"].items() if piece not in hidden},
        "merges": [pair for pair in model["merges"] if _merged(pair) not in hidden],
    }
    plain: dict[str, Any] = {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    try:
        return FastTokenizer.from_str(json.dumps({**definition, "model": model, **plain}))
    except Exception:  # the library raises bare Exception
        raise CheckpointError("the checkpoint's tokenizer.json does not load; copy it again") from None


def _merged(pair: str | list[str]) -> str:
    """Both spellings of a merge occur: `"a b"` in older files, `["a", "b"]` in newer ones."""
    return "".join(pair.split(" ", 1) if isinstance(pair, str) else pair)


def _stop_ids(files: Path, special: Mapping[str, int]) -> frozenset[int]:
    stops = {special[text] for text in STOPS if text in special}
    for name in ("generation_config.json", "config.json"):
        for section in _sections(files / name):
            named = section.get("eos_token_id")
            stops.update(named if isinstance(named, list) else [] if named is None else [named])
    return frozenset(stops)


def _sections(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []  # both files are optional here; the model's loader reads config.json strictly
    return [section for section in (content, content.get("text_config")) if isinstance(section, dict)]


def _byte_alphabet() -> dict[str, int]:
    """The printable stand-in of each byte in a byte-level vocabulary: itself, or the next free one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (value for value in range(256) if value not in printable)
    return {chr(value): value for value in printable} | {chr(256 + i): value for i, value in enumerate(others)}


_BYTE_OF = _byte_alphabet()
