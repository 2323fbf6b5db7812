"""The outbox, the media it speaks of and the recipes it follows, on SQLite."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING

import msgspec

from .lanes import LaneNews, LanePolicies
from .model import Briefing, DeliveryFilter, DeliveryRow, Entry, Finish, MediaRow, Settlement
from .occasions import Occasion
from .rows import as_json, in_bulk, insert, read, values
from .sqlite_found import again, brief, count, find
from .sqlite_lanes import NOT_WELL, claim, learn, next_due, park
from .sqlite_order import line_up, release

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
    "lane",
    "replay",
}
_FIXED = _WAITS | _IDENTITY | {"blockers", "fence"}
_RENEW = (
    "UPDATE deliveries SET due_at = :until WHERE state = 'leased' AND (id, fence) IN"
    " (SELECT value ->> 0, value ->> 1 FROM json_each(:held))"
)
_CHANGED = [name for name in DeliveryRow.__struct_fields__ if name not in _FIXED]
_SETTLE = (
    f"WITH settled(id, {', '.join(_CHANGED)}) AS (VALUES (?{', ?' * len(_CHANGED)}))"  # noqa: S608 (ours)
    f" UPDATE deliveries SET {', '.join(f'{name} = settled.{name}' for name in _CHANGED)}"
    " FROM settled WHERE deliveries.id = settled.id"
)
_AROUND = (
    "SELECT json_object("  # noqa: S608 (ours)
    "'leased', (SELECT json_group_array(json_array(deliveries.id, fence)) FROM json_each(:ids)"
    " CROSS JOIN deliveries ON deliveries.id = value AND state = 'leased'),"
    " 'awaited', (SELECT json_group_array(value) FROM json_each(:ids)"
    " WHERE EXISTS (SELECT 1 FROM waits WHERE waits_for = value)),"
    " 'ailing', (SELECT json_group_array(name) FROM json_each(:lanes)"
    f" CROSS JOIN lanes ON name = value AND {NOT_WELL}),"
    " 'paused', (SELECT count(*) FROM lanes WHERE paused_at IS NOT NULL))"
)
_ROUTED = "DELETE FROM deliveries WHERE event_id = ? AND state = 'unrouted'"
_FINISHES = "SELECT * FROM finishes WHERE (at, event_id) > (?, ?) AND at >= ? AND at <= ? ORDER BY at, event_id LIMIT ?"
_SEQ = frozenset({"seq"})
_INSERT_ENTRY = insert("history", Entry, skip=_SEQ)
_INSERT_OCCASION = insert("occasions", Occasion)
_INSERT_MEDIA = insert("media", MediaRow).replace("INSERT", "INSERT OR REPLACE", 1)
ORDINARY = LanePolicies({})
WELL = LaneNews(ok=True)


class _Around(msgspec.Struct):
    """What there is around deliveries that are to be settled."""

    leased: set[tuple[str, int]]
    """Those that are under way, with their fences."""
    awaited: set[str]
    """Those that others wait for."""
    ailing: set[str]
    """Those of their lanes that are not well."""
    paused: int
    """Lanes that are paused, of all."""


_around = msgspec.json.Decoder(_Around).decode


class SqliteDeliveries:
    """See :class:`relay.journal.base.Deliveries`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def claim(
        self, now: float, free: Callable[[], int], lease: float, policies: LanePolicies = ORDINARY
    ) -> list[Briefing]:
        return await self._journal.write(
            lambda connection: brief(connection, claim(connection, now, free(), lease, policies)), lasting=False
        )

    async def renew(self, held: Mapping[str, int], until: float) -> int:
        given = {"until": until, "held": as_json(list(held.items()))}
        return await self._journal.write(lambda connection: connection.execute(_RENEW, given).rowcount, lasting=False)

    async def settle(self, settlement: Settlement) -> bool:
        return await self._journal.write_to(_settle, settlement)

    async def get(self, delivery_id: str) -> DeliveryRow | None:
        rows = await self._rows("SELECT * FROM deliveries WHERE id = ?", delivery_id)
        return rows[0] if rows else None

    async def of_task(self, task_id: str) -> list[DeliveryRow]:
        return await self._rows("SELECT * FROM deliveries WHERE task_id = ? ORDER BY revision, id", task_id)

    async def next_due(self, now: float = 0.0, free: int = 1, policies: LanePolicies = ORDINARY) -> float | None:
        return await self._journal.read(lambda connection: next_due(connection, now, free, policies))

    async def find(self, wanted: DeliveryFilter, limit: int, before: str | None = None) -> list[DeliveryRow]:
        return await self._journal.read(lambda connection: find(connection, wanted, limit, before))

    async def count(self, wanted: DeliveryFilter) -> dict[str, int]:
        return await self._journal.read(lambda connection: count(connection, wanted))

    async def again(self, ids: Sequence[str], now: float) -> list[DeliveryRow]:
        return await self._journal.write(lambda connection: again(connection, ids, now))

    async def add(self, deliveries: list[DeliveryRow], history: list[Entry]) -> None:
        def add(connection: sqlite3.Connection) -> None:
            connection.executemany(_ROUTED, [(delivery.event_id,) for delivery in deliveries])
            insert_deliveries(connection, deliveries)
            append(connection, history)

        await self._journal.write(add)

    async def finishes(self, since: float, until: float, after: tuple[float, str], limit: int) -> list[Finish]:
        def query(connection: sqlite3.Connection) -> list[Finish]:
            rows = connection.execute(_FINISHES, (*after, since, until, limit))
            return [read(Finish, row) for row in rows]

        return await self._journal.read(query)

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
    """Add planned deliveries with what they wait for; those of a paused lane are parked."""
    for delivery in deliveries:
        delivery.lane = delivery.lane or delivery.connection or delivery.use
        waits = line_up(connection, delivery)
        if waits:
            delivery.state, delivery.due_at, delivery.blockers = "waiting", None, len(waits)
        connection.execute(_INSERT, values(delivery, skip=_WAITS))
        connection.executemany(
            "INSERT INTO waits (waits_for, delivery_id, kind) VALUES (?, ?, ?)",
            [(before, delivery.id, kind) for before, kind in waits],
        )
    if deliveries:
        park(connection)


def insert_occasions(connection: sqlite3.Connection, occasions: list[Occasion]) -> None:
    """Add what happened besides finishes."""
    for occasion in occasions:
        connection.execute(_INSERT_OCCASION, values(occasion))


def append(connection: sqlite3.Connection, entries: list[Entry]) -> None:
    """Add lines to the history."""
    in_bulk(connection, _INSERT_ENTRY, [values(entry, skip=_SEQ) for entry in entries])


def _settle(connection: sqlite3.Connection, settlements: list[Settlement]) -> list[bool]:
    """What comes in dozens, each statement once for all of them; whose lease was lost is left out."""
    ids = as_json([settlement.delivery.id for settlement in settlements])
    lanes = as_json(list({settlement.delivery.lane for settlement in settlements}))
    around = _around(connection.execute(_AROUND, {"ids": ids, "lanes": lanes}).fetchone()[0])
    held = [(settlement.delivery.id, settlement.delivery.fence) in around.leased for settlement in settlements]
    ours = list(compress(settlements, held))
    over = [settlement.delivery for settlement in ours]
    in_bulk(connection, _SETTLE, [[delivery.id, *values(delivery, skip=_FIXED)] for delivery in over])
    for delivery in over:
        if delivery.state == "dead" or delivery.id in around.awaited:
            release(connection, delivery)
    _learn(connection, ours, around.ailing)
    append(connection, [entry for settlement in ours for entry in settlement.history])
    for settlement in ours:
        insert_occasions(connection, settlement.occasions)
        insert_deliveries(connection, settlement.deliveries)
    if around.paused:
        park(connection)
    return held


def _learn(connection: sqlite3.Connection, settlements: list[Settlement], ailing: set[str]) -> None:
    """A success tells nothing new of a lane that is well."""
    for settlement in settlements:
        news, lane = settlement.lane, settlement.delivery.lane
        if news is None or (news == WELL and lane not in ailing):
            continue
        learn(connection, settlement.delivery, news, settlement.delivery.updated_at)
        (ailing.discard if news == WELL else ailing.add)(lane)
