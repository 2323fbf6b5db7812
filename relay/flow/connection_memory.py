"""What is remembered of connections besides themselves: how the last test of each went, and what the file said."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.journal import Journal
from relay.log import redact
from relay.vault import Vault, VaultError

from .connection_kinds import Values
from .notes import JournalNotes

_FILE = "connections of the file"


class Tested(Struct):
    """The last test of a connection as it is now. ``at`` is Unix seconds."""

    at: float
    works: bool
    message: str
    """What it reached, or why not."""


class ConnectionMemory:
    """All of it is sealed: a destination may say anything, and a digest of a short password gives it away to whoever
    tries them all."""

    def __init__(self, journal: Journal, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._notes = JournalNotes(journal, clock, vault, "relay")

    async def test(self, name: str, *, works: bool, message: str) -> None:
        """Remember how a test went."""
        tested = Tested(self._clock.now(), works, redact(message))
        await self._notes.put(_test_of(name), msgspec.json.encode(tested).decode())

    async def tested(self, name: str, since: float = 0.0) -> Tested | None:
        """The last test, if it was not before ``since``."""
        known = await self._get(_test_of(name))
        tested = msgspec.json.decode(known, type=Tested) if known else None
        return tested if tested is not None and tested.at >= since else None

    async def changed(self, fixed: Mapping[str, Values]) -> list[str]:
        """Which of the file's connections have other values than :meth:`keep` was told last, or are new. The first time
        nobody can tell, and none has."""
        known = await self._get(_FILE)
        before = msgspec.json.decode(known, type=dict[str, str]) if known else None
        now = _digests(fixed)
        return [] if before is None else [name for name, digest in now.items() if before.get(name) != digest]

    async def keep(self, fixed: Mapping[str, Values]) -> None:
        """Remember the file's connections as they are now, and how a test of them went no longer where they changed."""
        for name in await self.changed(fixed):
            await self._notes.put(_test_of(name), "")
        now = msgspec.json.encode(_digests(fixed)).decode()
        if now != await self._get(_FILE):
            await self._notes.put(_FILE, now)

    async def _get(self, name: str) -> str | None:
        with suppress(VaultError):  # sealed with a key that is lost: as if it had never been noted
            return await self._notes.get(name)
        return None


def _test_of(name: str) -> str:
    return f"test of {name}"


def _digests(fixed: Mapping[str, Values]) -> dict[str, str]:
    return {
        name: hashlib.sha256(msgspec.json.encode(dict(values), order="deterministic")).hexdigest()
        for name, values in sorted(fixed.items())
    }
