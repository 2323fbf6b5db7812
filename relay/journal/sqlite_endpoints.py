"""Customers' endpoints and notices, on SQLite."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .endpoints import EndpointRow, Notice
from .model import Entry
from .rows import insert, read, values
from .sqlite_deliveries import append

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_INSERT = insert("endpoints", EndpointRow)
_INSERT_NOTICE = insert("notices", Notice)


class SqliteEndpoints:
    """See :class:`relay.journal.endpoints.EndpointStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, endpoint: EndpointRow) -> None:
        await self._journal.write(lambda connection: connection.execute(_INSERT, values(endpoint)) and None)

    async def get(self, endpoint_id: str) -> EndpointRow | None:
        rows = await self._rows("SELECT * FROM endpoints WHERE id = ?", endpoint_id)
        return rows[0] if rows else None

    async def all(self) -> list[EndpointRow]:
        return await self._rows("SELECT * FROM endpoints ORDER BY id")

    async def active(self) -> list[EndpointRow]:
        return await self._rows("SELECT * FROM endpoints WHERE status = 'active' ORDER BY id")

    async def change(self, endpoint_id: str, changes: Mapping[str, Any]) -> EndpointRow | None:
        unknown = changes.keys() - set(EndpointRow.__struct_fields__)
        assert not unknown, f"no fields of an endpoint: {unknown}"
        assignments = ", ".join(f'"{name}" = ?' for name in changes)
        statement = f"UPDATE endpoints SET {assignments} WHERE id = ?"  # noqa: S608 (our own names)
        await self._journal.write(
            lambda connection: connection.execute(statement, [*changes.values(), endpoint_id]) and None
        )
        return await self.get(endpoint_id)

    async def remove(self, endpoint_id: str) -> bool:
        return await self._journal.write(
            lambda connection: connection.execute("DELETE FROM endpoints WHERE id = ?", (endpoint_id,)).rowcount == 1
        )

    async def failed(self, endpoint_id: str, at: float) -> EndpointRow | None:
        before = await self.get(endpoint_id)
        if before is None or before.failing_since is not None:
            return before
        await self._journal.write(
            lambda connection: (
                connection.execute(
                    "UPDATE endpoints SET failing_since = ? WHERE id = ? AND failing_since IS NULL", (at, endpoint_id)
                )
                and None
            )
        )
        return await self.get(endpoint_id)

    async def delivered(self, endpoint_id: str) -> None:
        await self._journal.write(
            lambda connection: (
                connection.execute("UPDATE endpoints SET failing_since = NULL WHERE id = ?", (endpoint_id,)) and None
            )
        )

    async def give_up(self, endpoint_id: str, reason: str, notice: Notice, entry: Entry) -> bool:
        return await self._journal.write(lambda connection: _give_up(connection, endpoint_id, reason, notice, entry))

    async def notices(self, limit: int) -> list[Notice]:
        return await self._journal.read(
            lambda connection: [
                read(Notice, row)
                for row in connection.execute("SELECT * FROM notices ORDER BY id DESC LIMIT ?", (limit,))
            ]
        )

    async def _rows(self, sql: str, *arguments: object) -> list[EndpointRow]:
        return await self._journal.read(
            lambda connection: [read(EndpointRow, row) for row in connection.execute(sql, arguments)]
        )


def _give_up(connection: sqlite3.Connection, endpoint_id: str, reason: str, notice: Notice, entry: Entry) -> bool:
    hook = connection.execute("DELETE FROM endpoints WHERE id = ? AND kind = 'hook'", (endpoint_id,))
    disabled = connection.execute(
        "UPDATE endpoints SET status = 'disabled', disabled_reason = ?, updated_at = ?"
        " WHERE id = ? AND status = 'active'",
        (reason, notice.at, endpoint_id),
    )
    if hook.rowcount + disabled.rowcount == 0:
        return False
    connection.execute(_INSERT_NOTICE, values(notice))
    append(connection, [entry])
    return True
