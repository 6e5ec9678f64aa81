from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.config import MediaConfig
from flashsight.core.errors import PictureError
from flashsight.core.types import PictureRef
from flashsight.processing.addresses import is_public
from flashsight.processing.fetch import MAX_REDIRECTS, Fetcher, parse
from flashsight.processing.media import MediaGate

from .pictures import encoded, scene

PNG = encoded(scene(32, 24))

PRIVATE = [
    *(
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
    ),
    *("100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "::7f00:1", "3fff::1", "100::1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_the_public_internet_s_are_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(ip_address(address))


@given(address=st.ip_addresses())
def test_nothing_that_the_standard_library_calls_local_is_called_public(address: object) -> None:
    if is_public(address):  # type: ignore[arg-type]
        assert address.is_global  # type: ignore[attr-defined]
        assert not address.is_multicast  # type: ignore[attr-defined]


MALFORMED = [
    "http://",
    "http:///a.png",
    "http://user@example.com/a.png",
    "http://user:password@example.com/a.png",
    "http://@example.com/a.png",
    "http://example.com@127.0.0.1/a.png",
    "http://127.0.0.1\\@example.com/a.png",
    "http://example.com\\a.png",
    "http://example.com/a b.png",
    "http://example.com/\ta.png",
    "http://exam\nple.com/",
    "http://example.com./a.png",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://１２７.0.0.1/",
    "http://[::1%25eth0]/",
    "http://[::1/",
    "http://[v1.fe80::a]/",
    "http://exa_mple..com/",
    "http://-example.com/",
    "http://example.com:99999/",
    "http://example.com:0/",
    "http://example.com:port/",
    "http://%31%32%37.0.0.1/",
    "http://example.com%00.evil.example/",
    "gopher://example.com/",
    "http://example.com/\ud83d",
    "//example.com/a.png",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_addresses_that_two_parsers_might_read_differently_are_refused(url: str) -> None:
    with pytest.raises(PictureError) as caught:
        parse(url)
    assert caught.value.code == "fetch_refused"
    assert "example" not in caught.value.message


HOSTS = st.lists(
    st.sampled_from(["127", "0x7f", "1", "a", "example", ".", ":", "@", "\\", "[", "]", "::1", "%", "#", "?", "。"])
)


@given(parts=HOSTS, path=st.text(max_size=5))
def test_whatever_parses_names_one_host_and_it_is_a_plain_one(parts: list[str], path: str) -> None:
    try:
        url = parse("http://" + "".join(parts) + "/" + path)
    except PictureError:
        return
    host = url.raw_host.decode("ascii")
    assert not set(host) & set("@\\/[]%# ")
    last = host.rsplit(".", 1)[-1]
    assert ":" in host or (last.isdigit() and ip_address(host)) or any(letter.isalpha() for letter in last)


# --- against a server ----------------------------------------------------------------------------------------

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A raw HTTP server on loopback that notes what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[str] = []
        self.pages: dict[str, bytes | Handler] = {}
        self.lookups: list[str] = []
        self.addresses: dict[str, list[str]] = {"pictures.test": ["127.0.0.1"]}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.lookups.append(host)
        return self.addresses.get(host, [])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request)
        page = self.pages.get(request.split()[1], answer(b"", status="404 Not Found"))
        try:
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(request, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def fetcher(self, *, timeout_seconds: float = 5, max_bytes: int = 100_000) -> Fetcher:
        return Fetcher(
            max_bytes=max_bytes,
            timeout_seconds=timeout_seconds,
            resolver=self.resolve,
            is_allowed=lambda address: str(address) == "127.0.0.1",
        )

    def url(self, path: str, host: str = "pictures.test") -> str:
        return f"http://{host}:{self.port}{path}"


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def redirect(to: str, status: str = "302 Found") -> bytes:
    return answer(b"", status=status, headers=f"Location: {to}\r\n")


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def fetch(prepare: Callable[[Site], str], **options: float) -> tuple[bytes | PictureError, Site]:
    """Run one fetch against a fresh site; `prepare` fills it and returns the address."""

    async def go() -> tuple[bytes | PictureError, Site]:
        async with site() as made:
            url = prepare(made)
            try:
                return await made.fetcher(**options).fetch(url), made  # type: ignore[arg-type]
            except PictureError as error:
                return error, made

    return asyncio.run(go())


def test_a_picture_is_fetched_from_the_address_that_was_checked_under_its_own_name() -> None:
    def prepare(made: Site) -> str:
        made.pages["/a.png?x=1"] = answer(PNG)
        return made.url("/a.png?x=1")

    body, made = fetch(prepare)
    assert body == PNG
    assert made.lookups == ["pictures.test"]
    assert f"Host: pictures.test:{made.port}\r\n" in made.requests[0]
    assert "Accept-Encoding: identity\r\n" in made.requests[0]


def test_redirects_are_followed_and_checked_one_by_one() -> None:
    def prepare(made: Site) -> str:
        made.pages["/a"] = redirect("/b", "301 Moved")
        made.pages["/b"] = redirect(made.url("/c"), "307 Temporary")
        made.pages["/c"] = answer(PNG)
        return made.url("/a")

    body, made = fetch(prepare)
    assert body == PNG
    assert made.lookups == ["pictures.test"] * 3


@pytest.mark.parametrize(
    "target",
    [
        *("http://inner.test/", "http://169.254.169.254/latest/", "http://[::1]/", "http://0x7f.1/"),
        *("http://127.0.0.2%E3%80%82/", "//[::1]/x", "file:///etc/passwd", "http://user@pictures.test/", "http://["),
    ],
)
def test_a_redirect_to_a_private_or_odd_address_is_refused(target: str) -> None:
    def prepare(made: Site) -> str:
        made.addresses["inner.test"] = ["10.0.0.1"]
        made.pages["/a"] = redirect(target)
        return made.url("/a")

    error, made = fetch(prepare)
    assert isinstance(error, PictureError)
    assert error.code == "fetch_refused"
    assert len(made.requests) == 1


def test_redirects_end() -> None:
    def prepare(made: Site) -> str:
        made.pages["/a"] = redirect("/a")
        return made.url("/a")

    error, made = fetch(prepare)
    assert isinstance(error, PictureError)
    assert error.code == "fetch_failed"
    assert len(made.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], [], ["::ffff:127.0.0.1"]])
def test_a_name_with_any_address_that_is_not_allowed_is_refused_unvisited(addresses: list[str]) -> None:
    def prepare(made: Site) -> str:
        made.addresses["pictures.test"] = addresses
        return made.url("/a")

    error, made = fetch(prepare)
    assert isinstance(error, PictureError)
    assert error.code == "fetch_refused"
    assert made.requests == []


async def endless(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def drip(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def break_off(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
    await writer.drain()


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (endless, "image_too_large"),
        (drip, "fetch_failed"),
        (break_off, "fetch_failed"),
        (b"nonsense\r\n\r\n", "fetch_failed"),
        (answer(b"", status="404 Not Found"), "fetch_failed"),
        (answer(b"secret", status="500 Oops"), "fetch_failed"),
        (answer(b"", status="302 Found"), "fetch_failed"),
        (answer(bytes(100_001)), "image_too_large"),
    ],
)
def test_a_bad_server_ends_in_a_picture_error(page: bytes | Handler, code: str) -> None:
    def prepare(made: Site) -> str:
        made.pages["/a"] = page
        return made.url("/a")

    error, _ = fetch(prepare, timeout_seconds=0.5)
    assert isinstance(error, PictureError)
    assert error.code == code
    assert "secret" not in error.message


def test_an_environment_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    def prepare(made: Site) -> str:
        made.pages["/a"] = answer(PNG)
        return made.url("/a")

    assert fetch(prepare)[0] == PNG


def test_the_gate_fetches_only_when_allowed_and_never_offline() -> None:
    async def go() -> None:
        async with site() as made:
            made.pages["/a.png"] = answer(PNG)
            ref = PictureRef(url=made.url("/a.png"), param="url")
            open_gate = MediaGate(MediaConfig(allow_fetch=True), fetcher=made.fetcher())
            assert (await open_gate.admit(ref)).content == PNG
            visits = len(made.requests)
            for gate in (
                MediaGate(MediaConfig(), fetcher=made.fetcher()),
                MediaGate(MediaConfig(allow_fetch=True), offline=True, fetcher=made.fetcher()),
            ):
                with pytest.raises(PictureError) as caught:
                    await gate.admit(ref)
                assert (caught.value.code, caught.value.param) == ("fetch_refused", "url")
            assert len(made.requests) == visits
            real = MediaGate(MediaConfig(allow_fetch=True))
            with pytest.raises(PictureError, match="not on the public internet"):
                await real.admit(PictureRef(url=f"http://127.0.0.1:{made.port}/a.png"))

    asyncio.run(go())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_https_checks_the_certificate_against_the_name_though_it_connects_to_the_address(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=pictures.test", "-addext", "subjectAltName=DNS:pictures.test"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)

    async def go() -> None:
        made = Site()
        made.pages["/a"] = answer(PNG)
        made.addresses["other.test"] = ["127.0.0.1"]
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        async with server:
            fetcher = made.fetcher()
            fetcher._tls = ssl.create_default_context(cafile=str(certificate))
            assert await fetcher.fetch(f"https://pictures.test:{port}/a") == PNG
            with pytest.raises(PictureError, match="could not be reached"):
                await fetcher.fetch(f"https://other.test:{port}/a")

    asyncio.run(go())
