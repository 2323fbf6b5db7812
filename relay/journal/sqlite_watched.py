"""Watched rows, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from .batches import RowTask
from .model import Entry
from .rows import insert, read, values
from .sqlite_batches import TASK_COLUMNS
from .sqlite_deliveries import append
from .watched import CLIENT, Spending, WatchedRow, WatchedTask

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_PUT = insert("watched_rows", WatchedRow).replace("INSERT", "INSERT OR REPLACE", 1)
_JSON = ("written", "pending", "held")
_OPEN = (
    f"SELECT watched_rows.id AS row_id, 0 AS number, {TASK_COLUMNS}"  # noqa: S608 (our own words)
    " FROM watched_rows JOIN tasks ON tasks.id = watched_rows.task_id WHERE watched_rows.sheet = ?"
    " AND (NOT watched_rows.done OR tasks.updated_at > watched_rows.updated_at)"
)
_SPENDING = (
    "SELECT workflow, request, status, observed FROM tasks"
    " WHERE batch = ? AND batch != '' AND client = ? AND created_at >= ?"
)


class SqliteWatched:
    """See :class:`relay.journal.watched.WatchedStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def rows(self, sheet: str) -> list[WatchedRow]:
        def query(connection: sqlite3.Connection) -> list[WatchedRow]:
            found = connection.execute("SELECT * FROM watched_rows WHERE sheet = ?", (sheet,))
            return [_row(row) for row in found]

        return await self._journal.read(query)

    async def put(self, rows: Sequence[WatchedRow], history: Sequence[Entry] = ()) -> None:
        changed = [values(row) for row in rows]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_PUT, changed)
            append(connection, [*history])

        if rows or history:
            await self._journal.write(write)

    async def memory(self, sheet: str) -> bytes | None:
        def query(connection: sqlite3.Connection) -> bytes | None:
            found = connection.execute("SELECT memory FROM watched_sheets WHERE sheet = ?", (sheet,)).fetchone()
            return found["memory"] if found else None

        return await self._journal.read(query)

    async def remember(self, sheet: str, memory: bytes) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO watched_sheets (sheet, memory) VALUES (?, ?)", (sheet, memory))

        await self._journal.write(write)

    async def open(self, sheet: str) -> list[WatchedTask]:
        def query(connection: sqlite3.Connection) -> list[WatchedTask]:
            return [WatchedTask(row["row_id"], read(RowTask, row)) for row in connection.execute(_OPEN, (sheet,))]

        return await self._journal.read(query)

    async def spending(self, sheet: str, since: float) -> list[Spending]:
        def query(connection: sqlite3.Connection) -> list[Spending]:
            return [Spending(*row) for row in connection.execute(_SPENDING, (sheet, f"{CLIENT}{sheet}", since))]

        return await self._journal.read(query)


def _row(row: sqlite3.Row) -> WatchedRow:
    fields = dict(zip(row.keys(), row, strict=True))
    return msgspec.convert(
        fields | {name: msgspec.json.decode(fields[name]) for name in _JSON}, WatchedRow, strict=False
    )
