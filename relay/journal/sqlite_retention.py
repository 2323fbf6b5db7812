"""What is forgotten by age, on SQLite: what was told and done about work that is over.

Nothing goes that something unfinished may still ask for: a delivery that has not arrived (a dead letter too), a task
that is polled, an operation that is not settled. Tasks, finishes, their deliveries, files and the money stay for ever.
"""

import sqlite3

_OVER = "('done', 'unrouted', 'dismissed')"
"""Deliveries that nobody waits for."""
_QUIET = (
    "tasks.next_poll_at IS NULL AND tasks.finished_at IS NOT NULL"  # noqa: S608 (ours)
    " AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.task_id = tasks.id"
    " AND operations.state IN ('queued', 'sending', 'unconfirmed'))"
    " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.task_id = tasks.id"
    f" AND deliveries.state NOT IN {_OVER})"
)
"""A task of which nothing is left to do."""
_RECEIPTS = (
    "DELETE FROM receipts WHERE rowid IN (SELECT rowid FROM receipts WHERE received_at < :before"
    " AND id NOT IN (SELECT hint_receipt FROM tasks WHERE hint_receipt IS NOT NULL) LIMIT :limit)"
)
# History is written in the order of time: what follows the first line that is young enough need not be looked at.
_HISTORY = (
    "DELETE FROM history WHERE seq IN (SELECT seq FROM history JOIN tasks ON tasks.id = history.task_id"  # noqa: S608 (ours)
    " WHERE history.at < :before AND history.seq < coalesce("
    "(SELECT seq FROM history WHERE at >= :before ORDER BY seq LIMIT 1), 9e18)"
    f" AND {_QUIET} ORDER BY seq LIMIT :limit)"
)
_NOTES_OF_DELIVERIES = (
    "DELETE FROM notes WHERE rowid IN (SELECT notes.rowid FROM notes JOIN deliveries ON deliveries.id = notes.scope"  # noqa: S608 (ours)
    f" WHERE notes.updated_at < :before AND deliveries.state IN {_OVER} LIMIT :limit)"
)
_NOTES_OF_TASKS = (
    "DELETE FROM notes WHERE rowid IN (SELECT notes.rowid FROM notes"  # noqa: S608 (ours)
    " JOIN tasks ON tasks.id = substr(notes.scope, 1, instr(notes.scope, '/') - 1)"
    f" WHERE notes.updated_at < :before AND {_QUIET} LIMIT :limit)"
)
_NOTICES = "DELETE FROM notices WHERE rowid IN (SELECT rowid FROM notices WHERE at < :before LIMIT :limit)"
_OLD_EVENTS = (
    "SELECT event_id FROM {table} AS old WHERE at < :before"  # noqa: S608 (ours)
    f" AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = old.event_id AND state NOT IN {_OVER})"
)
_UPDATES = _OLD_EVENTS.format(table="updates") + " LIMIT :limit"
# The last hour at which a recipe fired is kept, so that the relay knows which of them have been.
_OCCASIONS = (
    _OLD_EVENTS.format(table="occasions")  # noqa: S608 (ours)
    + " AND (event <> 'schedule' OR EXISTS (SELECT 1 FROM occasions AS later"
    " WHERE later.at > old.at AND later.event = 'schedule'"
    " AND rtrim(later.key, '0123456789') = rtrim(old.key, '0123456789'))) LIMIT :limit"
)
# With an event that is no finish go its deliveries, what they noted, and their lines if they are of no task.
_WITH_AN_EVENT = (
    "DELETE FROM notes WHERE scope IN (SELECT id FROM deliveries WHERE event_id = :event)",
    "DELETE FROM notes WHERE scope >= :event || '/' AND scope < :event || '0'",
    "DELETE FROM history WHERE task_id = :event",
    "DELETE FROM deliveries WHERE event_id = :event",
    "DELETE FROM updates WHERE event_id = :event",
    "DELETE FROM occasions WHERE event_id = :event",
)


def forget(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """See :meth:`relay.journal.base.Journal.forget`."""
    given = {"before": before, "limit": limit}
    plain = (_RECEIPTS, _HISTORY, _NOTES_OF_DELIVERIES, _NOTES_OF_TASKS, _NOTICES)
    count = sum(connection.execute(statement, given).rowcount for statement in plain)
    for events in (_UPDATES, _OCCASIONS):
        for (event,) in connection.execute(events, given).fetchall():
            count += 1
            for statement in _WITH_AN_EVENT:
                connection.execute(statement, {"event": event})
    return count
