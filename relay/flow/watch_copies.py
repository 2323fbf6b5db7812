"""Rows that a person copied together with our cells: each gets an id of its own, and follows the task that it names at
no cost, until its status is emptied."""

from collections.abc import Mapping

import msgspec

from relay.journal import WatchedRow
from relay.sheets.watched import SeenRow, View


def copies_of(view: View, owners: Mapping[str, SeenRow], known: Mapping[str, WatchedRow]) -> dict[int, WatchedRow]:
    """Rows that name a task of a row that stands elsewhere, by number: the row that they were copied from."""
    originals = {row.task_id: row for row in known.values() if row.task_id and row.id in owners}
    own = {row.number for row_id, row in owners.items() if row_id in known}
    return {
        row.number: original
        for row in view.rows
        if row.plan is not None and row.number not in own and (original := originals.get(row.text("task_id")))
    }


def followers(
    view: View, owners: Mapping[str, SeenRow], known: Mapping[str, WatchedRow], now: float, *, emptied: bool
) -> list[WatchedRow]:
    """What is to be kept of copies that have an id of their own by now. ``emptied``: an empty status is a person's
    doing, so that it may be asked for at once."""
    copies = copies_of(view, owners, known)
    return [_follower(row, copies[row.number], now, emptied) for row in owners.values() if row.number in copies]


def _follower(row: SeenRow, original: WatchedRow, now: float, emptied: bool) -> WatchedRow:
    return msgspec.structs.replace(
        original,
        id=row.id,
        written={name: text for name, text in original.written.items() if row.text(name) == text},
        pending={},
        held={},
        done=emptied and not row.text("status"),
        updated_at=now,
    )
