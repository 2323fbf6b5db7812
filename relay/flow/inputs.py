"""Checks what a client asks for before it costs anything: by the contract's rules, and by where its links lead."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from relay.contract import rules
from relay.contract.files import FileRules
from relay.contract.rules import Violation
from relay.net import is_public

from .look import Look

LOOK_UP_SECONDS = 2.0
"""How long all names of one request may take together; what is not known by then is a warning."""

Rules = Callable[[dict[str, Any]], list[Violation]]
RULES: dict[str, Rules] = {"music-video": rules.music_video, "ecommerce-video": rules.ecommerce_video}


class Checked(Struct):
    """What the check found. Warnings do not stop a request: the provider fetches, not we."""

    violations: list[Violation] = field(default_factory=list[Violation])
    warnings: list[str] = field(default_factory=list[str])


class DeepCheck(Struct):
    """Look at what is linked, by the provider's rules for files; ``refuse``: what breaks one is a violation, else a
    warning."""

    look: Look
    rules: Callable[[], Awaitable[FileRules]]
    refuse: bool


class Inputs:
    """Checks requests. ``own`` is the provider's origin: what was uploaded there may be used, wherever it is."""

    def __init__(
        self, own: str, resolver: Callable[[str, int], Awaitable[list[str]]], deep: DeepCheck | None = None
    ) -> None:
        self._deep = deep
        self._own = own.rstrip("/") + "/"
        self._resolver = resolver

    def own(self, url: str) -> bool:
        """Whether it was uploaded to the provider, which may be anywhere."""
        return url.startswith(self._own)

    async def check(self, body: bytes, by: Rules) -> Checked:
        """Every violation of ``by`` in a JSON ``body``, and every link that leads to a private address."""
        try:
            request = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Checked([Violation("body", None, f"must be a JSON object: {error}")])
        links = dict(rules.urls(request))
        violations = [one for one in by(request) if not self.own(links.get(one.field, ""))]
        suspects = {violation.field for violation in violations}
        found = Checked(violations)
        await self._look_up({name: url for name, url in links.items() if name not in suspects}, found)
        if self._deep is not None and not found.violations:  # what is refused anyway is not worth a fetch
            others = {name: url for name, url in links.items() if not self.own(url)}
            await self._look_at(self._deep, others, found)
        return found

    async def _look_at(self, deep: DeepCheck, links: dict[str, str], found: Checked) -> None:
        for seen in await deep.look.at(links, await deep.rules()):
            if seen.violation is not None and deep.refuse:
                found.violations.append(seen.violation)
            elif text := seen.warning or (seen.violation and str(seen.violation)):
                found.warnings.append(text)

    async def _look_up(self, links: dict[str, str], found: Checked) -> None:
        hosts = {urlsplit(url).hostname or "" for url in links.values() if not self.own(url)}
        answers = dict(zip(hosts, await asyncio.gather(*map(self._addresses, hosts)), strict=True))
        for name, url in links.items():
            addresses = answers.get(urlsplit(url).hostname or "")
            if addresses is None:
                if not self.own(url):
                    found.warnings.append(f"{name}: the host of {url[:200]} cannot be found from here")
            elif not all(is_public(ipaddress.ip_address(address.partition("%")[0])) for address in addresses):
                found.violations.append(Violation(name, url, "must not lead to a private address; its host does"))

    async def _addresses(self, host: str) -> list[str] | None:
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._resolver(host, 443)
        except (OSError, UnicodeError, TimeoutError):
            return None
