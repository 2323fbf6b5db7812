"""The outbox, the media it speaks of and the recipes it follows, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .model import DeliveryRow, Entry, MediaRow, Settlement
from .rows import insert, read, update, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_WAITS = frozenset({"waits_for"})
_INSERT = insert("deliveries", DeliveryRow, skip=_WAITS)
_IDENTITY = {
    "id",
    "task_id",
    "revision",
    "event_id",
    "recipe",
    "recipe_hash",
    "step",
    "use",
    "connection",
    "created_at",
}
_FIXED = _WAITS | _IDENTITY | {"blockers", "fence", "attempts"}
_UPDATE = update("deliveries", DeliveryRow, skip=_FIXED) + " WHERE id = ? AND fence = ? AND state = 'leased'"
_CLAIM = (
    "UPDATE deliveries SET state = 'leased', due_at = :until, fence = fence + 1, attempts = attempts + 1,"
    " updated_at = :now WHERE id IN (SELECT id FROM deliveries WHERE due_at <= :now ORDER BY due_at LIMIT :limit)"
    " RETURNING *"
)
_RELEASE = (
    "UPDATE deliveries SET blockers = blockers - 1, updated_at = :now,"
    " state = CASE WHEN blockers = 1 THEN 'due' ELSE state END,"
    " due_at = CASE WHEN blockers = 1 THEN :now ELSE due_at END"
    " WHERE state = 'waiting' AND id IN (SELECT delivery_id FROM waits WHERE waits_for = :done)"
)
_SEQ = frozenset({"seq"})
_INSERT_ENTRY = insert("history", Entry, skip=_SEQ)
_INSERT_MEDIA = insert("media", MediaRow).replace("INSERT", "INSERT OR REPLACE", 1)


class SqliteDeliveries:
    """See :class:`relay.journal.base.Deliveries`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def claim(self, now: float, limit: int, lease: float) -> list[DeliveryRow]:
        def claim(connection: sqlite3.Connection) -> list[DeliveryRow]:
            rows = connection.execute(_CLAIM, {"now": now, "until": now + lease, "limit": limit}).fetchall()
            return [read(DeliveryRow, row) for row in rows]

        return await self._journal.write(claim)

    async def renew(self, delivery_id: str, fence: int, until: float) -> bool:
        def renew(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE deliveries SET due_at = ? WHERE id = ? AND fence = ? AND state = 'leased'",
                (until, delivery_id, fence),
            )
            return done.rowcount == 1

        return await self._journal.write(renew)

    async def settle(self, settlement: Settlement) -> bool:
        return await self._journal.write(lambda connection: _settle(connection, settlement))

    async def get(self, delivery_id: str) -> DeliveryRow | None:
        rows = await self._rows("SELECT * FROM deliveries WHERE id = ?", delivery_id)
        return rows[0] if rows else None

    async def of_task(self, task_id: str) -> list[DeliveryRow]:
        return await self._rows("SELECT * FROM deliveries WHERE task_id = ? ORDER BY revision, id", task_id)

    async def next_due(self) -> float | None:
        return await self._journal.least("SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL")

    async def add_media(self, media: MediaRow) -> None:
        await self._journal.write(lambda connection: connection.execute(_INSERT_MEDIA, values(media)) and None)

    async def media(self, media_id: str) -> MediaRow | None:
        def query(connection: sqlite3.Connection) -> MediaRow | None:
            row = connection.execute("SELECT * FROM media WHERE id = ?", (media_id,)).fetchone()
            return read(MediaRow, row) if row else None

        return await self._journal.read(query)

    async def media_of(self, task_id: str, revision: int) -> list[MediaRow]:
        return await self._journal.read(
            lambda connection: [
                read(MediaRow, row)
                for row in connection.execute(
                    "SELECT * FROM media WHERE task_id = ? AND revision = ? ORDER BY position",
                    (task_id, revision),
                )
            ]
        )

    async def keep_recipe(self, hash: str, name: str, file: str, source: str) -> None:
        await self._journal.write(
            lambda connection: (
                connection.execute(
                    "INSERT OR IGNORE INTO recipes (hash, name, file, source) VALUES (?, ?, ?, ?)",
                    (hash, name, file, source),
                )
                and None
            )
        )

    async def recipe(self, hash: str) -> tuple[str, str] | None:
        def query(connection: sqlite3.Connection) -> tuple[str, str] | None:
            row = connection.execute("SELECT file, source FROM recipes WHERE hash = ?", (hash,)).fetchone()
            return (row["file"], row["source"]) if row else None

        return await self._journal.read(query)

    async def _rows(self, sql: str, *arguments: object) -> list[DeliveryRow]:
        return await self._journal.read(
            lambda connection: [read(DeliveryRow, row) for row in connection.execute(sql, arguments)]
        )


def insert_deliveries(connection: sqlite3.Connection, deliveries: list[DeliveryRow]) -> None:
    """Add planned deliveries with what they wait for."""
    for delivery in deliveries:
        connection.execute(_INSERT, values(delivery, skip=_WAITS))
        for waits_for in delivery.waits_for:
            connection.execute("INSERT INTO waits VALUES (?, ?)", (waits_for, delivery.id))


def append(connection: sqlite3.Connection, entries: list[Entry]) -> None:
    """Add lines to the history."""
    for entry in entries:
        connection.execute(_INSERT_ENTRY, values(entry, skip=_SEQ))


def _settle(connection: sqlite3.Connection, settlement: Settlement) -> bool:
    delivery = settlement.delivery
    done = connection.execute(_UPDATE, [*values(delivery, skip=_FIXED), delivery.id, delivery.fence])
    if done.rowcount == 0:
        return False
    if delivery.state == "done":
        connection.execute(_RELEASE, {"now": delivery.updated_at, "done": delivery.id})
    append(connection, settlement.history)
    insert_deliveries(connection, settlement.deliveries)
    return True
