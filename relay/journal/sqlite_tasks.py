"""Tasks, their operations and their history, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from relay.contract import TERMINAL

from .base import Conflict, Superseded
from .model import Change, Entry, Finish, Operation, TaskRow
from .rows import as_json, insert, read, update, values
from .sqlite_deliveries import append, insert_deliveries, insert_occasions
from .sqlite_ledger import book

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_TASK_FIXED = frozenset(
    {"id", "version", "polls", "woken_at", "hint_receipt", "next_poll_at", "client_key", "client", "batch", "tags"}
    | {"row_identity", "row_version", "recipes"}
)
_INSERT_TASK = insert("tasks", TaskRow)
# A webhook that came in since the task was read keeps its hint and its poll: this change cannot know of it.
_UNLESS_WOKEN = "CASE WHEN woken_at IS ? THEN ? ELSE {0} END"
_UPDATE_TASK = (
    update("tasks", TaskRow, skip=_TASK_FIXED)
    + ", version = version + 1"
    + ", next_poll_at = "
    + _UNLESS_WOKEN.format("next_poll_at")
    + ", hint_receipt = "
    + _UNLESS_WOKEN.format("hint_receipt")
    + " WHERE id = ? AND version = ?"
)
_POLLED = (
    "UPDATE tasks SET poll_failures = CASE WHEN ? THEN poll_failures + 1 ELSE 0 END, next_poll_at = "  # noqa: S608 (ours)
    + _UNLESS_WOKEN.format("next_poll_at")
    + " WHERE id = ?"
)
_ASKING_FOR = (
    "SELECT count(*) FROM tasks WHERE status NOT IN (SELECT value FROM json_each(?))"
    " AND ? IN (SELECT value FROM json_each(recipes))"
)
_INSERT_OPERATION = insert("operations", Operation)
_OPERATION_FIXED = frozenset(
    {"id", "task_id", "kind", "body", "created_at", "fence", "target", "client_key", "priority"}
)  # the priority may have been changed since the operation was read
_UPDATE_OPERATION = update("operations", Operation, skip=_OPERATION_FIXED) + " WHERE id = ? AND fence = ?"
_INSERT_FINISH = insert("finishes", Finish)
_INSERT_UPDATE = insert("updates", Finish)
KEY_SECONDS = 86400.0
"""How long a client's idempotency key is honoured; then it is free again."""


S = TypeVar("S", bound=msgspec.Struct)


class SqliteTasks:
    """See :class:`relay.journal.base.Tasks`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def create(self, task: TaskRow, operation: Operation, entry: Entry, *, once: bool = False) -> TaskRow:
        return await self._journal.write(lambda connection: _create(connection, task, operation, entry, once))

    async def operate(self, operation: Operation, entry: Entry) -> Operation:
        return await self._journal.write(lambda connection: _operate(connection, operation, entry))

    async def apply(self, change: Change) -> None:
        await self._journal.write(lambda connection: _apply(connection, change))

    async def note(self, entry: Entry) -> None:
        await self._journal.write(lambda connection: append(connection, [entry]))

    async def get(self, task_id: str) -> TaskRow | None:
        rows = await self._rows(TaskRow, "SELECT * FROM tasks WHERE id = ?", task_id)
        return rows[0] if rows else None

    async def asking_for(self, recipe: str) -> int:
        given = (as_json(sorted(TERMINAL)), recipe)
        return await self._journal.read(lambda connection: connection.execute(_ASKING_FOR, given).fetchone()[0])

    async def by_provider_id(self, provider_id: str) -> TaskRow | None:
        rows = await self._rows(TaskRow, "SELECT * FROM tasks WHERE provider_id = ?", provider_id)
        return rows[0] if rows else None

    async def recent(
        self, limit: int, before: str | None = None, batch: str | None = None, statuses: Sequence[str] = ()
    ) -> list[TaskRow]:
        wanted: dict[str, object] = {}
        if batch is not None:
            wanted["batch = ? AND batch != ''"] = batch
        if before is not None:
            wanted["id < ?"] = before
        # one walk down an index a status: together they would be sorted, a million at a time
        found: list[TaskRow] = []
        for status in statuses or [None]:
            conditions = {**wanted, **({"status = ?": status} if status is not None else {})}
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            sql = f"SELECT * FROM tasks {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 (our own words)
            found += await self._rows(TaskRow, sql, *conditions.values(), limit)
        return sorted(found, key=lambda task: task.id, reverse=True)[:limit]

    async def count(self, statuses: Sequence[str]) -> int:
        sql = "SELECT count(*) FROM tasks WHERE status IN (SELECT value FROM json_each(?))"
        wanted = msgspec.json.encode(list(statuses)).decode()
        return await self._journal.read(lambda connection: connection.execute(sql, (wanted,)).fetchone()[0])

    async def finished_since(self, at: float) -> dict[str, int]:
        sql = "SELECT event, count(*) FROM finishes WHERE at >= ? GROUP BY event"
        return await self._journal.read(lambda connection: dict(connection.execute(sql, (at,)).fetchall()))

    async def history(self, task_id: str) -> list[Entry]:
        def query(connection: sqlite3.Connection) -> list[Entry]:
            rows = connection.execute("SELECT * FROM history WHERE task_id = ? ORDER BY seq", (task_id,))
            return [_entry(row) for row in rows]

        return await self._journal.read(query)

    async def finishes(self, task_id: str) -> list[Finish]:
        return await self._rows(Finish, "SELECT * FROM finishes WHERE task_id = ? ORDER BY revision", task_id)

    async def operations(self, task_id: str) -> list[Operation]:
        return await self._rows(Operation, "SELECT * FROM operations WHERE task_id = ? ORDER BY id", task_id)

    async def unconfirmed(self) -> list[Operation]:
        return await self._rows(Operation, "SELECT * FROM operations WHERE state = 'unconfirmed' ORDER BY sent_at")

    async def claim_polls(self, now: float, limit: int, lease: float) -> list[TaskRow]:
        def claim(connection: sqlite3.Connection) -> list[TaskRow]:
            rows = connection.execute(
                "UPDATE tasks SET next_poll_at = ?, polls = polls + 1 WHERE id IN"
                " (SELECT id FROM tasks WHERE next_poll_at <= ? ORDER BY next_poll_at LIMIT ?) RETURNING *",
                (now + lease, now, limit),
            ).fetchall()
            return [read(TaskRow, row) for row in rows]

        return await self._journal.write(claim)

    async def polled(self, task: TaskRow, next_poll_at: float | None, *, failed: bool) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_POLLED, (failed, task.woken_at, next_poll_at, task.id))

        await self._journal.write(write)

    async def next_poll(self) -> float | None:
        return await self._journal.least("SELECT min(next_poll_at) FROM tasks WHERE next_poll_at IS NOT NULL")

    async def _rows(self, struct: type[S], sql: str, *arguments: object) -> list[S]:
        return await self._journal.read(
            lambda connection: [read(struct, row) for row in connection.execute(sql, arguments)]
        )


def _create(connection: sqlite3.Connection, task: TaskRow, operation: Operation, entry: Entry, once: bool) -> TaskRow:
    if task.client_key is not None:
        row = connection.execute("SELECT * FROM tasks WHERE client_key = ?", (task.client_key,)).fetchone()
        if row is not None and row["created_at"] > task.created_at - KEY_SECONDS:
            return read(TaskRow, row)
        connection.execute("UPDATE tasks SET client_key = NULL WHERE client_key = ?", (task.client_key,))
    if task.row_identity is not None:
        asked = "SELECT * FROM tasks WHERE row_identity = ? ORDER BY row_version = ? DESC, id DESC LIMIT 1"
        row = connection.execute(asked, (task.row_identity, task.row_version)).fetchone()
        if row is not None and (once or row["row_version"] == task.row_version):
            return read(TaskRow, row)
    connection.execute(_INSERT_TASK, values(task))
    connection.execute(_INSERT_OPERATION, values(operation))
    append(connection, [entry])
    return task


def _operate(connection: sqlite3.Connection, operation: Operation, entry: Entry) -> Operation:
    if operation.client_key is not None:
        row = connection.execute("SELECT * FROM operations WHERE client_key = ?", (operation.client_key,)).fetchone()
        if row is not None and row["created_at"] > operation.created_at - KEY_SECONDS:
            return read(Operation, row)
        connection.execute("UPDATE operations SET client_key = NULL WHERE client_key = ?", (operation.client_key,))
    under_way = connection.execute(
        "SELECT kind, state FROM operations WHERE task_id = ? AND state IN ('queued', 'sending', 'unconfirmed')",
        (operation.task_id,),
    ).fetchone()
    if under_way is not None:
        raise Conflict(f"the task has another operation under way: {under_way['kind']} is {under_way['state']}")
    connection.execute(_INSERT_OPERATION, values(operation))
    append(connection, [entry])
    return operation


def _apply(connection: sqlite3.Connection, change: Change) -> None:
    task, operation = change.task, change.operation
    if operation is not None:
        fence = connection.execute("SELECT fence FROM operations WHERE id = ?", (operation.id,)).fetchone()
        if fence is None or fence[0] != operation.fence:
            raise Superseded(f"operation {operation.id} was taken over by another worker")
    guarded = [task.woken_at, task.next_poll_at, task.woken_at, task.hint_receipt, task.id, task.version]
    done = connection.execute(_UPDATE_TASK, [*values(task, skip=_TASK_FIXED), *guarded])
    if done.rowcount == 0:
        raise Conflict(f"task {task.id} changed meanwhile")
    if operation is not None:
        connection.execute(
            _UPDATE_OPERATION,
            [*values(operation, skip=_OPERATION_FIXED), operation.id, operation.fence],
        )
        _pick_up_early_receipts(connection, task)
    append(connection, change.history)
    book(connection, task, change.ledger)
    if change.finish is not None:
        connection.execute(_INSERT_FINISH, values(change.finish))
    if change.update is not None:
        connection.execute(_INSERT_UPDATE, values(change.update))
    insert_occasions(connection, change.occasions)
    insert_deliveries(connection, change.deliveries)


def _pick_up_early_receipts(connection: sqlite3.Connection, task: TaskRow) -> None:
    """A webhook can be faster than the answer to the create; until now nobody knew whose it was."""
    row = connection.execute(
        "SELECT id, received_at FROM receipts WHERE provider_task_id = ? AND verdict = 'accepted'"
        " ORDER BY received_at DESC LIMIT 1",
        (task.provider_id,),
    ).fetchone()
    if row is not None:
        connection.execute(
            "UPDATE tasks SET hint_receipt = ?, woken_at = ?, next_poll_at = ? WHERE id = ?",
            (row["id"], row["received_at"], row["received_at"], task.id),
        )


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        task_id=row["task_id"],
        at=row["at"],
        kind=row["kind"],
        data=msgspec.json.decode(row["data"]),
        seq=row["seq"],
    )
