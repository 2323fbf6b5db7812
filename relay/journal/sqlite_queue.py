"""The submission queue, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .model import Entry, Operation, OperationState
from .queue import Claimed, Due, Funds, Load
from .rows import read
from .sqlite_deliveries import append

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_RUNNING = "provider_id IS NOT NULL AND status NOT IN ('succeeded', 'failed', 'storyboard_ready', 'requires_action')"
# CROSS JOIN: the few operations of late first, or SQLite starts with the many tasks that are over.
_LOAD = (
    f"SELECT (SELECT count(*) FROM tasks WHERE {_RUNNING} AND updated_at > :seen) AS running,"  # noqa: S608 (our own)
    " (SELECT count(*) FROM operations WHERE state = 'sending') AS sending,"
    " (SELECT count(*) FROM operations WHERE state = 'unconfirmed' AND settled_at >= :since)"
    " + (SELECT count(*) FROM operations AS o CROSS JOIN tasks AS t ON t.id = o.task_id WHERE o.sent_at >= :since - 60"
    "    AND o.state = 'accepted' AND o.kind != 'create' AND o.settled_at >= :since"
    "    AND t.status IN ('succeeded', 'storyboard_ready', 'requires_action')) AS unsure"
)
_SHARES = (
    f"SELECT id, share, (SELECT count(*) FROM tasks WHERE client = api_keys.id AND {_RUNNING})"  # noqa: S608 (our own)
    " + (SELECT count(*) FROM operations WHERE client = api_keys.id AND state = 'sending')"
    " + (SELECT count(*) FROM operations WHERE client = api_keys.id AND state = 'unconfirmed') AS running"
    " FROM api_keys WHERE share IS NOT NULL"
)
_SPENT = (
    "SELECT unit, sum(cost) FROM operations WHERE sent_at >= ?"
    " AND state IN ('sending', 'accepted', 'unconfirmed') AND cost IS NOT NULL GROUP BY unit"
)
_RECENT = (
    "SELECT * FROM operations WHERE id < :before AND (:state IS NULL OR state = :state) ORDER BY id DESC LIMIT :limit"
)
_NEXT_PRIORITY = "SELECT max(priority) FROM operations WHERE state = 'queued' AND priority < ?"
_NEXT_LANE = (
    "SELECT client, batch FROM operations WHERE state = 'queued' AND priority = ? AND (client, batch) > (?, ?)"
    " ORDER BY client, batch LIMIT 1"
)
_FIRST_LANE = (
    "SELECT client, batch FROM operations WHERE state = 'queued' AND priority = ? ORDER BY client, batch LIMIT 1"
)
_HEAD = (
    "SELECT * FROM operations WHERE state = 'queued' AND priority = ? AND client = ? AND batch = ? AND due_at <= ?"
    " ORDER BY id LIMIT 1"
)
_SERVED = (
    "INSERT INTO turns (client, batch, served) VALUES (?, ?, ?)"
    " ON CONFLICT (client, batch) DO UPDATE SET served = excluded.served"
)
_TELL = (
    "UPDATE operations SET error = ? WHERE id IN (SELECT id FROM operations WHERE state = 'queued'"
    " ORDER BY priority DESC, client, batch, id LIMIT ?) AND "
)
_TOLD = _TELL + "error IS NOT ? RETURNING id, task_id"
_UNTOLD = _TELL + "error = ? RETURNING id, task_id"
_DURATIONS = (
    "SELECT t.workflow, f.at - o.settled_at FROM (SELECT * FROM finishes ORDER BY rowid DESC LIMIT ?) AS f"
    " JOIN tasks AS t ON t.id = f.task_id JOIN operations AS o ON o.task_id = f.task_id AND o.kind = 'create'"
    " WHERE f.revision = 1 AND f.event != 'task.failed' AND o.state = 'accepted' AND o.settled_at IS NOT NULL"
)

Lane = tuple[str, str]


class SqliteQueue:
    """See :class:`relay.journal.queue.QueueStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def claim(self, now: float, limit: int, lease: float, *, fresh: int, funds: Funds | None) -> Claimed:
        def claim(connection: sqlite3.Connection) -> Claimed:
            rows = connection.execute(
                "SELECT * FROM operations WHERE state = 'sending' AND due_at <= ? ORDER BY due_at LIMIT ?", (now, limit)
            ).fetchall()
            again = [read(Operation, row) for row in rows]
            for operation in again:
                _hand_out(connection, operation, now, lease)
            claimed = _fresh(connection, now, lease, min(fresh, limit - len(again)), funds)
            return Claimed([*again, *claimed.operations], claimed.short)

        return await self._journal.write(claim)

    async def due(self) -> Due:
        def query(connection: sqlite3.Connection) -> Due:
            least = "SELECT min(due_at) FROM operations WHERE state = "
            again = connection.execute(least + "'sending'").fetchone()[0]
            return Due(again, connection.execute(least + "'queued'").fetchone()[0])

        return await self._journal.read(query)

    async def load(self, since: float, seen_since: float) -> Load:
        def query(connection: sqlite3.Connection) -> Load:
            row = connection.execute(_LOAD, {"since": since, "seen": seen_since}).fetchone()
            return Load(**dict(row), spent=dict(connection.execute(_SPENT, (since,)).fetchall()))

        return await self._journal.read(query)

    async def recent(
        self, limit: int, before: str | None = None, state: OperationState | None = None
    ) -> list[Operation]:
        given = {"before": before or "~", "state": state, "limit": limit}
        return await self._journal.read(
            lambda connection: [read(Operation, row) for row in connection.execute(_RECENT, given)]
        )

    async def waiting(self) -> int:
        def query(connection: sqlite3.Connection) -> int:
            return connection.execute("SELECT count(*) FROM operations WHERE state = 'queued'").fetchone()[0]

        return await self._journal.read(query)

    async def told(self, now: float, kind: str, reason: str, limit: int) -> int:
        return await self._journal.write(
            lambda connection: _note(connection, _TOLD, (reason, limit, reason), now, kind, reason)
        )

    async def untold(self, now: float, kind: str, reason: str, limit: int) -> int:
        return await self._journal.write(
            lambda connection: _note(connection, _UNTOLD, (None, limit, reason), now, kind, reason)
        )

    async def reprioritise(self, task_id: str, priority: int) -> bool:
        def change(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE operations SET priority = ? WHERE task_id = ? AND state = 'queued'", (priority, task_id)
            )
            return changed.rowcount > 0

        return await self._journal.write(change)

    async def durations(self, limit: int) -> list[tuple[str, float]]:
        def query(connection: sqlite3.Connection) -> list[tuple[str, float]]:
            return [(row[0], row[1]) for row in connection.execute(_DURATIONS, (limit,))]

        return await self._journal.read(query)


def _note(
    connection: sqlite3.Connection, sql: str, arguments: tuple[object, ...], now: float, kind: str, reason: str
) -> int:
    rows = connection.execute(sql, arguments).fetchall()
    append(
        connection,
        [
            Entry(task_id=row["task_id"], at=now, kind=kind, data={"operation": row["id"], "reason": reason})
            for row in rows
        ],
    )
    return len(rows)


def _hand_out(connection: sqlite3.Connection, operation: Operation, now: float, lease: float) -> None:
    operation.fence += 1
    operation.attempts += 1
    operation.sent_at = now
    connection.execute(
        "UPDATE operations SET state = 'sending', due_at = ?, sent_at = ?, fence = ?, attempts = ? WHERE id = ?",
        (now + lease, now, operation.fence, operation.attempts, operation.id),
    )


def _fresh(connection: sqlite3.Connection, now: float, lease: float, count: int, funds: Funds | None) -> Claimed:
    claimed = Claimed()
    shares = _shares(connection)
    left = funds.amount if funds is not None else 0
    priority: int | None = 100
    while count > 0:
        priority = connection.execute(_NEXT_PRIORITY, (priority,)).fetchone()[0]
        if priority is None:
            break
        turns = _Turns(connection, priority)
        while count > 0 and (lane := turns.next()) is not None:
            row = connection.execute(_HEAD, (priority, *lane, now)).fetchone()
            if row is None or shares.get(lane[0], 1) <= 0:
                turns.leave(lane)
                continue
            operation = read(Operation, row)
            if funds is not None and operation.unit == funds.unit:
                left -= operation.cost or 0
                if left < 0 or funds.amount <= 0:
                    claimed.short = operation
                    return claimed
            _hand_out(connection, operation, now, lease)
            turns.serve(lane)
            claimed.operations.append(operation)
            if lane[0] in shares:
                shares[lane[0]] -= 1
            count -= 1
    return claimed


def _shares(connection: sqlite3.Connection) -> dict[str, int]:
    """How many more tasks of each client may run whose key has a share; an unconfirmed one may run too."""
    return {row["id"]: row["share"] - row["running"] for row in connection.execute(_SHARES)}


class _Turns:
    """Whose turn it is among the lanes of one priority: the client served longest ago, then its batch served longest
    ago. Only lanes with something queued are looked at, each by one step in the index."""

    def __init__(self, connection: sqlite3.Connection, priority: int) -> None:
        self._connection = connection
        self._lanes: dict[Lane, int] = dict.fromkeys(_lanes(connection, priority), 0)
        self._clients: dict[str, int] = {}
        for client in {client for client, _ in self._lanes}:
            known = connection.execute("SELECT batch, served FROM turns WHERE client = ?", (client,)).fetchall()
            self._clients[client] = max((row["served"] for row in known), default=0)
            for row in known:
                if (client, row["batch"]) in self._lanes:
                    self._lanes[client, row["batch"]] = row["served"]

    def next(self) -> Lane | None:
        return min(self._lanes, key=lambda lane: (self._clients[lane[0]], self._lanes[lane], lane), default=None)

    def leave(self, lane: Lane) -> None:
        """Nothing of this lane may go now."""
        del self._lanes[lane]

    def serve(self, lane: Lane) -> None:
        turn = (self._connection.execute("SELECT max(served) FROM turns").fetchone()[0] or 0) + 1
        self._connection.execute(_SERVED, (*lane, turn))
        self._lanes[lane] = self._clients[lane[0]] = turn


def _lanes(connection: sqlite3.Connection, priority: int) -> list[Lane]:
    found: list[Lane] = []
    row = connection.execute(_FIRST_LANE, (priority,)).fetchone()
    while row is not None:
        found.append((row["client"], row["batch"]))
        row = connection.execute(_NEXT_LANE, (priority, *found[-1])).fetchone()
    return found
