"""Who may ask, decided from a presented key and whether the caller sits on this machine. Knows no HTTP.

No key configured: callers of this machine are admitted, all others only if the server is `open`.
Keys configured: every caller must present one of them, callers of this machine too, because a proxy in front of the
server makes every caller look like one of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from flashsight.core.errors import ConfigError, KeyRequired
from flashsight.core.types import Caller, Salt

_SALT_LABEL = b"flashsight cache salt v1"
_MIN_KEY_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class _Key:
    """What is kept of a key: its SHA-256 and the caller that it names. The key itself is not kept."""

    digest: bytes = field(repr=False)
    caller: Caller = field(repr=False)


class AccessPolicy:
    """Admits a caller or raises KeyRequired. Immutable; safe from any thread."""

    def __init__(self, keys: Sequence[str] = (), *, is_open: bool = False, anonymous_salt: Salt | None = None) -> None:
        """Raise ConfigError for a key that is too short to be one. anonymous_salt: of callers without a key."""
        self._keys = tuple(_remember(key) for key in keys)
        self._is_open = is_open
        self._anonymous = Caller(name="anonymous", salt=anonymous_salt or Salt(secrets.token_bytes(32)))

    @property
    def needs_key(self) -> bool:
        """True when nobody is admitted without a key."""
        return bool(self._keys)

    @property
    def is_open(self) -> bool:
        """True when callers from elsewhere are admitted without a key."""
        return self._is_open and not self._keys

    def admit(self, key: str | None, *, is_local: bool) -> Caller:
        """Return who asks. A key that was not asked for is not looked at: OpenAI's clients always send one."""
        if not self._keys:
            if is_local or self._is_open:
                return self._anonymous
            raise KeyRequired(
                "callers from other machines need an API key and this server has none configured; "
                "set api_keys, or start it with --open"
            )
        caller = self._find(key) if key else None
        if caller is None:
            what = "the API key is not one of this server's" if key else "an API key is required"
            raise KeyRequired(f"{what}; send it as 'Authorization: Bearer <key>'")
        return caller

    def _find(self, key: str) -> Caller | None:
        digest = _digest(key)
        found: Caller | None = None
        for known in self._keys:  # all are compared, so that the time tells nothing of their order
            if hmac.compare_digest(known.digest, digest):
                found = known.caller
        return found


def _remember(key: str) -> _Key:
    if len(key) < _MIN_KEY_CHARACTERS or key != key.strip():
        raise ConfigError(
            f"an API key must have at least {_MIN_KEY_CHARACTERS} characters and no spaces around it; "
            f"one of them has {len(key)}",
            param="api_keys",
        )
    digest = _digest(key)
    salt = hmac.new(key.encode(), _SALT_LABEL, hashlib.sha256).digest()
    return _Key(digest, Caller(name=f"key-{digest.hex()[:8]}", salt=Salt(salt)))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
