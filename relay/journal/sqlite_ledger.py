"""The money ledger, on SQLite."""

import sqlite3
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from relay.contract import Unit

from .ledger import Balance, Baseline, By, LedgerSum
from .model import LedgerLine, TaskRow
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_BOOK = (
    "INSERT INTO ledger (at, day, task_id, operation_id, client, batch, kind, amount, unit, told_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LATEST = "SELECT id FROM operations WHERE task_id = ? AND state = 'accepted' ORDER BY id DESC LIMIT 1"
_COLUMNS: dict[By, str] = {"task": "task_id", "batch": "batch", "client": "client", "day": "day"}
_KINDS = ", ".join(
    f"sum(CASE kind WHEN '{kind}' THEN amount ELSE 0 END) AS {kind}"
    for kind in ("reserved", "charged", "settled", "refunded")
)
_SUMS = (
    "SELECT {column} AS name, unit, count(DISTINCT task_id) AS tasks, {kinds} FROM ledger"
    " WHERE at >= ? AND at < ? AND {column} > ? GROUP BY {column}, unit ORDER BY {column}, unit LIMIT ?"
)
_BALANCE = (
    "SELECT (SELECT count(*) FROM tasks WHERE provider_id IS NOT NULL AND provider_id != '') AS tasks,"
    " coalesce(sum(CASE kind WHEN 'settled' THEN amount END), 0) AS settled,"
    " coalesce(sum(CASE kind WHEN 'refunded' THEN amount END), 0) AS refunded FROM ledger WHERE unit = ?"
)


class SqliteLedger:
    """See :class:`relay.journal.ledger.LedgerStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def sums(self, by: By, since: float, until: float, limit: int, after: str = "") -> list[LedgerSum]:
        sql = _SUMS.format(column=_COLUMNS[by], kinds=_KINDS)
        if not after:  # an empty name, such as of tasks without a batch, comes first
            sql = sql.replace(f"{_COLUMNS[by]} > ?", f"{_COLUMNS[by]} >= ?")

        def query(connection: sqlite3.Connection) -> list[LedgerSum]:
            return [read(LedgerSum, row) for row in connection.execute(sql, (since, until, after, limit))]

        return await self._journal.read(query)

    async def balance(self, unit: Unit) -> Balance:
        def query(connection: sqlite3.Connection) -> Balance:
            return read(Balance, connection.execute(_BALANCE, (unit,)).fetchone())

        return await self._journal.read(query)

    async def baseline(self, provider: str) -> Baseline | None:
        def query(connection: sqlite3.Connection) -> Baseline | None:
            row = connection.execute("SELECT * FROM baselines WHERE provider = ?", (provider,)).fetchone()
            return read(Baseline, row) if row else None

        return await self._journal.read(query)

    async def begin(self, baseline: Baseline) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM baselines WHERE provider = ? AND unit != ?", (baseline.provider, baseline.unit)
            )
            connection.execute(insert("baselines", Baseline).replace("INSERT", "INSERT OR IGNORE", 1), values(baseline))

        await self._journal.write(write)


def book(connection: sqlite3.Connection, task: TaskRow, lines: Sequence[LedgerLine]) -> None:
    """Append ``lines``, in the transaction of the news that brought them."""
    if not lines:
        return
    latest = connection.execute(_LATEST, (task.id,)).fetchone()
    for line in lines:
        operation = line.operation_id or (latest[0] if latest else "")
        day = time.strftime("%Y-%m-%d", time.gmtime(line.at))
        connection.execute(
            _BOOK,
            (
                line.at,
                day,
                task.id,
                operation,
                task.client,
                task.batch,
                line.kind,
                line.amount,
                line.unit,
                line.told_by,
            ),
        )
