"""What waits for what, on SQLite: steps for the steps before them, and a destination's deliveries of one task for those
of its earlier revisions."""

import sqlite3

from .model import DeliveryRow

UNORDERED = "archive"
"""The lane of the store: files of two revisions lie side by side, so neither waits for the other."""

_EARLIER = (
    "SELECT id, state FROM deliveries WHERE task_id = ? AND revision < ? AND lane = ?"
    " AND state IN ('waiting', 'due', 'leased', 'parked')"
)
_STUCK = (
    "WITH RECURSIVE before(id) AS (SELECT waits_for FROM waits WHERE delivery_id = :id AND kind = 'step'"
    " UNION SELECT waits_for FROM waits JOIN before ON waits.delivery_id = before.id AND kind = 'step')"
    " SELECT 1 FROM before JOIN deliveries USING (id) WHERE state = 'dead' LIMIT 1"
)
_BEHIND = (
    "WITH RECURSIVE behind(id) AS (SELECT :id"
    " UNION SELECT delivery_id FROM waits JOIN behind ON waits.waits_for = behind.id AND kind = 'step')"
    " SELECT id FROM behind"
)
_RELEASE = (
    "UPDATE deliveries SET blockers = blockers - 1, updated_at = :now,"
    " state = CASE WHEN blockers = 1 THEN 'due' ELSE state END,"
    " due_at = CASE WHEN blockers = 1 THEN :now ELSE due_at END"
    " WHERE state = 'waiting' AND id IN (SELECT delivery_id FROM waits WHERE waits_for = :over AND kind = :kind)"
)
_FORGET = "DELETE FROM waits WHERE waits_for = :over AND kind = :kind"


def line_up(connection: sqlite3.Connection, delivery: DeliveryRow) -> list[tuple[str, str]]:
    """``(waits for, kind)`` of a delivery about to be written: its steps, and what its destination is still to get of
    the task's earlier revisions. What can only move when a person replays a dead letter is not waited for."""
    waits = [(before, "step") for before in delivery.waits_for]
    if (
        delivery.revision > 1
        and delivery.task_id
        and delivery.lane != UNORDERED
        and delivery.state in ("due", "waiting")
    ):
        earlier = connection.execute(_EARLIER, (delivery.task_id, delivery.revision, delivery.lane)).fetchall()
        waits += [
            (row["id"], "order") for row in earlier if row["state"] != "waiting" or not _stuck(connection, row["id"])
        ]
    return waits


def _stuck(connection: sqlite3.Connection, id: str) -> bool:
    return connection.execute(_STUCK, {"id": id}).fetchone() is not None


def release(connection: sqlite3.Connection, delivery: DeliveryRow) -> None:
    """A delivery is over: done, it frees all that waited for it; dead, only what waited for its turn (and for the turn
    of the steps that it leaves stuck)."""
    now = delivery.updated_at
    if delivery.state == "done":
        _free(connection, delivery.id, now, ("step", "order"))
    elif delivery.state == "dead":
        for row in connection.execute(_BEHIND, {"id": delivery.id}).fetchall():
            _free(connection, row["id"], now, ("order",))


def _free(connection: sqlite3.Connection, over: str, now: float, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        connection.execute(_RELEASE, {"now": now, "over": over, "kind": kind})
        connection.execute(_FORGET, {"over": over, "kind": kind})
