"""Fetches a picture from an http(s) address without becoming anybody's way into a private network.

One parser reads the address for the check and for the connection. A name is resolved once, every address it has must be
public, and the connection goes to the address that was checked; each redirect starts over. Looks into no picture.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Final

import httpx2

from flashsight.core.errors import PictureError
from flashsight.processing.addresses import Address, is_public
from flashsight.processing.references import too_large

MAX_REDIRECTS: Final = 3

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host name and a port to the addresses it has, as text."""

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
_USER: Final = re.compile(r"[^/?#]*//[^/?#]*@")
# The last label holds a letter and is no hex number: 2130706433, 0177.0.0.1, 127.1 and 0x7f.1 are no names.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?!0x)(?=[a-z0-9_-]*[a-z]){_LABEL}")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Fetcher:
    """Fetches within a byte and a time limit. `resolver` and `is_allowed` are for tests and special networks."""

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_seconds: float,
        resolver: Resolver = resolve,
        is_allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._resolver = resolver
        self._is_allowed = is_allowed
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, url: str) -> bytes:
        """Return the body. Raises PictureError: fetch_refused for the address, fetch_failed for what came of it."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._follow(parse(url))
        except TimeoutError:
            raise _failed(f"the picture did not arrive within {self._timeout_seconds:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            raise _failed("the picture's address could not be reached or broke off") from None

    async def _follow(self, url: httpx2.URL) -> bytes:
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        # No proxy or key file from the environment, and no connection kept: one made for another name is no good here.
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(
            verify=self._tls, trust_env=False, timeout=self._timeout_seconds, limits=limits
        ) as client:
            for _ in range(MAX_REDIRECTS + 1):
                found = await self._get(client, url)
                if isinstance(found, bytes):
                    return found
                url = found
        raise _failed(f"the picture's address redirects more than {MAX_REDIRECTS} times")

    async def _get(self, client: httpx2.AsyncClient, url: httpx2.URL) -> bytes | httpx2.URL:
        """Return the body, or where it says to look next."""
        address = await self._checked_address(url)
        name = url.raw_host.decode("ascii")
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": url.netloc.decode("ascii"), "Accept": "image/*", "Accept-Encoding": "identity"},
            extensions={} if _literal(name) else {"sni_hostname": name},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            if response.has_redirect_location:
                return _redirected(url, response.headers["location"])
            if response.status_code != 200:
                raise _failed(f"the picture's address answered with status {response.status_code}")
            return await self._body(response)
        finally:
            await response.aclose()

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_bytes:
                raise too_large(None, self._max_bytes)
        return bytes(body)

    async def _checked_address(self, url: httpx2.URL) -> Address:
        """Return the address to connect to, after all that the name has were checked."""
        name = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        literal = _literal(name)
        found = [literal] if literal else [ip_address(text) for text in await self._resolver(name, port)]
        if not found or not all(map(self._is_allowed, found)):
            raise _refused("the picture's address is not on the public internet")
        return found[0]


def parse(url: str) -> httpx2.URL:
    """Return the parsed address; PictureError (fetch_refused) for one that two parsers might read differently."""
    try:
        parsed = httpx2.URL(url)
        name = parsed.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError):
        raise _refused("the picture's address is malformed") from None
    if _FORBIDDEN.search(url) or parsed.scheme not in ("http", "https"):
        raise _refused("the picture's address is malformed or not http(s)")
    if _USER.match(url):
        raise _refused("the picture's address carries a user name or password")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise _refused("the port in the picture's address is none")
    if not _literal(name) and not _NAME.fullmatch(name):
        raise _refused("the host in the picture's address is not a plain name or address")
    return parsed


def _redirected(url: httpx2.URL, location: str) -> httpx2.URL:
    try:
        return parse(str(url.join(location)))
    except (httpx2.InvalidURL, ValueError):
        raise _refused("the picture's address redirects to a malformed one") from None


def _literal(name: str) -> Address | None:
    try:
        return None if "%" in name else ip_address(name)
    except ValueError:
        return None


def _refused(reason: str) -> PictureError:
    return PictureError(f"{reason}; send the picture itself as a data URL", code="fetch_refused")


def _failed(reason: str) -> PictureError:
    return PictureError(f"{reason}; send the picture itself as a data URL", code="fetch_failed")
