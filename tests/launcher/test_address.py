from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from flashsight.core.config import ServerConfig
from flashsight.core.errors import ConfigError
from flashsight.guard import AccessPolicy
from flashsight.launcher.address import is_loopback, listen, local_url, reachable_urls, with_key

EVERYWHERE = "0.0.0.0"


def test_a_taken_port_is_told_with_its_number_and_the_flag() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            listen("127.0.0.1", port)
    assert caught.value.code == "port_in_use"
    assert f"port {port} on 127.0.0.1" in caught.value.message
    assert f"--port {port + 1}" in caught.value.message


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.77"])
def test_an_address_of_another_machine_is_refused_by_name(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen(host, 0)
    assert host in caught.value.message
    assert caught.value.param == "host"


def test_a_port_is_free_again_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    assert with_key(ServerConfig(host=host)) == (ServerConfig(host=host), None)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.4", "flashsight.example"])
def test_an_address_that_others_reach_gets_a_key_that_the_guard_takes(host: str) -> None:
    server, key = with_key(ServerConfig(host=host))
    assert key is not None
    assert server.api_keys == (key,)
    assert len(key) >= 32
    assert AccessPolicy(server.api_keys).admit(key, is_local=False).name.startswith("key-")
    assert with_key(ServerConfig(host=host))[1] != key


def test_no_key_is_made_where_one_is_given_or_none_is_wanted() -> None:
    given = ServerConfig(host=EVERYWHERE, api_keys=("a-key-of-my-own",))
    assert with_key(given) == (given, None)
    wanted = ServerConfig(host=EVERYWHERE, open=True)
    assert with_key(wanted) == (wanted, None)


def test_a_kept_key_comes_again_and_is_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "api_key"
    _, first = with_key(ServerConfig(host=EVERYWHERE), kept_in=file)
    _, second = with_key(ServerConfig(host=EVERYWHERE), kept_in=file)
    assert first == second
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_urls_can_be_opened_as_they_are_printed() -> None:
    assert local_url("127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert local_url(EVERYWHERE, 80) == "http://127.0.0.1:80"
    assert local_url("::1", 8080) == "http://[::1]:8080"
    assert reachable_urls("127.0.0.1", 1) == ["http://127.0.0.1:1"]
    assert reachable_urls(EVERYWHERE, 1)[0] == "http://127.0.0.1:1"


def test_an_accepted_connection_sends_small_packets_at_once() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
