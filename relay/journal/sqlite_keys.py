"""API keys, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .keys import KeyRow
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_INSERT = insert("api_keys", KeyRow)


class SqliteKeys:
    """See :class:`relay.journal.keys.KeyStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, key: KeyRow) -> None:
        await self._journal.write(lambda connection: connection.execute(_INSERT, values(key)) and None)

    async def by_digest(self, digest: str) -> KeyRow | None:
        return await self._one("SELECT * FROM api_keys WHERE digest = ?", digest)

    async def get(self, key_id: str) -> KeyRow | None:
        return await self._one("SELECT * FROM api_keys WHERE id = ?", key_id)

    async def all(self) -> list[KeyRow]:
        return await self._journal.read(
            lambda connection: [
                read(KeyRow, row) for row in connection.execute("SELECT * FROM api_keys ORDER BY created_at, id")
            ]
        )

    async def revoke(self, key_id: str, at: float) -> KeyRow | None:
        await self._journal.write(
            lambda connection: (
                connection.execute(
                    "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, key_id)
                )
                and None
            )
        )
        return await self.get(key_id)

    async def used(self, key_id: str, at: float) -> None:
        await self._journal.write(
            lambda connection: (
                connection.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (at, key_id)) and None
            )
        )

    async def _one(self, sql: str, value: str) -> KeyRow | None:
        def query(connection: sqlite3.Connection) -> KeyRow | None:
            row = connection.execute(sql, (value,)).fetchone()
            return read(KeyRow, row) if row else None

        return await self._journal.read(query)
