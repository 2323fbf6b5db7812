"""Sealed values, on SQLite."""

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .sealed import Reseal, place_of

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_PLACES = (
    ("notes", ("scope", "name"), "value"),
    ("connections", ("name",), "secrets"),
    ("endpoints", ("id",), "secret"),
    ("secrets", ("name",), "value"),
)


class SqliteSealed:
    """See :class:`relay.journal.sealed.SealedStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def sample(self) -> list[tuple[bytes, str]]:
        def query(connection: sqlite3.Connection) -> list[tuple[bytes, str]]:
            found = (next(_values(connection, *place, " LIMIT 1"), None) for place in _PLACES)
            return [(value, place) for _, value, place in filter(None, found)]

        return await self._journal.read(query)

    async def reseal(self, renew: Reseal) -> int:
        return await self._journal.write(lambda connection: _reseal(connection, renew))


def _reseal(connection: sqlite3.Connection, renew: Reseal) -> int:
    renewed = [  # all of it before the first write: an error must leave nothing half done
        (table, column, renew(value, place), rowid)
        for table, keys, column in _PLACES
        for rowid, value, place in _values(connection, table, keys, column)
    ]
    for table, column, value, rowid in renewed:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))  # noqa: S608 (our own names)
    return len(renewed)


def _values(
    connection: sqlite3.Connection, table: str, keys: tuple[str, ...], column: str, most: str = ""
) -> Iterator[tuple[int, bytes, str]]:
    wanted = f"SELECT rowid, {column}, {', '.join(keys)} FROM {table} WHERE {column} IS NOT NULL{most}"  # noqa: S608 (our own names)
    for rowid, value, *key in connection.execute(wanted):
        yield rowid, value, place_of(table, *key)
