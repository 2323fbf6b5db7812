"""Dead letters that a person put aside, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .rows import as_json

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_DEAD = "SELECT id FROM deliveries WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'dead'"
_BEHIND = (
    f"WITH RECURSIVE behind(id) AS ({_DEAD}"  # noqa: S608 (ours)
    " UNION SELECT delivery_id FROM waits JOIN behind ON waits.waits_for = behind.id AND kind = 'step')"
)
_WAITING = f"{_BEHIND} SELECT id, \"use\" FROM behind JOIN deliveries USING (id) WHERE state = 'waiting'"  # noqa: S608 (ours)
_ASIDE = f"{_BEHIND} SELECT id FROM behind JOIN deliveries USING (id) WHERE state IN ('dead', 'waiting')"  # noqa: S608 (ours)
_DISMISS = (
    "UPDATE deliveries SET state = 'dismissed', updated_at = :now WHERE id IN (SELECT value FROM json_each(:ids))"
)
_TELL = (
    "INSERT INTO history (task_id, at, kind, data) SELECT task_id, :now, 'delivery.dismissed', json_object("
    "'delivery', id, 'recipe', recipe, 'step', step, 'use', \"use\", 'reason', :reason, 'by', :by)"
    " FROM deliveries WHERE id IN (SELECT value FROM json_each(:ids))"
)
_RECALL = (
    "UPDATE deliveries SET state = 'dead', updated_at = :now"
    " WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'dismissed' AND blockers = 0 RETURNING id"
)
# What it waited for may have arrived while it was put aside, so its blockers are counted anew.
_WAIT_AGAIN = (
    "UPDATE deliveries SET state = 'waiting', updated_at = :now,"
    " blockers = (SELECT count(*) FROM waits WHERE delivery_id = deliveries.id)"
    " WHERE state = 'dismissed' AND id IN (SELECT delivery_id FROM waits WHERE kind = 'step'"
    " AND waits_for IN (SELECT value FROM json_each(:ids)))"
    " AND NOT EXISTS (SELECT 1 FROM waits JOIN deliveries AS earlier ON earlier.id = waits.waits_for"
    " WHERE waits.delivery_id = deliveries.id AND kind = 'step' AND earlier.state = 'dismissed') RETURNING id"
)


class SqliteDismissals:
    """See :class:`relay.journal.dismissals.Dismissals`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def behind(self, ids: Sequence[str]) -> dict[str, str]:
        given = {"ids": as_json(ids)}
        return await self._journal.read(lambda connection: dict(connection.execute(_WAITING, given).fetchall()))

    async def dismiss(self, ids: Sequence[str], now: float, *, reason: str, by: str) -> None:
        def dismiss(connection: sqlite3.Connection) -> None:
            aside = [row["id"] for row in connection.execute(_ASIDE, {"ids": as_json(ids)})]
            given = {"ids": as_json(aside), "now": now, "reason": reason, "by": by}
            for statement in (_DISMISS, _TELL):
                connection.execute(statement, given)

        await self._journal.write(dismiss)

    async def recall(self, ids: Sequence[str], now: float) -> None:
        def recall(connection: sqlite3.Connection) -> None:
            statement, moved = _RECALL, list(ids)
            while moved:
                given = {"ids": as_json(moved), "now": now}
                moved = [row["id"] for row in connection.execute(statement, given).fetchall()]
                statement = _WAIT_AGAIN

        await self._journal.write(recall)
