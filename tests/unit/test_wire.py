"""The short way out: HTTP/1.1 as servers really speak it, on real sockets."""

import asyncio
import datetime
import gzip
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relay.net import Egress, GuardedClient, RefusedAddress, guarded_client
from relay.wire import HEAD_LIMIT, Answer, Wire

pytestmark = pytest.mark.anyio
LOCAL = Egress(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Script = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that does what the test says with each connection."""

    def __init__(self, script: Script) -> None:
        self.script, self.url, self.connections = script, "", 0
        self.heads: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            await self.script(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def take(self, reader: asyncio.StreamReader) -> None:
        """One request, whole."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        size = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(size[0].partition(b":")[2]) if size else 0)


@asynccontextmanager
async def peer(script: Script, **options: ssl.SSLContext) -> AsyncIterator[Peer]:
    there = Peer(script)
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]  (ssl only)
    scheme = "https" if options else "http"
    there.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/caught"
    try:
        yield there
    finally:
        for writer in there.writers:
            writer.transport.abort()
        server.close()


def saying(*answers: bytes, close: bool = False) -> Script:
    """Answers each request of a connection with the next of these, then hangs up if ``close``."""

    async def script(there: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await there.take(reader)
            writer.write(answer)
            await writer.drain()
        if not close:
            await reader.read()

    return script


async def ask(client: GuardedClient, url: str, body: bytes = b"{}", limit: int = 100) -> tuple[int, bytes, bool]:
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    status, _, kept, truncated = await client.exchange("POST", url, headers, body, limit)
    return status, kept, truncated


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    async with guarded_client(LOCAL, timeout=5.0) as client:
        yield client


@pytest.mark.parametrize(
    ("answer", "close", "said"),
    [
        (OK, False, (200, b"ok", False)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, (204, b"", False)),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            False,
            (200, b"ok", False),
        ),
        (b"HTTP/1.1 500 No\r\n\r\nuntil the end", True, (500, b"until the end", False)),
        (b"HTTP/1.0 200 OK\r\n\r\nold", True, (200, b"old", False)),
        (b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK, False, (200, b"ok", False)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n" + b"x" * 200, False, (200, b"x" * 100, True)),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s"
            % (len(gzip.compress(b"small")), gzip.compress(b"small")),
            False,
            (200, b"small", False),
        ),
    ],
)
async def test_answers_of_every_form(
    client: GuardedClient, answer: bytes, close: bool, said: tuple[int, bytes, bool]
) -> None:
    async with peer(saying(answer, close=close)) as there:
        assert await ask(client, there.url) == said


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal", httpx.RemoteProtocolError),
        (b"SSH-2.0-OpenSSH_9.2\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * (HEAD_LIMIT + 1), httpx.RemoteProtocolError),
    ],
)
async def test_what_is_no_answer(client: GuardedClient, answer: bytes, error: type[Exception]) -> None:
    async with peer(saying(answer, close=True)) as there:
        with pytest.raises(error):
            await ask(client, there.url)


async def test_a_connection_is_used_again(client: GuardedClient) -> None:
    async with peer(saying(*[OK] * 3)) as there:
        for _ in range(3):
            assert await ask(client, there.url) == (200, b"ok", False)
        assert (there.connections, len(there.heads)) == (1, 3)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        OK + OK,
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + b"x" * 500,
    ],
)
async def test_a_connection_that_may_carry_anything_else_is_not(client: GuardedClient, answer: bytes) -> None:
    async with peer(saying(answer)) as there:
        for _ in range(2):
            assert (await ask(client, there.url))[0] == 200
        assert there.connections == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(client: GuardedClient) -> None:
    async with peer(saying(OK, close=True)) as there:
        for number in range(1, 4):
            assert (await ask(client, there.url))[0] == 200
            while not there.writers[-1].transport.is_closing():
                await asyncio.sleep(0)
            await client_notices(client)
            assert there.connections == number


async def client_notices(client: GuardedClient) -> None:
    """The end of a connection has come to the client."""
    async with asyncio.timeout(5):
        while any(one.usable for idle in client._wire._idle.values() for one in idle):
            await asyncio.sleep(0)


async def test_silence_has_an_end() -> None:
    async with guarded_client(LOCAL, timeout=0.05) as client, peer(saying(b"HTTP/1.1 200 OK\r\n")) as there:
        with pytest.raises(httpx.ReadTimeout):
            await ask(client, there.url)


async def test_who_stops_waiting_leaves_no_half_conversation(client: GuardedClient) -> None:
    async with peer(saying(b"", OK)) as there:
        waiting = asyncio.create_task(ask(client, there.url))
        while not there.heads:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert client._wire._idle == {}


@pytest.mark.parametrize("short", [True, False])
async def test_destinations_that_hang_take_no_others_place(client: GuardedClient, short: bool) -> None:
    async def send(url: str) -> int:
        if short:
            return (await ask(client, url))[0]
        async with client.stream("POST", url, content=b"{}") as response:
            return response.status_code

    async with peer(saying(b"")) as hanging, peer(saying(OK)) as there:
        stuck = [asyncio.create_task(send(hanging.url)) for _ in range(31)]
        while len(hanging.heads) < 31:
            await asyncio.sleep(0)
        assert await asyncio.wait_for(send(there.url), 2) == 200
        for one in stuck:
            one.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_what_is_sent(client: GuardedClient) -> None:
    async with peer(saying(OK)) as there:
        url = there.url.replace("127.0.0.1", "us%40er:pass@127.0.0.1") + "/ü?a=b c#part"
        await ask(client, url)
        (head,) = there.heads
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /caught/%C3%BC?a=b%20c HTTP/1.1"
    assert f"host: {there.url.split('/')[2]}" in lines
    assert "authorization: Basic dXNAZXI6cGFzcw==" in lines
    assert [line for line in lines if line.startswith("user-agent: beatrelay/")]


class Line:
    """A transport that remembers, with others, what went over it."""

    def __init__(self, sent: list[bytes], *, closing: bool = False) -> None:
        self._sent, self._closing = sent, closing

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes) -> None:
        self._sent.append(data)


async def test_what_leaves_in_one_turn_of_the_loop_leaves_together(client: GuardedClient) -> None:
    sent: list[bytes] = []
    for line, request in ((Line(sent), b"1"), (Line(sent, closing=True), b"too late"), (Line(sent), b"2")):
        client._wire._send(line, request)
    assert sent == []
    await asyncio.sleep(0)
    assert sent == [b"1", b"2"]


@pytest.mark.parametrize(("name", "value"), [("x", "a\r\nhost: evil"), ("x\r\ny", "a"), ("x", "a\nb")])
async def test_nothing_is_smuggled_in(client: GuardedClient, name: str, value: str) -> None:
    async with peer(saying(OK)) as there:
        with pytest.raises(httpx.LocalProtocolError):
            await client.exchange("POST", there.url, {name: value}, b"", 100)
        assert there.connections == 0


async def test_private_addresses_are_refused() -> None:
    async with guarded_client(Egress()) as client, peer(saying(OK)) as there:
        for url in (there.url, there.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(RefusedAddress, match="not a public address"):
                await ask(client, url)
        assert there.connections == 0


@pytest.mark.parametrize("url", ["ftp://example.com/x", "/no/host", "http://"])
async def test_a_url_that_cannot_be_requested(client: GuardedClient, url: str) -> None:
    with pytest.raises((httpx.InvalidURL, httpx.UnsupportedProtocol)):
        await ask(client, url)


async def test_nobody_there(client: GuardedClient) -> None:
    with pytest.raises(httpx.ConnectError):
        await ask(client, "http://127.0.0.1:1/x")


async def test_certificates_are_checked(tmp_path: Path, client: GuardedClient) -> None:
    serving, trusting = certificates(tmp_path)
    async with peer(saying(OK), ssl=serving) as there:
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await ask(client, there.url)

        async def here(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        wire = Wire(here, lambda: trusting, agent="test", connect=5.0)
        answer = await wire.exchange("POST", there.url, {"content-length": "2"}, b"{}", limit=100, seconds=5.0)
        assert answer == Answer(200, [(b"content-length", b"2")], b"ok", False)
        other = there.url.replace("127.0.0.1", "elsewhere.example")
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await wire.exchange("POST", other, {"content-length": "2"}, b"{}", limit=100, seconds=5.0)
        await wire.aclose()


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + secret)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.pem")
    return serving, ssl.create_default_context(cadata=pem.decode())
