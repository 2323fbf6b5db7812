"""Deliveries looked up: what an attempt must know, what fits a filter, what is to be sent again."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from .migrations.lanes import NOT_OVER, PARKED_OR_LEASED
from .model import Briefing, DeliveryFilter, DeliveryRow, DeliveryState, Finish, MediaRow, TaskRow
from .occasions import Occasion
from .rows import as_json, read

R = TypeVar("R", MediaRow, DeliveryRow)
T = TypeVar("T", Finish, Occasion)


class _Known(msgspec.Struct):
    """What attempts at some deliveries must know, each thing once."""

    deliveries: list[DeliveryRow]
    """All of the same tasks."""
    tasks: list[TaskRow]
    media: list[MediaRow]
    finishes: list[Finish]
    updates: list[Finish]
    occasions: list[Occasion]


_known = msgspec.json.Decoder(_Known, strict=False).decode


def _all(struct: type[msgspec.Struct], table: str, column: str, of: str, order: str = "") -> str:
    """SQL for a JSON list of all that a table knows of what was handed out. CROSS JOIN: looked up, never searched."""
    names = [name for name in struct.__struct_fields__ if name != "waits_for"]
    pairs = ", ".join(f"'{name}', \"{name}\"" for name in names)
    return (
        f"'{table}', (SELECT json_group_array(json_object({pairs})) FROM (SELECT {table}.* FROM"  # noqa: S608 (ours)
        f" (SELECT DISTINCT {of} AS wanted FROM handed) CROSS JOIN {table} ON {table}.{column} = wanted {order}))"
    )


# One row, and so one step, in which the interpreter's lock is away. Its numbers are rounded to 15 digits: seconds to
# hundred thousandths, which is enough to speak of.
_BRIEF = (
    "WITH handed AS MATERIALIZED"  # noqa: S608 (ours)
    " (SELECT task_id, event_id FROM json_each(:ids) CROSS JOIN deliveries ON deliveries.id = value)"
    " SELECT json_object("
    + ", ".join(
        (
            _all(DeliveryRow, "deliveries", "task_id", "task_id", "ORDER BY revision, deliveries.id"),
            _all(TaskRow, "tasks", "id", "task_id"),
            _all(MediaRow, "media", "task_id", "task_id", "ORDER BY position"),
            _all(Finish, "finishes", "event_id", "event_id"),
            _all(Finish, "updates", "event_id", "event_id"),
            _all(Occasion, "occasions", "event_id", "event_id"),
        )
    )
    + ")"
)
_AGAIN = (
    "UPDATE deliveries SET state = 'due', due_at = :now, updated_at = :now, failures = 0, probe = 0"
    " WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('dead', 'done') AND use <> 'when' RETURNING *"
)
_ANY = ("deliveries", "1")
_OPEN: tuple[DeliveryState, ...] = ("waiting", "due", "parked", "dead", "unrouted", "dismissed")
_BY_STATE: dict[DeliveryState, tuple[str, str]] = {
    "leased": ("deliveries INDEXED BY deliveries_lane_state", f"{PARKED_OR_LEASED} AND state = 'leased'"),
    "done": ("deliveries", "state = 'done'"),
    **{state: ("deliveries INDEXED BY deliveries_not_over", f"{NOT_OVER} AND state = '{state}'") for state in _OPEN},
}
"""What to read and one condition a state. Of millions, those that are not over are few: their indexes are named, or
SQLite may walk through everything in the order of ids to find none."""


def brief(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Briefing]:
    """Deliveries with what attempts at them must know, in the order of ``ids``."""
    if not ids:
        return []
    known = _known(connection.execute(_BRIEF, {"ids": as_json(ids)}).fetchone()[0])
    deliveries = {delivery.id: delivery for delivery in known.deliveries}
    siblings, media = _by_task(known.deliveries), _by_task(known.media)
    tasks = {task.id: task for task in known.tasks}
    finishes, occasions = _by_event([*known.updates, *known.finishes]), _by_event(known.occasions)
    return [
        Briefing(
            delivery=delivery,
            task=tasks.get(delivery.task_id),
            finish=finishes.get(delivery.event_id),
            occasion=occasions.get(delivery.event_id),
            media=[one for one in media.get(delivery.task_id, ()) if one.revision == delivery.revision],
            siblings=siblings[delivery.task_id],
        )
        for delivery in (deliveries[one] for one in ids)
    ]


def _by_event(events: Iterable[T]) -> dict[str, T]:
    return {event.event_id: event for event in events}


def _by_task(rows: Iterable[R]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(row.task_id, []).append(row)
    return found


def find(connection: sqlite3.Connection, wanted: DeliveryFilter, limit: int, before: str | None) -> list[DeliveryRow]:
    """See :meth:`relay.journal.base.Deliveries.find`."""
    found: list[DeliveryRow] = []
    for table, state in _states(wanted):
        where, given = _where(wanted, state)
        if before is not None:
            where, given = f"{where} AND id < :before", {**given, "before": before}
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY id DESC LIMIT :limit"  # noqa: S608 (ours)
        found += [read(DeliveryRow, row) for row in connection.execute(sql, {**given, "limit": limit})]
    return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


def count(connection: sqlite3.Connection, wanted: DeliveryFilter) -> dict[str, int]:
    """See :meth:`relay.journal.base.Deliveries.count`."""
    counted: dict[str, int] = {}
    for table, state in _states(wanted):
        where, given = _where(wanted, state)
        sql = f'SELECT "use", count(*) FROM {table} WHERE {where} GROUP BY "use"'  # noqa: S608 (ours)
        for use, number in connection.execute(sql, given):
            counted[use] = counted.get(use, 0) + number
    return counted


def again(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> list[DeliveryRow]:
    """See :meth:`relay.journal.base.Deliveries.again`."""
    given = {"ids": msgspec.json.encode(list(ids)).decode(), "now": now}
    return [read(DeliveryRow, row) for row in connection.execute(_AGAIN, given).fetchall()]


def _states(wanted: DeliveryFilter) -> list[tuple[str, str]]:
    return [_BY_STATE[state] for state in wanted.states] if wanted.states else [_ANY]


def _where(wanted: DeliveryFilter, state: str) -> tuple[str, dict[str, Any]]:
    given: dict[str, Any] = {}
    conditions = [state]
    for name in ("recipe", "connection", "lane", "task_id"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f'"{name}" = :{name}')
            given[name] = value
    if wanted.ids:
        conditions.append("id IN (SELECT value FROM json_each(:ids))")
        given["ids"] = msgspec.json.encode(wanted.ids).decode()
    for name, comparison in (("since", "created_at >= :since"), ("until", "created_at <= :until")):
        if getattr(wanted, name) is not None:
            conditions.append(comparison)
            given[name] = getattr(wanted, name)
    if wanted.error is not None:
        conditions.append("instr(lower(error), lower(:error)) > 0")
        given["error"] = wanted.error
    return " AND ".join(conditions), given
