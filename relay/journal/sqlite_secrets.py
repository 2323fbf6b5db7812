"""The relay's own secrets, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sqlite import SqliteJournal


class SqliteSecrets:
    """See :class:`relay.journal.secrets.SecretStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def secret(self, name: str) -> bytes | None:
        def query(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
            return row[0] if row else None

        return await self._journal.read(query)

    async def put_secret(self, name: str, value: bytes | None, now: float) -> None:
        def change(connection: sqlite3.Connection) -> None:
            if value is None:
                connection.execute("DELETE FROM secrets WHERE name = ?", (name,))
            else:
                connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)", (name, value, now))

        await self._journal.write(change)
