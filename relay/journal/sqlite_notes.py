"""Connectors' notes, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_PUT = (
    "INSERT INTO notes (scope, name, value, updated_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
)


class SqliteNotes:
    """See :class:`relay.journal.notes.NoteStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def get(self, scope: str, name: str) -> bytes | None:
        def query(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT value FROM notes WHERE scope = ? AND name = ?", (scope, name)).fetchone()
            return row[0] if row else None

        return await self._journal.read(query)

    async def put(self, scope: str, name: str, value: bytes, now: float) -> None:
        await self._journal.write(lambda connection: connection.execute(_PUT, (scope, name, value, now)) and None)
