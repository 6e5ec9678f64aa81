"""Where the service listens, how people reach it, and the key that a reachable address needs. Starts nothing."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import replace
from pathlib import Path

from flashsight.core.config import ServerConfig
from flashsight.core.errors import ConfigError

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a bound, listening socket. Raises ConfigError when the port is taken or the host is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror:
        raise ConfigError(
            f"host {host!r} is no address of this machine; use 127.0.0.1 or 0.0.0.0", param="host"
        ) from None
    except PermissionError:
        raise ConfigError(f"port {port} needs more rights; choose one above 1023 with --port", param="port") from None
    except OSError as error:
        if not _is_taken(error):
            raise ConfigError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port", param="host"
            ) from None
        raise ConfigError(
            f"port {port} on {host} is in use by another program; stop it, or choose another port with "
            f"--port {port + 1 if port < 65535 else 0} (0 takes a free one)",
            param="port",
            code="port_in_use",
        ) from None
    # Connections inherit it. Without it a reply's second packet waits for the first to be acknowledged, some 40 ms; and
    # asyncio sets it only on sockets of its own making.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _is_taken(error: OSError) -> bool:
    import errno

    return error.errno == errno.EADDRINUSE


def is_loopback(host: str) -> bool:
    """True if only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def local_url(host: str, port: int) -> str:
    """How this machine reaches the service."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def reachable_urls(host: str, port: int) -> list[str]:
    """How people reach the service: from this machine first, then from others if they can."""
    urls = [local_url(host, port)]
    if host in ("0.0.0.0", "::") and (address := _outward_address()) is not None:  # noqa: S104
        urls.append(local_url(address, port))
    return urls


def _outward_address() -> str | None:
    """The address that faces the network. Connecting a datagram socket chooses a route and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if is_loopback(address) else address


def with_key(server: ServerConfig, *, kept_in: Path | None = None) -> tuple[ServerConfig, str | None]:
    """Give the server a key if others can reach it and none was given. Returns the config and the key that was made.

    kept_in: a file, readable by its owner only, from which the same key comes again next time.
    """
    if server.api_keys or server.open or is_loopback(server.host):
        return server, None
    key = _kept_key(kept_in) if kept_in is not None else _new_key()
    return replace(server, api_keys=(key,)), key


def _new_key() -> str:
    return "fs-" + secrets.token_urlsafe(24)


def _kept_key(file: Path) -> str:
    try:
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if len(key) < 16:
        key = _new_key()
        file.unlink(missing_ok=True)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(key + "\n", encoding="ascii")
    return key
