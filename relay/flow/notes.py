"""A connector's notes, kept sealed in the journal under one scope."""

from relay.clock import Clock
from relay.journal import Journal, place_of
from relay.vault import Vault


class JournalNotes:
    """See :class:`connectors.base.Notes`."""

    def __init__(self, journal: Journal, clock: Clock, vault: Vault, scope: str) -> None:
        self._journal = journal
        self._clock = clock
        self._vault = vault
        self._scope = scope

    async def get(self, name: str) -> str | None:
        value = await self._journal.notes.get(self._scope, name)
        return None if value is None else self._vault.open(value, place_of("notes", self._scope, name))

    async def put(self, name: str, value: str) -> None:
        sealed = self._vault.seal(value, place_of("notes", self._scope, name))
        await self._journal.notes.put(self._scope, name, sealed, self._clock.now())
