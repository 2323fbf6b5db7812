"""Lanes on SQLite: who may go next, what an attempt tells of its lane, pause and resume."""

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .lanes import BREAK_AFTER, COOL_FIRST, COOL_MOST, GIVE_UP, LaneNews, LanePolicies, LaneRow, LaneUse
from .migrations.lanes import NOT_OVER, PARKED_OR_LEASED
from .model import DeliveryRow
from .rows import as_json, in_bulk, read

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

R = TypeVar("R", bound=LaneRow)
CHUNK = 1000
"""Rows parked or freed in one transaction."""

# A few index look-ups a lane, however many deliveries wait in it (`+` and CROSS JOIN keep the planner to that).
_DUE_LANES = (
    "WITH RECURSIVE named(name) AS (SELECT min(lane) FROM deliveries WHERE due_at IS NOT NULL UNION ALL"  # noqa: S608 (ours)
    " SELECT (SELECT min(lane) FROM deliveries WHERE due_at IS NOT NULL AND lane > named.name)"
    " FROM named WHERE named.name IS NOT NULL)"
    " SELECT lanes.*, named.name AS lane,"
    " (SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL AND lane = named.name) AS first_due,"
    f" (SELECT count(*) FROM deliveries WHERE {PARKED_OR_LEASED} AND state = 'leased' AND lane = named.name"
    " AND +due_at > :now) AS leased"
    " FROM named LEFT JOIN lanes ON lanes.name = named.name WHERE named.name IS NOT NULL"
)
_FIRST = (
    "SELECT json_group_object(value, (SELECT json_group_array(id) FROM (SELECT id FROM deliveries"
    " WHERE lane = named.value AND due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :most)))"
    " FROM json_each(:lanes) AS named"
)
_CLAIM = (
    "UPDATE deliveries SET state = 'leased', due_at = :until, fence = fence + 1,"
    " attempts = attempts + (handed.probe <> 1), probe = handed.probe, updated_at = :now"
    " FROM (SELECT value ->> 0 AS id, value ->> 1 AS probe FROM json_each(:handed)) AS handed"
    " WHERE deliveries.id = handed.id"
)
_CLAIMED = (
    "INSERT INTO lanes (name, claimed_at, next_at, failing, probes) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET claimed_at = excluded.claimed_at, next_at = excluded.next_at"
)
_PARK = (
    "UPDATE deliveries SET state = 'parked', due_at = NULL WHERE id IN (SELECT deliveries.id FROM lanes"  # noqa: S608 (ours)
    " CROSS JOIN deliveries ON deliveries.lane = lanes.name AND deliveries.due_at IS NOT NULL"
    f" WHERE lanes.paused_at IS NOT NULL AND deliveries.state = 'due' LIMIT {CHUNK})"
)
_FREE = (
    "UPDATE deliveries SET state = 'due', due_at = :now, updated_at = :now WHERE id IN (SELECT id FROM deliveries"  # noqa: S608 (ours)
    f" WHERE {PARKED_OR_LEASED} AND lane = :lane AND state = 'parked' LIMIT {CHUNK})"
)
# What failed while its destination was down need not sit out its wait.
_HURRY = "UPDATE deliveries SET due_at = :now WHERE lane = :lane AND due_at > :now AND state = 'due'"
_ALL = (
    "WITH busy AS (SELECT lane, sum(state = 'due') AS due, sum(state = 'parked') AS parked FROM deliveries"  # noqa: S608 (ours)
    f" WHERE {NOT_OVER} AND state IN ('due', 'parked') GROUP BY lane),"
    f" held AS (SELECT lane, sum(state = 'leased') AS leased FROM deliveries WHERE {PARKED_OR_LEASED} GROUP BY lane),"
    " named AS (SELECT lane AS name FROM busy UNION SELECT lane FROM held UNION SELECT name FROM lanes)"
    " SELECT lanes.*, named.name AS lane, coalesce(busy.due, 0) AS due, coalesce(busy.parked, 0) AS parked,"
    " coalesce(held.leased, 0) AS leased FROM named LEFT JOIN lanes ON lanes.name = named.name"
    " LEFT JOIN busy ON busy.lane = named.name LEFT JOIN held ON held.lane = named.name ORDER BY named.name"
)
_first = msgspec.json.Decoder(dict[str, list[str]]).decode
NOT_WELL = "(failing <> '[]' OR opened_at IS NOT NULL OR error IS NOT NULL)"
_USE = (
    "SELECT ? AS name, max(CASE WHEN attempts > 0 THEN updated_at END) AS used_at,"
    " max(CASE WHEN state = 'done' THEN updated_at END) AS done_at, sum(state = 'dead') AS dead"
    " FROM (SELECT attempts, state, updated_at FROM deliveries WHERE lane = ? ORDER BY id DESC LIMIT ?) HAVING count(*)"
)


class _Due(LaneRow):
    """A lane with due work, when it may go next, and how many of it may."""

    first_due: float = 0.0

    def opens_at(self) -> float:
        """When its next delivery may go, room aside."""
        return max(self.first_due, self.held_until or 0.0, self.next_at or 0.0)

    def gave_up(self, now: float) -> bool:
        """Whether its breaker has been open for too long to hold anything back."""
        return self.opened_at is not None and now - self.opened_at > GIVE_UP

    def probing(self, now: float) -> int:
        """What its next attempt is for; see :attr:`.model.DeliveryRow.probe`."""
        if self.opened_at is None:
            return 0
        return 2 if self.gave_up(now) else 1

    def next_after(self, now: float, policies: LanePolicies) -> float | None:
        """When its rate allows the next one, once one goes now."""
        interval = policies.of(self.name).interval
        return max(now, self.next_at or 0.0) + interval if interval > 0 else None

    def room(self, now: float, free: int, policies: LanePolicies) -> int:
        """How many may go now if their time has come."""
        if self.paused_at is not None:
            return 0
        policy = policies.of(self.name)
        room = policy.max_concurrency - self.leased
        if self.opened_at is not None and not self.gave_up(now):
            room = 1 - self.leased  # half open: one probe at a time
        if policy.interval > 0:
            room = min(room, 1)
        if self.leased:
            room = min(room, free - policies.reserve)
        return max(0, min(room, free))


class SqliteLanes:
    """See :class:`relay.journal.lanes.Lanes`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def all(self) -> list[LaneRow]:
        return await self._journal.read(lambda connection: [_row(LaneRow, row) for row in connection.execute(_ALL)])

    async def uses(self, names: Sequence[str], newest: int) -> list[LaneUse]:
        def query(connection: sqlite3.Connection) -> list[LaneUse]:
            found = (connection.execute(_USE, (name, name, newest)).fetchone() for name in names)
            return [read(LaneUse, row) for row in found if row is not None]

        return await self._journal.read(query)

    async def pause(self, lane: str, now: float, reason: str) -> int:
        total = await self._journal.write(lambda connection: pause(connection, lane, now, reason))
        while parked := await self._journal.write(park):
            total += parked
        return total

    async def resume(self, lane: str, now: float) -> int:
        def resume(connection: sqlite3.Connection) -> int:
            connection.execute("UPDATE lanes SET paused_at = NULL, reason = NULL WHERE name = ?", (lane,))
            freed = connection.execute(_FREE, {"lane": lane, "now": now}).rowcount
            return freed + _open(connection, lane, now)

        total = 0
        while freed := await self._journal.write(resume):
            total += freed
        return total

    async def mended(self, lane: str, now: float) -> int:
        return await self._journal.write(lambda connection: _open(connection, lane, now))


def _open(connection: sqlite3.Connection, lane: str, now: float) -> int:
    """Forget what held a lane, and try at once what failed there; how many that are. A pause stays."""
    connection.execute(
        "UPDATE lanes SET held_until = NULL, opened_at = NULL, probes = 0, failing = '[]', error = NULL WHERE name = ?",
        (lane,),
    )
    return connection.execute(_HURRY, {"lane": lane, "now": now}).rowcount


def claim(connection: sqlite3.Connection, now: float, limit: int, lease: float, policies: LanePolicies) -> list[str]:
    """Hand out due deliveries, by their ids, lane by lane: first those with the fewest under way, then those served
    longest ago, one of each in turn, so that a lane with ten thousand due does not starve one with a single delivery.
    """
    lanes = [lane for lane in _due_lanes(connection, now) if lane.opens_at() <= now]
    lanes.sort(key=lambda lane: (lane.leased, lane.claimed_at or 0.0, lane.first_due))
    rooms = {lane.name: room for lane in lanes if (room := lane.room(now, limit, policies))}
    if not rooms:
        return []
    given = {"lanes": as_json(list(rooms)), "now": now, "most": max(rooms.values())}
    first = _first(connection.execute(_FIRST, given).fetchone()[0])
    waiting = [(lane, first[lane.name][: rooms[lane.name]]) for lane in lanes if lane.name in rooms]
    picked = _in_turn(waiting, limit, policies.reserve)
    if not picked:
        return []
    handed = [(one, lane.probing(now)) for lane, ids in picked for one in ids]
    connection.execute(_CLAIM, {"handed": as_json(handed), "now": now, "until": now + lease})
    in_bulk(connection, _CLAIMED, [(lane.name, now, lane.next_after(now, policies), "[]", 0) for lane, _ in picked])
    return [one for one, _ in handed]


def _in_turn(waiting: list[tuple[_Due, list[str]]], limit: int, reserve: int) -> list[tuple[_Due, list[str]]]:
    picked: list[tuple[_Due, list[str]]] = [(lane, []) for lane, _ in waiting]
    free, turn = limit, 0
    while free > 0:
        before = free
        for (lane, ids), (_, mine) in zip(waiting, picked, strict=True):
            first = lane.leased == 0 and turn == 0
            if free > 0 and turn < len(ids) and (first or free > reserve):
                mine.append(ids[turn])
                free -= 1
        if free == before:
            break
        turn += 1
    return [(lane, mine) for lane, mine in picked if mine]


def next_due(connection: sqlite3.Connection, now: float, free: int, policies: LanePolicies) -> float | None:
    """When the next delivery may go; lanes without room are left out, for who leaves one nudges."""
    lanes = [lane for lane in _due_lanes(connection, now) if lane.room(now, free, policies)]
    return min((lane.opens_at() for lane in lanes), default=None)


def oldest_due(connection: sqlite3.Connection) -> float | None:
    """Since when the oldest delivery waits that nothing holds back."""
    lanes = [lane for lane in _due_lanes(connection, 0.0) if lane.paused_at is None and lane.opened_at is None]
    return min((lane.opens_at() for lane in lanes), default=None)


def park(connection: sqlite3.Connection) -> int:
    """Park what is due in paused lanes. Called after whatever may have made something due."""
    return connection.execute(_PARK).rowcount


def pause(connection: sqlite3.Connection, lane: str, now: float, reason: str) -> int:
    """Pause a lane and park the first of it."""
    connection.execute(
        "INSERT INTO lanes (name, failing, probes, paused_at, reason) VALUES (:lane, '[]', 0, :now, :reason)"
        " ON CONFLICT (name) DO UPDATE SET paused_at = coalesce(paused_at, excluded.paused_at),"
        " reason = excluded.reason",
        {"lane": lane, "now": now, "reason": reason},
    )
    return park(connection)


def learn(connection: sqlite3.Connection, delivery: DeliveryRow, news: LaneNews, now: float) -> None:
    """Take in what an attempt tells of its lane."""
    if news.pause is not None:
        pause(connection, delivery.lane, now, news.pause)
    if news.until is not None:
        assignments = "held_until = max(coalesce(held_until, 0), ?), error = ?"
        _upsert(connection, delivery.lane, assignments, news.until, news.error)
    if news.ok is True:
        _close(connection, delivery.lane, now)
    elif news.ok is False:
        _fail(connection, delivery, news, now)


def _close(connection: sqlite3.Connection, lane: str, now: float) -> None:
    row = connection.execute(
        f"SELECT opened_at FROM lanes WHERE name = ? AND {NOT_WELL}",  # noqa: S608 (ours)
        (lane,),
    ).fetchone()
    if row is None:
        return
    _upsert(connection, lane, "failing = '[]', probes = 0, error = NULL, opened_at = ?", None)
    if row["opened_at"] is not None:
        _upsert(connection, lane, "held_until = ?", None)
        connection.execute(_HURRY, {"lane": lane, "now": now})


def _fail(connection: sqlite3.Connection, delivery: DeliveryRow, news: LaneNews, now: float) -> None:
    found = connection.execute("SELECT * FROM lanes WHERE name = ?", (delivery.lane,)).fetchone()
    lane = _row(LaneRow, found) if found else LaneRow(name=delivery.lane)
    failing = msgspec.json.decode(lane.failing, type=list[str])
    if delivery.id not in failing and len(failing) < BREAK_AFTER:
        failing.append(delivery.id)
    if lane.opened_at is None and len(failing) >= BREAK_AFTER:
        lane.opened_at, lane.held_until = now, max(now + COOL_FIRST, lane.held_until or 0.0)
    elif lane.opened_at is not None and delivery.probe == 1:
        lane.probes += 1
        wait = min(COOL_FIRST * 2 ** min(lane.probes, 10), COOL_MOST)
        lane.held_until = max(now + wait, lane.held_until or 0.0)
    text = msgspec.json.encode(failing).decode()
    assignments = "failing = ?, opened_at = ?, held_until = ?, probes = ?, error = ?"
    _upsert(connection, lane.name, assignments, text, lane.opened_at, lane.held_until, lane.probes, news.error)


def _upsert(connection: sqlite3.Connection, lane: str, assignments: str, *arguments: object) -> None:
    done = connection.execute(f"UPDATE lanes SET {assignments} WHERE name = ?", (*arguments, lane))  # noqa: S608 (ours)
    if done.rowcount == 0:
        connection.execute("INSERT INTO lanes (name, failing, probes) VALUES (?, '[]', 0)", (lane,))
        _upsert(connection, lane, assignments, *arguments)


def _due_lanes(connection: sqlite3.Connection, now: float) -> list[_Due]:
    return [_row(_Due, row) for row in connection.execute(_DUE_LANES, {"now": now})]


def _row(kind: type[R], row: sqlite3.Row) -> R:
    """A lane, known to the table or not: what is not there takes its default."""
    known = {name: value for name, value in zip(row.keys(), row, strict=True) if value is not None}
    known["name"] = known.pop("lane", known.get("name"))
    return msgspec.convert(known, kind, strict=False)
