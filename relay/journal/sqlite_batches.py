"""Batches and their rows, on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .batches import BatchRow, Known, RowState, RowTask, SheetRow
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

S = TypeVar("S", bound=msgspec.Struct)
_INSERT_BATCH = insert("batches", BatchRow)
_INSERT_ROW = insert("rows", SheetRow)
_MOST_ARGUMENTS = 500
TASK_COLUMNS = (
    "tasks.id AS task_id, tasks.status, tasks.observed, tasks.created_at, tasks.finished_at,"
    " tasks.confirmed, EXISTS (SELECT 1 FROM deliveries WHERE deliveries.task_id = tasks.id"
    " AND deliveries.recipe = 'archive' AND deliveries.state NOT IN ('done', 'dead', 'dismissed')) AS archiving,"
    " (SELECT media.id || '/' || media.name FROM media WHERE media.task_id = tasks.id"
    " AND media.revision = tasks.revision AND media.position = 0) AS media"
)
"""How the task of a row stands: the columns of a :class:`RowTask` but its number."""
_TASKS = (
    f"SELECT rows.number, {TASK_COLUMNS}"  # noqa: S608 (our own words)
    " FROM rows JOIN tasks ON tasks.id = rows.task_id WHERE rows.batch_id = ?"
)
_AMONG = "IN (SELECT value FROM json_each(?))"


class SqliteBatches:
    """See :class:`relay.journal.batches.BatchStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, batch: BatchRow, rows: Sequence[SheetRow]) -> None:
        def add(connection: sqlite3.Connection) -> None:
            connection.execute(_INSERT_BATCH, values(batch))
            connection.executemany(_INSERT_ROW, [values(row) for row in rows])

        await self._journal.write(add)

    async def get(self, batch_id: str) -> BatchRow | None:
        found = await self._all(BatchRow, "SELECT * FROM batches WHERE id = ?", batch_id)
        return found[0] if found else None

    async def recent(self, limit: int, before: str | None = None) -> list[BatchRow]:
        sql = "SELECT * FROM batches WHERE id < ? ORDER BY id DESC LIMIT ?"
        return await self._all(BatchRow, sql, before or "~", limit)

    async def running(self) -> list[BatchRow]:
        return await self._all(BatchRow, "SELECT * FROM batches WHERE state = 'running' ORDER BY id")

    async def rows(self, batch_id: str) -> list[SheetRow]:
        return await self._all(SheetRow, "SELECT * FROM rows WHERE batch_id = ? ORDER BY number", batch_id)

    async def page(
        self,
        batch_id: str,
        limit: int,
        after: int = 0,
        *,
        states: Sequence[RowState] = (),
        statuses: Sequence[str] = (),
    ) -> list[SheetRow]:
        sql, given = "SELECT rows.* FROM rows WHERE batch_id = ? AND number > ?", [batch_id, after]
        if states:
            sql, given = f"{sql} AND state {_AMONG}", [*given, _json(states)]
        if statuses:
            sql = f"{sql} AND EXISTS (SELECT 1 FROM tasks WHERE tasks.id = rows.task_id AND tasks.status {_AMONG})"  # noqa: S608 (ours)
            given = [*given, _json(statuses)]
        return await self._all(SheetRow, f"{sql} ORDER BY number LIMIT ?", *given, limit)

    async def known(self, identities: Sequence[str]) -> list[Known]:
        found: list[Known] = []
        for start in range(0, len(identities), _MOST_ARGUMENTS):
            some = identities[start : start + _MOST_ARGUMENTS]
            sql = (
                "SELECT row_identity AS identity, row_version AS version, id AS task_id, status FROM tasks"  # noqa: S608 (only ?)
                f" WHERE row_identity IN ({', '.join('?' * len(some))}) ORDER BY id"
            )
            found += await self._all(Known, sql, *some)
        return found

    async def start(self, batch_id: str, rows: Sequence[SheetRow], now: float) -> bool:
        def start(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE batches SET state = 'running', started_at = ? WHERE id = ? AND state = 'planned'",
                (now, batch_id),
            )
            if done.rowcount == 0:
                return False
            connection.execute("DELETE FROM rows WHERE batch_id = ?", (batch_id,))
            connection.executemany(_INSERT_ROW, [values(row) for row in rows])
            return True

        return await self._journal.write(start)

    async def amend(self, batch_id: str, rows: Sequence[SheetRow]) -> bool:
        def amend(connection: sqlite3.Connection) -> bool:
            found = connection.execute("SELECT 1 FROM batches WHERE id = ? AND state = 'planned'", (batch_id,))
            if found.fetchone() is None:
                return False
            numbers = [(batch_id, row.number) for row in rows]
            connection.executemany("DELETE FROM rows WHERE batch_id = ? AND number = ?", numbers)
            connection.executemany(_INSERT_ROW, [values(row) for row in rows])
            return True

        return await self._journal.write(amend)

    async def submitted(self, batch_id: str, tasks: Mapping[int, str]) -> None:
        rows = [(task_id, batch_id, number) for number, task_id in tasks.items()]
        sql = "UPDATE rows SET task_id = ? WHERE batch_id = ? AND number = ?"
        await self._journal.write(lambda connection: connection.executemany(sql, rows) and None)

    async def complete(self, batch_id: str, now: float) -> bool:
        sql = "UPDATE batches SET state = 'completed', finished_at = ? WHERE id = ? AND state = 'running'"
        return await self._journal.write(lambda connection: connection.execute(sql, (now, batch_id)).rowcount == 1)

    async def tasks(self, batch_id: str, numbers: Sequence[int] | None = None) -> list[RowTask]:
        some, given = ("", []) if numbers is None else (f" AND rows.number {_AMONG}", [_json(numbers)])
        return await self._all(RowTask, f"{_TASKS}{some} ORDER BY rows.number", batch_id, *given)

    async def _all(self, struct: type[S], sql: str, *arguments: object) -> list[S]:
        return await self._journal.read(
            lambda connection: [read(struct, row) for row in connection.execute(sql, arguments)]
        )


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()
