"""Builds nano's tokenizer: a byte-level BPE whose merges are written down, not left to chance.

One token for each character of GB 2312's first level and for each further character that the demo's texts use; digits
single; a few hundred short Latin pieces learned from those texts; bytes for everything else, so any text comes back
unchanged. GLM's special tokens follow in GLM's order. Knows nothing of pictures and of training.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from flashsight.core.errors import ConfigError

# GLM-4.6V's added tokens in the order of their ids (151329 and up there); True: hidden by skip_special_tokens.
SPECIAL_TOKENS: Mapping[str, bool] = {
    "<|endoftext|>": True,
    "[MASK]": True,
    "[gMASK]": True,
    "[sMASK]": True,
    "<sop>": True,
    "<eop>": True,
    "<|system|>": True,
    "<|user|>": True,
    "<|assistant|>": True,
    "<|observation|>": True,
    "<|begin_of_image|>": True,
    "<|end_of_image|>": True,
    "<|begin_of_video|>": True,
    "<|end_of_video|>": True,
    "<|begin_of_audio|>": True,
    "<|end_of_audio|>": True,
    "<|begin_of_transcription|>": True,
    "<|end_of_transcription|>": True,
    "<|code_prefix|>": True,
    "<|code_middle|>": True,
    "<|code_suffix|>": True,
    "<think>": False,
    "</think>": False,
    "<tool_call>": False,
    "</tool_call>": False,
    "<tool_response>": False,
    "</tool_response>": False,
    "<arg_key>": False,
    "</arg_key>": False,
    "<arg_value>": False,
    "</arg_value>": False,
    "/nothink": True,
    "<|begin_of_box|>": False,
    "<|end_of_box|>": False,
    "<|image|>": True,
    "<|video|>": True,
}

# Words with the space before them, digits and other letters one by one, runs of signs, runs of white space.
WORDS = r" ?[A-Za-z]+|\p{N}|\p{L}| ?[^\s\p{L}\p{N}]+|\s+"

SIGNS = "，。、；：？！…—·“”‘’（）《》〈〉【】「」『』〔〕～￥％＋－＝＜＞／＆＃＠＊｜"
MARKS = "°×÷±¥€£©®™²³½→←↑↓↗↘✓✔✗✕✖★☆●○■□▲△▼▽◆◇♥♡•≤≥≈≠∞§№℃‰⚠ℹ−–"
FULL_WIDTH = "０１２３４５６７８９"

MAX_PIECE = 4


def common_characters() -> str:
    """The 3,755 characters of GB 2312's first level (rows 16 to 55), in that standard's order."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return "".join(code.decode("gb2312", errors="ignore") for code in codes)


def latin_pieces(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Merges of the `count` most useful Latin pieces of at most four characters, learned from the texts as BPE does."""
    words = Counter(word for text in texts for word in re.findall(r" ?[A-Za-z]+|[!-/:-@\[-`{-~]{2,}", text))
    splits = {word: list(word) for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in splits.items():
            for pair in pairwise(parts):
                if len(pair[0]) + len(pair[1]) <= MAX_PIECE:
                    pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        splits = {word: _merged(parts, best) for word, parts in splits.items()}
    return merges


def build_tokenizer(texts: Iterable[str], *, size: int = 4864) -> Tokenizer:
    """Make a tokenizer of at most `size` tokens for the demo's texts. The same texts give the same ids.

    Latin pieces fill what bytes, characters and special tokens leave of the size.
    """
    texts = list(texts)
    known = common_characters() + SIGNS + MARKS + FULL_WIDTH
    extra = sorted({character for text in texts for character in text if not character.isascii()} - set(known))
    alphabet = _byte_alphabet()
    vocabulary = {alphabet[value]: value for value in range(256)}
    merges: list[tuple[str, str]] = []

    def merge(left: str, right: str) -> None:
        if left + right not in vocabulary:
            vocabulary[left + right] = len(vocabulary)
            merges.append((left, right))

    for character in [*known, *extra]:
        piece, *rest = (alphabet[value] for value in character.encode())
        for following in rest:
            merge(piece, following)
            piece += following
    num_pieces = size - len(vocabulary) - len(SPECIAL_TOKENS)
    if num_pieces < 0:
        raise ConfigError(f"size must be at least {size - num_pieces} for the characters of these texts, got {size}")
    for left, right in latin_pieces(texts, num_pieces):
        merge(left.replace(" ", alphabet[ord(" ")]), right)

    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(WORDS), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    for text, is_special in SPECIAL_TOKENS.items():
        tokenizer.add_tokens([AddedToken(text, special=is_special, normalized=False)])
    return tokenizer


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte: itself where it prints, else the next free code point from 256 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(value if value in printable else next(spare)) for value in range(256)]
