"""Outbound HTTP that refuses private addresses.

A recipe or a customer decides where a request goes; neither may reach the relay's own network through it. The
guard looks at the *resolved* address at the moment of connecting, so a name that changes its mind between a
check and the connection (DNS rebinding) gains nothing.
"""

import functools
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

import anyio
import httpcore
import httpx

from relay import __version__

from .wire import Answer, Wire

USER_AGENT = f"beatrelay/{__version__}"
RESPONSE_LIMIT = 16 * 1024
"""Bytes of a response that are read and kept."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CGNAT = ipaddress.ip_network("100.64.0.0/10")


class RefusedAddress(httpx.ConnectError):
    """The guard refused to connect; the message names the host, the address and the setting."""


class Egress:
    """Where requests may go besides the public internet.

    ``allow`` holds host names (``n8n.local``), ``host:port`` pairs and networks (``10.1.0.0/16``).
    Raises :class:`ValueError` naming an entry that is none of these.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in allow:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        if "/" in entry:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                raise ValueError(f"{entry!r} is neither a host, a host:port nor a network: {error}") from error
        elif entry and not any(character.isspace() for character in entry):
            self._hosts.add(entry.strip("[]"))
        else:
            raise ValueError(f"{entry!r} is neither a host, a host:port nor a network such as 10.1.0.0/16")

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection for ``host`` may go to ``address``."""
        name = host.lower()
        if name in self._hosts or f"{name}:{port}" in self._hosts:
            return True
        return any(address in network for network in self._networks) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, also looking into addresses that wrap an IPv4 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(inner)
    if address.version == 4 and address in _CGNAT:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of ``host``, as the system's resolver knows them."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress = egress
        self._resolver = resolver
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's own signature)
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self.vetted(host, port)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for text in addresses:
            try:
                return await self._backend.connect_tcp(text, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def vetted(self, host: str, port: int) -> list[str]:
        """Where ``host`` is, all of it allowed."""
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        for text in addresses:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not self._egress.permits(host, port, address):
                raise _Refusal(
                    f"{host} is {'' if host == str(address) else f'at {address}, which is '}not a public address; if it"
                    f" is meant to be reached,"
                    f" add {host}:{port} to BEATRELAY_ALLOW_PRIVATE"
                )
        return addresses

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once: it takes some 50 ms, and every client needs the same."""
    return ssl.create_default_context()


class _Refusal(httpcore.ConnectError):
    pass


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx' own transport, its pool replaced by one that connects through the guard."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, pool: int) -> None:
        super().__init__(verify=_trusted(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=pool,
            max_keepalive_connections=pool,
            keepalive_expiry=30.0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError as error:
            if isinstance(error.__cause__, _Refusal):
                raise RefusedAddress(str(error), request=request) from error
            raise


class GuardedClient(httpx.AsyncClient):
    """A client that also vets addresses for connectors that do not speak HTTP, and takes the short way where it can."""

    def __init__(self, backend: _GuardedBackend, *, timeout: float, connect_timeout: float, **options: Any) -> None:
        super().__init__(timeout=httpx.Timeout(timeout, connect=connect_timeout), **options)
        self._guard = backend
        self._seconds = timeout
        self._wire = Wire(self.addresses, _trusted, agent=USER_AGENT, connect=connect_timeout)

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> Answer:
        """See :class:`connectors.base.Guarded`."""
        answer = await self._wire.exchange(method, url, headers, body, limit=limit, seconds=self._seconds)
        if answer.body and answer.headers.get("content-encoding", "identity") != "identity":  # nobody asked for it
            return answer._replace(body=_unpacked(answer)[:limit])
        return answer

    async def aclose(self) -> None:
        await self._wire.aclose()
        await super().aclose()

    async def __aexit__(self, *error: Any) -> None:
        await self._wire.aclose()
        await super().__aexit__(*error)

    async def addresses(self, host: str, port: int) -> list[str]:
        """See :class:`connectors.base.Guarded`."""
        try:
            return await self._guard.vetted(host, port)
        except _Refusal as error:
            raise RefusedAddress(str(error)) from error
        except httpcore.ConnectError as error:
            raise httpx.ConnectError(str(error)) from error


def _unpacked(answer: Answer) -> bytes:
    try:
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body).content
    except httpx.DecodingError:
        return answer.body


def guarded_client(
    egress: Egress,
    *,
    timeout: float = 20.0,
    connect_timeout: float = 5.0,
    pool: int = 128,
    resolver: Resolver = resolve,
) -> GuardedClient:
    """A client for everything that leaves the relay: own User-Agent, no redirects, time limits in seconds. ``pool``
    connections at once, more than there are workers, so that a destination that hangs takes no other's.

    Proxy settings of the environment are ignored: behind a proxy the guard would see only the proxy's address.
    """
    backend = _GuardedBackend(egress, resolver)
    return GuardedClient(
        backend,
        transport=_GuardedTransport(backend, pool),
        headers={"user-agent": USER_AGENT},
        timeout=timeout,
        connect_timeout=connect_timeout,
        follow_redirects=False,
        trust_env=False,
    )


async def read_limited(response: httpx.Response, limit: int = RESPONSE_LIMIT) -> tuple[bytes, bool]:
    """The first ``limit`` bytes of a streamed response, and whether there was more. The rest is not read."""
    kept = bytearray()
    async for chunk in response.aiter_bytes():
        kept += chunk
        if len(kept) > limit:
            return bytes(kept[:limit]), True
    return bytes(kept), False
