"""What came in, on SQLite: the hot path of the whole relay, so receipts are written many to a statement."""

import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from .model import Receipt, Received, Verdict
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

MOST_PER_STATEMENT = 64
_INSERT = insert("receipts", Receipt)
_ONE_MORE = (
    " ON CONFLICT (event_id, verdict) WHERE event_id IS NOT NULL AND verdict IN ('accepted', 'stale')"
    " DO UPDATE SET seen = seen + 1 RETURNING id"
)
_SHOWN = ", ".join(name for name in Receipt.__struct_fields__ if name != "body")
_RECENT = (
    f"SELECT {_SHOWN} FROM receipts WHERE id < :before AND (:verdict IS NULL OR verdict = :verdict)"  # noqa: S608 (ours)
    " ORDER BY id DESC LIMIT :limit"
)
_WAKE = (
    "UPDATE tasks SET next_poll_at = min(coalesce(next_poll_at, :at), :at), woken_at = :at,"
    " hint_receipt = CASE WHEN :hint THEN :receipt ELSE hint_receipt END WHERE provider_id = :task"
)


class SqliteReceipts:
    """See :class:`relay.journal.base.Receipts`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, receipt: Receipt) -> Received:
        return await self._journal.write_to(_add, receipt)

    async def get(self, receipt_id: str) -> Receipt | None:
        def query(connection: sqlite3.Connection) -> Receipt | None:
            row = connection.execute("SELECT * FROM receipts WHERE id = ?", (receipt_id,)).fetchone()
            return read(Receipt, row) if row else None

        return await self._journal.read(query)

    async def unclaimed(self, since: float) -> list[str]:
        def query(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT DISTINCT provider_task_id FROM receipts WHERE received_at >= ? AND verdict = 'accepted'"
                " AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.provider_id = receipts.provider_task_id)"
                " ORDER BY received_at LIMIT 100",
                (since,),
            )
            return [row[0] for row in rows]

        return await self._journal.read(query)

    async def recent(self, limit: int, before: str | None = None, verdict: Verdict | None = None) -> list[Receipt]:
        def query(connection: sqlite3.Connection) -> list[Receipt]:
            given = {"before": before or "~", "verdict": verdict, "limit": limit}
            return [read(Receipt, row) for row in connection.execute(_RECENT, given)]

        return await self._journal.read(query)

    async def of_task(self, provider_task_id: str) -> list[Receipt]:
        def query(connection: sqlite3.Connection) -> list[Receipt]:
            rows = connection.execute(
                "SELECT * FROM receipts WHERE provider_task_id = ? ORDER BY received_at, id", (provider_task_id,)
            )
            return [read(Receipt, row) for row in rows]

        return await self._journal.read(query)


def _add(connection: sqlite3.Connection, receipts: list[Receipt]) -> list[Received]:
    results: list[Received] = []
    for start in range(0, len(receipts), MOST_PER_STATEMENT):
        results += _add_some(connection, receipts[start : start + MOST_PER_STATEMENT])
    return results


def _add_some(connection: sqlite3.Connection, receipts: list[Receipt]) -> list[Received]:
    arguments = [value for receipt in receipts for value in values(receipt)]
    kept = {row[0] for row in connection.execute(_insert_many(len(receipts)), arguments).fetchall()}
    news = [receipt for receipt in receipts if receipt.id in kept and receipt.verdict in ("accepted", "stale")]
    ours = _known_tasks(connection, news)
    for receipt in news:
        if receipt.provider_task_id in ours:
            connection.execute(
                _WAKE,
                {
                    "at": receipt.received_at,
                    "task": receipt.provider_task_id,
                    "receipt": receipt.id,
                    "hint": receipt.verdict == "accepted",
                },
            )
    awake = {receipt.id for receipt in news}
    return [
        Received(receipt.id in kept, ours.get(receipt.provider_task_id) if receipt.id in awake else None)
        for receipt in receipts
    ]


def _known_tasks(connection: sqlite3.Connection, receipts: list[Receipt]) -> dict[str | None, str]:
    if not receipts:
        return {}
    named = [receipt.provider_task_id for receipt in receipts]
    return dict(connection.execute(_select_tasks(len(named)), named).fetchall())


@cache
def _insert_many(count: int) -> str:
    head, _, row = _INSERT.partition(" VALUES ")
    return f"{head} VALUES {', '.join([row] * count)}{_ONE_MORE}"


@cache
def _select_tasks(count: int) -> str:
    return f"SELECT provider_id, id FROM tasks WHERE provider_id IN ({', '.join('?' * count)})"  # noqa: S608 (only ?)
