"""Deliveries looked up: what an attempt must know, what fits a filter, what is to be sent again."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from .migrations.lanes import NOT_OVER, PARKED_OR_LEASED
from .model import Briefing, DeliveryFilter, DeliveryRow, DeliveryState, Finish, MediaRow, TaskRow
from .occasions import Occasion
from .rows import as_json, convert, read

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", MediaRow, DeliveryRow)

_PARTS: dict[str, type[msgspec.Struct]] = {"d": DeliveryRow, "t": TaskRow, "f": Finish, "u": Finish, "o": Occasion}
_NAMES = {struct: [name for name in struct.__struct_fields__ if name != "waits_for"] for struct in _PARTS.values()}
_COLUMNS = ", ".join(f'{alias}."{name}"' for alias, struct in _PARTS.items() for name in _NAMES[struct])
_BRIEF = (  # an event is a finish or an update of its task, or an occasion
    f"SELECT {_COLUMNS}, (SELECT count(*) FROM media WHERE media.task_id = d.task_id) AS files,"  # noqa: S608 (ours)
    " (SELECT count(*) FROM deliveries WHERE deliveries.task_id = d.task_id) AS of_task"
    " FROM json_each(:ids) CROSS JOIN deliveries d ON d.id = value LEFT JOIN tasks t ON t.id = d.task_id"
    " LEFT JOIN finishes f ON f.event_id = d.event_id LEFT JOIN updates u ON u.event_id = d.event_id"
    " LEFT JOIN occasions o ON o.event_id = d.event_id"
)
_OF_TASKS = "IN (SELECT value FROM json_each(?))"
_MEDIA = f"SELECT * FROM media WHERE task_id {_OF_TASKS} ORDER BY position"  # noqa: S608 (ours)
_SIBLINGS = f"SELECT * FROM deliveries WHERE task_id {_OF_TASKS} ORDER BY revision, id"  # noqa: S608 (ours)
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
    """Deliveries with what attempts at them must know, in the order of ``ids``: one row each, and more only for those
    that have files or are not the only one of their task."""
    if not ids:
        return []
    found = connection.execute(_BRIEF, {"ids": as_json(ids)}).fetchall()
    media = _by_task(connection, MediaRow, _MEDIA, [row["task_id"] for row in found if row["files"]])
    siblings = _by_task(connection, DeliveryRow, _SIBLINGS, [row["task_id"] for row in found if row["of_task"] > 1])
    return [_briefing(row, media, siblings) for row in found]


def _briefing(
    row: sqlite3.Row, media: Mapping[str, list[MediaRow]], siblings: Mapping[str, list[DeliveryRow]]
) -> Briefing:
    values = iter(row)
    delivery, task = _part(values, DeliveryRow), _part(values, TaskRow)
    finish, change, occasion = _part(values, Finish), _part(values, Finish), _part(values, Occasion)
    assert delivery is not None, "it was just handed out"
    return Briefing(
        delivery=delivery,
        task=task,
        finish=finish or change,
        occasion=occasion,
        media=[one for one in media.get(delivery.task_id, []) if one.revision == delivery.revision],
        siblings=siblings.get(delivery.task_id, [delivery]),
    )


def _part(values: Iterator[Any], struct: type[S]) -> S | None:
    """The next struct of a row that holds several; ``None`` if there was nothing to join."""
    names = _NAMES[struct]
    part = list(islice(values, len(names)))
    return None if part[0] is None else convert(struct, names, part)


def _by_task(connection: sqlite3.Connection, struct: type[T], sql: str, tasks: list[str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for row in connection.execute(sql, (as_json(tasks),)) if tasks else ():
        one = read(struct, row)
        found.setdefault(one.task_id, []).append(one)
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
