"""Where customers may have themselves called: HTTPS on the public internet, or what the operator allows."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from relay.contract.rules import PRIVATE_SUFFIXES
from relay.net import Egress

LONGEST = 2048
LOOK_UP_SECONDS = 5.0
_LOOPBACK = ipaddress.ip_address("127.0.0.1")
"""Stands for any private address when only a name is known."""


class Targets:
    """Checks a URL before it is taken in. The client that calls it checks again, at the moment of connecting: a name
    may change its mind."""

    def __init__(self, egress: Egress, resolver: Callable[[str, int], Awaitable[list[str]]]) -> None:
        self._egress = egress
        self._resolver = resolver

    async def wrong(self, url: str) -> str | None:
        """What is wrong with ``url``, as the end of a sentence; ``None`` if nothing is. A name that cannot be found
        now is taken: it may be found later, and deliveries are tried for days."""
        parts = _split(url)
        if parts is None or not parts.hostname or len(url) > LONGEST or not url.isascii() or not url.isprintable():
            return f"must be an https:// URL of at most {LONGEST} printable ASCII characters"
        host, port = parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
        if parts.scheme not in ("https", "http") or " " in url or parts.username is not None:
            return "must be an https:// URL without a user name in it"
        allowed = self._egress.permits(host, port, _LOOPBACK)
        if parts.scheme == "http" and not allowed:
            return "must start with https://, so that nobody on the way reads or changes what is sent"
        if not allowed and await self._is_private(host, port):
            return (
                "must not lead to a private address; the operator can allow it by adding"
                f" {host}:{port} to BEATRELAY_ALLOW_PRIVATE"
            )
        return None

    async def _is_private(self, host: str, port: int) -> bool:
        if host == "localhost" or host.endswith(PRIVATE_SUFFIXES):
            return True
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                addresses = await self._resolver(host, port)
        except (OSError, UnicodeError, TimeoutError):
            return False
        return not all(
            self._egress.permits(host, port, ipaddress.ip_address(address.partition("%")[0])) for address in addresses
        )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises, too, where it is no number
    except ValueError:
        return None
    return parts
