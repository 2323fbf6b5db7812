"""Events and what became of them at endpoints, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .model import DeliveryRow, Finish
from .rows import insert, read, values
from .sqlite_lanes import park

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_FIELDS = ", ".join(Finish.__struct_fields__)
_HAPPENED = f"SELECT * FROM (SELECT {_FIELDS} FROM finishes UNION ALL SELECT {_FIELDS} FROM updates) AS happened"  # noqa: S608 (our own names)
_WAITS = frozenset({"waits_for"})
_SEND_AGAIN = (
    insert("deliveries", DeliveryRow, skip=_WAITS)
    + " ON CONFLICT (event_id, recipe, step, replay) DO UPDATE SET state = 'due', due_at = excluded.due_at,"
    " failures = 0, error = NULL, blockers = 0, updated_at = excluded.updated_at"
    " WHERE state IN ('done', 'dead', 'dismissed')"
)


class SqliteEvents:
    """See :class:`relay.journal.endpoints.EventStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def get(self, event_id: str) -> Finish | None:
        def query(connection: sqlite3.Connection) -> Finish | None:
            row = connection.execute(f"{_HAPPENED} WHERE happened.event_id = ?", (event_id,)).fetchone()
            return read(Finish, row) if row else None

        return await self._journal.read(query)

    async def recent(
        self,
        limit: int,
        *,
        owner: str | None = None,
        events: tuple[str, ...] = (),
        since: float = 0.0,
        until: float | None = None,
        event_id: str | None = None,
    ) -> list[Finish]:
        where = ["happened.at >= ?"]
        found: list[object] = [since]
        if until is not None:
            where.append("happened.at < ?")
            found.append(until)
        if events:
            where.append(f"happened.event IN ({', '.join('?' * len(events))})")
            found += events
        if event_id is not None:
            where.append("happened.event_id = ?")
            found.append(event_id)
        if owner is not None:
            where.append("happened.task_id IN (SELECT id FROM tasks WHERE client = ?)")
            found.append(owner)
        sql = f"{_HAPPENED} WHERE {' AND '.join(where)} ORDER BY happened.at DESC, happened.event_id DESC LIMIT ?"
        return await self._journal.read(
            lambda connection: [read(Finish, row) for row in connection.execute(sql, [*found, limit])]
        )

    async def deliveries(self, endpoint_id: str, limit: int, before: str | None = None) -> list[DeliveryRow]:
        return await self._journal.read(
            lambda connection: [
                read(DeliveryRow, row)
                for row in connection.execute(
                    "SELECT * FROM deliveries WHERE use = 'endpoint' AND step = ? AND id < ? ORDER BY id DESC LIMIT ?",
                    (endpoint_id, before or "~", limit),
                )
            ]
        )

    async def send_again(self, deliveries: list[DeliveryRow]) -> int:
        def send(connection: sqlite3.Connection) -> int:
            sent = sum(
                connection.execute(_SEND_AGAIN, values(delivery, skip=_WAITS)).rowcount for delivery in deliveries
            )
            park(connection)
            return sent

        return await self._journal.write(send)
