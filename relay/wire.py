"""HTTP/1.1 for one short request and its answer, as fast as Python allows: asyncio, and httptools to read the answer.

What leaves in hundreds a second goes this way (see decision 21): the body is at hand, only the beginning of the answer
is kept. Everything that streams goes by httpx. Errors are httpx' own, so that no caller need know which way it was.
"""

import asyncio
import base64
import functools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, cast

import httptools
import httpx

KEEP_SECONDS = 30.0
"""How long a connection is kept that nobody uses."""
MOST_IDLE = 64
"""Connections that are kept in all."""
HEAD_LIMIT = 64 * 1024
"""Bytes of an answer's head; a longer one is an error."""
_BREAK = frozenset("\r\n")
_ENDS_WITH_THE_CONNECTION = frozenset({b"content-length", b"transfer-encoding"})

Vetted = Callable[[str, int], Awaitable[list[str]]]
"""Host and port → the addresses that may be connected to; raises :class:`httpx.ConnectError`."""


class Answer(NamedTuple):
    """The beginning of an answer."""

    status: int
    headers: httpx.Headers
    body: bytes
    truncated: bool
    """Whether there was more of the body."""


class _Target(NamedTuple):
    host: str
    port: int
    secure: bool
    path: bytes
    head: bytes
    """``Host`` and, if the URL names a user, ``Authorization``."""


class Wire:
    """Requests to anywhere, over connections that are used again."""

    def __init__(self, vetted: Vetted, trusted: Callable[[], ssl.SSLContext], *, agent: str, connect: float) -> None:
        self._vetted, self._trusted, self._connect_seconds = vetted, trusted, connect
        self._always = f"accept: */*\r\naccept-encoding: identity\r\nuser-agent: {agent}\r\n".encode()
        self._idle: dict[tuple[str, int, bool], list[_Connection]] = {}
        self._leaving: list[tuple[asyncio.Transport, bytes]] = []

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, limit: int, seconds: float
    ) -> Answer:
        """Send a request; its answer, with at most ``limit`` bytes of the body, within ``seconds``."""
        target = _target(url)
        request = b"%s %s HTTP/1.1\r\n%s%s%s\r\n%s" % (
            method.encode(),
            target.path,
            target.head,
            self._always,
            _head(headers),
            body or b"",
        )
        connection = self._take(target) or await self._open(target)
        try:
            answer = await connection.ask(request, limit, seconds)
        except BaseException:  # cancelled, too: half a conversation cannot go on
            connection.abort()
            raise
        self._give_back(target, connection)
        return answer

    async def aclose(self) -> None:
        """Close what is idle."""
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop lets go of them in its next turn

    def _send(self, transport: asyncio.Transport, request: bytes) -> None:
        """What is to leave in one turn of the loop leaves together at its end: a system call that must wake a receiver
        costs as much as all else about a request, and one that finds it awake next to nothing."""
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self._let_leave)
        self._leaving.append((transport, request))

    def _let_leave(self) -> None:
        leaving, self._leaving = self._leaving, []
        for transport, request in leaving:
            if not transport.is_closing():
                transport.write(request)

    def _take(self, target: _Target) -> "_Connection | None":
        idle = self._idle.get(target[:3], [])
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.idle_since < KEEP_SECONDS:
                return connection
            connection.abort()
        self._idle.pop(target[:3], None)
        return None

    def _give_back(self, target: _Target, connection: "_Connection") -> None:
        if not connection.usable:
            connection.abort()
            return
        if sum(map(len, self._idle.values())) >= MOST_IDLE:
            oldest = next(iter(self._idle))
            self._idle[oldest].pop(0).abort()
            if not self._idle[oldest]:
                del self._idle[oldest]
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(target[:3], []).append(connection)

    async def _open(self, target: _Target) -> "_Connection":
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._connected(target)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("") from error
        except (OSError, ssl.SSLError) as error:
            raise httpx.ConnectError(str(error)) from error

    async def _connected(self, target: _Target) -> "_Connection":
        loop = asyncio.get_running_loop()
        secure: dict[str, Any] = {"ssl": self._trusted(), "server_hostname": target.host} if target.secure else {}
        failure: OSError | None = None
        for address in await self._vetted(target.host, target.port):
            try:
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._send), address, target.port, **secure
                )
            except OSError as error:
                failure = error
            else:
                return connection
        raise failure or httpx.ConnectError(f"{target.host} has no address")


class _Connection(asyncio.Protocol):
    """One connection: asked one thing at a time."""

    def __init__(self, send: Callable[[asyncio.Transport, bytes], None]) -> None:
        self._send = send
        self.usable = True
        """Whether it may be asked (again)."""
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes, limit: int, seconds: float) -> Answer:
        assert self._transport is not None
        if not self.usable:
            raise httpx.ReadError("the connection was closed")
        loop = asyncio.get_running_loop()
        self._waiter, self._limit = loop.create_future(), limit
        self._parser = httptools.HttpResponseParser(self)
        self.on_message_begin()
        self._send(self._transport, request)
        too_late = loop.call_later(seconds, self._fail, httpx.ReadTimeout(""))
        try:
            return await self._waiter
        finally:
            too_late.cancel()
            self._waiter = None

    def abort(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------------------------------------ asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.abort()  # nobody asked
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"the answer is no HTTP: {error}"))
        if not self._in_body and self._size > HEAD_LIMIT:
            self._fail(httpx.RemoteProtocolError(f"the answer's head is longer than {HEAD_LIMIT} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._in_body_to_the_end():
            self._finish(truncated=False)
        self._fail(httpx.ReadError(str(exc)) if exc else httpx.RemoteProtocolError("it hung up without an answer"))

    # ---------------------------------------------------------------------------------------------- httptools calls

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():
            self.usable = False  # more than was asked for
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._size, self._in_body = 0, False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > self._limit:
            self.usable = False  # the rest is not read
            self._finish(truncated=True)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            return  # a word before the answer
        self.usable = self.usable and self._parser.should_keep_alive()
        self._finish(truncated=False)

    def _finish(self, *, truncated: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            body = bytes(self._body[: self._limit])
            self._waiter.set_result(
                Answer(self._parser.get_status_code(), httpx.Headers(self._headers), body, truncated)
            )

    def _fail(self, error: Exception) -> None:
        self.usable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _in_body_to_the_end(self) -> bool:
        """Whether the answer's body ends where the connection does."""
        if self._waiter is None or not self._in_body:
            return False
        return _ENDS_WITH_THE_CONNECTION.isdisjoint(name for name, _ in self._headers)


@functools.lru_cache(maxsize=1024)
def _target(url: str) -> _Target:
    """Where a URL leads. Raises :class:`httpx.InvalidURL` and :class:`httpx.UnsupportedProtocol`."""
    parts = httpx.URL(url)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise httpx.UnsupportedProtocol("Request URL is missing an 'http://' or 'https://' protocol.")
    head = b"host: %s\r\n" % parts.netloc
    if parts.userinfo:
        user = f"{parts.username}:{parts.password}".encode()
        head += b"authorization: Basic %s\r\n" % base64.b64encode(user)
    secure = parts.scheme == "https"
    return _Target(parts.raw_host.decode(), parts.port or (443 if secure else 80), secure, parts.raw_path, head)


def _head(headers: Mapping[str, str]) -> bytes:
    """The headers as lines. Raises :class:`httpx.LocalProtocolError` for one that would be more than a line."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
        name = next(name for name, value in headers.items() if not _BREAK.isdisjoint(name + value))
        raise httpx.LocalProtocolError(f"the header {name!r} holds a line break")
    return lines.encode()
