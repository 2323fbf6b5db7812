"""What is remembered of connections besides themselves: how the last test of each went."""

from contextlib import suppress

import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.journal import Journal
from relay.log import redact
from relay.vault import Vault, VaultError

from .notes import JournalNotes


class Tested(Struct):
    """The last test of a connection as it is now. ``at`` is Unix seconds."""

    at: float
    works: bool
    message: str
    """What it reached, or why not."""


class ConnectionMemory:
    """Kept sealed, for a destination may say anything."""

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

    async def _get(self, name: str) -> str | None:
        with suppress(VaultError):  # sealed with a key that is lost: as if it had never been noted
            return await self._notes.get(name)
        return None


def _test_of(name: str) -> str:
    return f"test of {name}"
