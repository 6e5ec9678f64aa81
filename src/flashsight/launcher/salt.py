"""The salt of callers without a key, kept beside their pictures so that they find them after a restart."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flashsight.core.errors import ConfigError
from flashsight.core.types import Salt

NAME = "callers-without-key.salt"
NUM_BYTES = 32


def lasting_salt(folder: Path | None) -> Salt | None:
    """Read the folder's salt, or draw one and leave it there for its owner alone; None without a folder.

    Raises ConfigError if the folder can't be used. A salt of another length is replaced.
    """
    if folder is None:
        return None
    path = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.read_bytes() if path.is_file() else b""
        if len(found) != NUM_BYTES:
            found = secrets.token_bytes(NUM_BYTES)
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(found)
    except OSError as error:
        raise ConfigError(
            f"picture_folder {str(folder)!r} cannot be used: {error.strerror}", param="picture_folder"
        ) from None
    return Salt(found)
