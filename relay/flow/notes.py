"""A connector's notes, kept in the journal under one scope."""

from relay.clock import Clock
from relay.journal import Journal


class JournalNotes:
    """See :class:`connectors.base.Notes`."""

    def __init__(self, journal: Journal, clock: Clock, scope: str) -> None:
        self._journal = journal
        self._clock = clock
        self._scope = scope

    async def get(self, name: str) -> str | None:
        value = await self._journal.notes.get(self._scope, name)
        return None if value is None else value.decode()

    async def put(self, name: str, value: str) -> None:
        await self._journal.notes.put(self._scope, name, value.encode(), self._clock.now())
