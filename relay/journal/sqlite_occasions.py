"""Occasions, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .model import DeliveryRow
from .occasions import Occasion
from .rows import insert, read, values
from .sqlite_deliveries import insert_deliveries

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_ADD = insert("occasions", Occasion).replace("INSERT", "INSERT OR IGNORE", 1)


class SqliteOccasions:
    """See :class:`relay.journal.occasions.Occasions`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, occasion: Occasion, deliveries: list[DeliveryRow]) -> bool:
        def add(connection: sqlite3.Connection) -> bool:
            if connection.execute(_ADD, values(occasion)).rowcount == 0:
                return False
            insert_deliveries(connection, deliveries)
            return True

        return await self._journal.write(add)

    async def get(self, event_id: str) -> Occasion | None:
        def query(connection: sqlite3.Connection) -> Occasion | None:
            row = connection.execute("SELECT * FROM occasions WHERE event_id = ?", (event_id,)).fetchone()
            return read(Occasion, row) if row else None

        return await self._journal.read(query)

    async def latest(self, prefix: str) -> float | None:
        def query(connection: sqlite3.Connection) -> float | None:
            found = connection.execute(
                "SELECT max(at) FROM occasions WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
            )
            return found.fetchone()[0]

        return await self._journal.read(query)
