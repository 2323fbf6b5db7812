"""Sealed values, on SQLite."""

import sqlite3
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from .model import DeliveryRow
from .rows import as_json, read
from .sealed import LOST, Reseal, place_of
from .sqlite_held import hold_deliveries

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_PLACES = (
    ("notes", ("scope", "name"), "value"),
    ("connections", ("name",), "secrets"),
    ("endpoints", ("id",), "secret"),
    ("secrets", ("name",), "value"),
)
_KEPT = frozenset({"connections", "endpoints"})
"""Tables whose rows are more than their secret."""
_UNDER_WAY = (
    "SELECT * FROM deliveries WHERE state IN ('due', 'leased', 'parked') AND id IN (SELECT value FROM json_each(?))"
)
WITHOUT_NOTES = "its notes were sealed with a key that is lost: it may have arrived; replay it if it has not"


class SqliteSealed:
    """See :class:`relay.journal.sealed.SealedStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal
        self.at_start = False

    async def sample(self) -> list[tuple[bytes, str]]:
        return await self._journal.read(sample)

    async def all(self) -> list[tuple[bytes, str]]:
        def query(connection: sqlite3.Connection) -> list[tuple[bytes, str]]:
            return [(value, where) for place in _PLACES for _, value, where in _values(connection, *place)]

        return await self._journal.read(query)

    async def forget(self, places: Collection[str], now: float) -> int:
        return await self._journal.write(lambda connection: _forget(connection, places, now))

    async def reseal(self, renew: Reseal) -> int:
        return await self._journal.write(lambda connection: _reseal(connection, renew))


def sample(connection: sqlite3.Connection) -> list[tuple[bytes, str]]:
    """See :meth:`relay.journal.sealed.SealedStore.sample`."""
    found = (next(_values(connection, *place, " LIMIT 1"), None) for place in _PLACES)
    return [(value, place) for _, value, place in filter(None, found)]


def _forget(connection: sqlite3.Connection, places: Collection[str], now: float) -> int:
    noted: set[str] = set()
    for table, keys, column in _PLACES:
        gone = [(rowid, where) for rowid, _, where in _values(connection, table, keys, column) if where in places]
        change = f"UPDATE {table} SET {column} = ?" if table in _KEPT else f"DELETE FROM {table}"  # noqa: S608 (our own names)
        given = [(LOST, rowid) if table in _KEPT else (rowid,) for rowid, _ in gone]
        connection.executemany(f"{change} WHERE rowid = ?", given)
        noted |= {where.split("/")[1] for _, where in gone if table == "notes"}
    found = connection.execute(_UNDER_WAY, (as_json(sorted(noted)),)).fetchall()
    hold_deliveries(connection, [read(DeliveryRow, row) for row in found], now, WITHOUT_NOTES)
    return len(found)


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
    wanted = f"SELECT rowid, {column}, {', '.join(keys)} FROM {table} WHERE length({column}) > 0{most}"  # noqa: S608 (our own names)
    for rowid, value, *key in connection.execute(wanted):
        yield rowid, value, place_of(table, *key)
