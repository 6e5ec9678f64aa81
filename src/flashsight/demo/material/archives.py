"""Reads the files of a Qt resource archive (.rcc, versions 2 and 3). Knows not what they are for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from flashsight.core.errors import ConfigError

_ENTRY = 22  # bytes: name, flags, then children (count, first) or country, language and place; time
_COMPRESSED, _FOLDER = 1, 2


def read_archive(path: Path) -> dict[str, bytes]:
    """Content by path inside the archive. Raises ConfigError where it is no such archive."""
    packed = path.read_bytes()
    if packed[:4] != b"qres":
        raise ConfigError(f"{path} is no Qt resource archive")
    _, tree, contents, names = struct.unpack_from(">4I", packed, 4)

    def name(offset: int) -> str:
        (length,) = struct.unpack_from(">H", packed, names + offset)
        return packed[names + offset + 6 :][: 2 * length].decode("utf-16-be")

    def files(number: int, prefix: str) -> Iterator[tuple[str, bytes]]:
        named, flags, first, second = struct.unpack_from(">IHII", packed, tree + number * _ENTRY)
        inside = prefix + (name(named) if number else "")
        if flags & _FOLDER:
            for child in range(second, second + first):
                yield from files(child, f"{inside}/" if number else "")
        else:
            (size,) = struct.unpack_from(">I", packed, contents + second)
            content = packed[contents + second + 4 :][:size]
            yield inside, zlib.decompress(content[4:]) if flags & _COMPRESSED else content

    return dict(files(0, ""))
