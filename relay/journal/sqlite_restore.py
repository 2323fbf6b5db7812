"""Makes the copy of a journal one that can be served without paying or delivering anything twice, on SQLite."""

import sqlite3

from .model import DeliveryRow
from .restored import Held, Restored
from .rows import read
from .sqlite_held import hold_deliveries

_LAST = "SELECT at, taken_at FROM restores ORDER BY at DESC LIMIT 1"
_OPERATIONS = (
    "UPDATE operations SET error = coalesce(error || '; ', '') || :sent WHERE state = 'unconfirmed'",
    "INSERT INTO history (task_id, at, kind, data) SELECT task_id, :at, 'operation.unconfirmed',"
    " json_object('operation', id, 'attempt', attempts, 'reason', :sent)"
    " FROM operations WHERE state IN ('queued', 'sending')",
    # the truth may tell what became of an edit or a compose
    "UPDATE tasks SET next_poll_at = :at WHERE provider_id IS NOT NULL"
    " AND id IN (SELECT task_id FROM operations WHERE state IN ('queued', 'sending'))",
    "UPDATE operations SET state = 'unconfirmed', error = :sent, due_at = NULL, settled_at = :at, fence = fence + 1"
    " WHERE state IN ('queued', 'sending')",
    # asked for at the next start; this is how the sheet's taker knows that they are to be held
    "UPDATE watched_rows SET error = :sent WHERE state = 'taking'",
)
_FIRST = (
    "SELECT * FROM deliveries WHERE recipe <> 'archive' AND (state IN ('due', 'leased', 'parked')"
    " OR (state = 'waiting' AND NOT EXISTS (SELECT 1 FROM waits JOIN deliveries AS earlier"
    " ON earlier.id = waits.waits_for WHERE waits.delivery_id = deliveries.id AND waits.kind = 'step'"
    " AND earlier.recipe <> 'archive')))"
)
"""The archive is our own store, where twice is once. What waits for a step of its recipe waits on, behind a dead
letter."""
_COUNTS = (
    "SELECT (SELECT count(*) FROM operations WHERE state IN ('queued', 'sending')) AS operations,"
    " (SELECT count(*) FROM operations WHERE state = 'unconfirmed') AS unconfirmed,"
    " (SELECT count(*) FROM deliveries WHERE recipe <> 'archive' AND state IN ('due', 'leased', 'parked', 'waiting'))"
    " AS deliveries,"
    " (SELECT count(*) FROM tasks WHERE provider_id IS NOT NULL AND status NOT IN ('succeeded', 'failed'))"
    " AS open_tasks,"
    " (SELECT count(*) FROM rows JOIN batches ON batches.id = rows.batch_id"
    " WHERE batches.state = 'running' AND rows.state = 'new' AND rows.task_id IS NULL) AS rows"
)


def last_restore(connection: sqlite3.Connection) -> Restored | None:
    """The last time that this journal was put back from a copy; ``None``: never."""
    row = connection.execute(_LAST).fetchone()
    return read(Restored, row) if row else None


def hold(connection: sqlite3.Connection, restored: Restored) -> Held:
    """Note that the journal is ``restored``, and hold whatever may have been sent since, in one transaction. The
    connection's rows are :class:`sqlite3.Row`."""
    connection.execute("BEGIN IMMEDIATE")
    held = read(Held, connection.execute(_COUNTS).fetchone())
    words = {"at": restored.at, "sent": restored.may_be_paid}
    for statement in _OPERATIONS:
        connection.execute(statement, words)
    first = [read(DeliveryRow, row) for row in connection.execute(_FIRST).fetchall()]
    hold_deliveries(connection, first, restored.at, restored.may_have_arrived)
    connection.execute("INSERT INTO restores (at, taken_at) VALUES (?, ?)", (restored.at, restored.taken_at))
    connection.execute("COMMIT")
    return held
