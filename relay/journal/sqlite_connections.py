"""Stored connections, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .connections import ConnectionRow
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_PUT = insert("connections", ConnectionRow).replace("INSERT", "INSERT OR REPLACE", 1)


class SqliteConnections:
    """See :class:`relay.journal.connections.ConnectionStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def all(self) -> list[ConnectionRow]:
        def query(connection: sqlite3.Connection) -> list[ConnectionRow]:
            rows = connection.execute("SELECT * FROM connections ORDER BY name").fetchall()
            return [read(ConnectionRow, row) for row in rows]

        return await self._journal.read(query)

    async def get(self, name: str) -> ConnectionRow | None:
        def query(connection: sqlite3.Connection) -> ConnectionRow | None:
            row = connection.execute("SELECT * FROM connections WHERE name = ?", (name,)).fetchone()
            return read(ConnectionRow, row) if row else None

        return await self._journal.read(query)

    async def put(self, row: ConnectionRow) -> None:
        await self._journal.write(lambda connection: connection.execute(_PUT, values(row)) and None)

    async def remove(self, name: str) -> bool:
        def change(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM connections WHERE name = ?", (name,)).rowcount > 0

        return await self._journal.write(change)
