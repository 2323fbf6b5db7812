"""Deliveries that nobody knows the fate of become dead letters, which only a person moves, on SQLite."""

import sqlite3
from collections.abc import Sequence

from .model import DeliveryRow
from .sqlite_order import release

_DEAD = (
    "UPDATE deliveries SET state = 'dead', due_at = NULL, blockers = 0, error = :why, updated_at = :at,"
    " fence = fence + 1 WHERE id = :id",
    "DELETE FROM waits WHERE delivery_id = :id",
    "INSERT INTO history (task_id, at, kind, data) SELECT task_id, :at, 'delivery.held', json_object("
    "'delivery', id, 'recipe', recipe, 'step', step, 'use', \"use\", 'attempt', attempts, 'error', :why)"
    " FROM deliveries WHERE id = :id",
)


def hold_deliveries(connection: sqlite3.Connection, rows: Sequence[DeliveryRow], at: float, why: str) -> None:
    """Hold all of ``rows``; steps behind one of them wait on, and the turn at its destination passes to the next."""
    for delivery in rows:
        for statement in _DEAD:
            connection.execute(statement, {"at": at, "why": why, "id": delivery.id})
    for delivery in rows:
        delivery.state, delivery.updated_at = "dead", at
        release(connection, delivery)
