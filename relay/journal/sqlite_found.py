"""Deliveries looked up: what an attempt must know, what fits a filter, what is to be sent again."""

import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from .migrations.lanes import NOT_OVER, PARKED_OR_LEASED
from .model import Briefing, DeliveryFilter, DeliveryRow, DeliveryState, Finish, MediaRow, TaskRow
from .occasions import Occasion
from .rows import as_json, read

S = TypeVar("S", bound=msgspec.Struct)

_FINISH = ", ".join(Finish.__struct_fields__)
_OF_TASKS = "IN (SELECT value FROM json_each(:tasks))"
_OF_EVENTS = "IN (SELECT value FROM json_each(:events))"
_TASKS = f"SELECT * FROM tasks WHERE id {_OF_TASKS}"  # noqa: S608 (ours)
_FINISHES = (  # an event is a finish or an update of its task
    f"SELECT {_FINISH} FROM finishes WHERE event_id {_OF_EVENTS}"  # noqa: S608 (ours)
    f" UNION ALL SELECT {_FINISH} FROM updates WHERE event_id {_OF_EVENTS}"
)
_OCCASIONS = f"SELECT * FROM occasions WHERE event_id {_OF_EVENTS}"  # noqa: S608 (ours)
_MEDIA = f"SELECT * FROM media WHERE task_id {_OF_TASKS} ORDER BY position"  # noqa: S608 (ours)
_SIBLINGS = f"SELECT * FROM deliveries WHERE task_id {_OF_TASKS} ORDER BY revision, id"  # noqa: S608 (ours)
_AGAIN = (
    "UPDATE deliveries SET state = 'due', due_at = :now, updated_at = :now, failures = 0, probe = 0"
    " WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('dead', 'done') AND use <> 'when' RETURNING *"
)
_ANY = ("deliveries", "1")
_OPEN: tuple[DeliveryState, ...] = ("waiting", "due", "parked", "dead", "unrouted")
_BY_STATE: dict[DeliveryState, tuple[str, str]] = {
    "leased": ("deliveries INDEXED BY deliveries_lane_state", f"{PARKED_OR_LEASED} AND state = 'leased'"),
    "done": ("deliveries", "state = 'done'"),
    **{state: ("deliveries INDEXED BY deliveries_not_over", f"{NOT_OVER} AND state = '{state}'") for state in _OPEN},
}
"""What to read and one condition a state. Of millions, those that are not over are few: their indexes are named, or
SQLite may walk through everything in the order of ids to find none."""


def brief(connection: sqlite3.Connection, deliveries: Sequence[DeliveryRow]) -> list[Briefing]:
    """See :meth:`relay.journal.base.Deliveries.brief`."""
    given = {
        "tasks": as_json(list({row.task_id for row in deliveries})),
        "events": as_json(list({row.event_id for row in deliveries})),
    }

    def found(kind: type[S], sql: str) -> list[S]:
        return [read(kind, row) for row in connection.execute(sql, given).fetchall()]

    tasks = {task.id: task for task in found(TaskRow, _TASKS)}
    finishes = {finish.event_id: finish for finish in found(Finish, _FINISHES)}
    occasions = {occasion.event_id: occasion for occasion in found(Occasion, _OCCASIONS)}
    media, siblings = found(MediaRow, _MEDIA), found(DeliveryRow, _SIBLINGS)
    return [
        Briefing(
            task=tasks.get(row.task_id),
            finish=finishes.get(row.event_id),
            occasion=occasions.get(row.event_id),
            media=[one for one in media if (one.task_id, one.revision) == (row.task_id, row.revision)],
            siblings=[one for one in siblings if one.task_id == row.task_id],
        )
        for row in deliveries
    ]


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
