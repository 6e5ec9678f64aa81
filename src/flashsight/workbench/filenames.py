"""Names of files as text that can be written anywhere. Opens no file.

Where a system's names are UTF-8, Python stands one lone surrogate for each byte of a name that is not; no encoder takes
them. Such names mostly come out of an archive that a Chinese Windows packed.
"""

from __future__ import annotations

import os
import re

_STAND_INS = re.compile("[\udc80-\udcff]")


def readable(name: str, *, encoding: str | None = "gb18030") -> str:
    """The name where it is text; else its bytes read in this encoding, or spelled out where they are not that."""
    if not _STAND_INS.search(name):
        return name
    if encoding is not None:
        try:
            return os.fsencode(name).decode(encoding)
        except UnicodeDecodeError:
            pass
    return name.encode("utf-8", "backslashreplace").decode()
