"""Retention: what is old and over is forgotten, what is unfinished or undelivered never."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from relay.flow.housekeeping import DAY, WARY, Housekeeping
from relay.flow.reconcile import Reconciler
from relay.journal import (
    Change,
    DeliveryRow,
    Entry,
    Finish,
    Notice,
    Occasion,
    Operation,
    Receipt,
    SqliteJournal,
    TaskRow,
)
from relay.journal.rows import insert, values
from relay.journal.sqlite_deliveries import _WAITS
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio
OLD, CUT, YOUNG = 100.0, 1000.0, 2000.0
GROWING = {
    "receipts",
    "history",
    "notes",
    "notices",
    "updates",
    "occasions",
    "sessions",
    "links",
}
"""Tables that retention, or the end of a session, keeps from growing for ever."""
KEPT = {
    "tasks": "what was asked for",
    "operations": "what was paid for",
    "ledger": "the money",
    "finishes": "what became of it",
    "deliveries": "where it went (those of finishes)",
    "media": "the files",
    "batches": "the sheets",
    "rows": "and their rows",
    "recipes": "what deliveries are pinned to",
    "recipe_versions": "what people wrote",
    "watched_rows": "so that no row of a watched sheet becomes a second task",
    "waits": "goes with what it waits for",
}
BOUNDED = {"baselines", "turns", "lanes", "connections", "endpoints", "api_keys", "users", "secrets", "restores"}
BOUNDED |= {"watched_sheets"}
"""As many as there are people, keys, batches, places, sheets and restores."""


async def a_task(
    journal: SqliteJournal, id: str, *, over: bool = True, at: float = OLD, operation: str = "accepted"
) -> TaskRow:
    task = TaskRow(
        id=id,
        provider="beatapi",
        workflow="music-video",
        status="succeeded" if over else "processing",
        request="{}",
        created_at=at,
        updated_at=at,
        finished_at=at if over else None,
        next_poll_at=None if over else at,
    )
    paid = Operation(
        id=f"op_{id}",
        task_id=id,
        kind="create",
        state=operation,  # type: ignore[arg-type]  (one of the states)
        body="{}",
        created_at=at,
        due_at=None,
    )
    await journal.tasks.create(task, paid, Entry(task_id=id, at=at, kind="task.accepted"))
    return task


def a_delivery(id: str, task_id: str, state: str, event: str = "evt_finish") -> DeliveryRow:
    row = {"id": id, "task_id": task_id, "revision": 1, "event_id": event, "recipe": "r", "recipe_hash": "h"}
    more = {"step": id, "use": "http", "connection": "c", "created_at": OLD, "updated_at": OLD, "due_at": None}
    return msgspec.convert({**row, **more, "state": state, "lane": "c"}, DeliveryRow)


async def put(journal: SqliteJournal, *rows: DeliveryRow) -> None:
    """Rows as they are, whatever their state."""
    statement = insert("deliveries", DeliveryRow, skip=_WAITS)
    await journal.write(lambda c: c.executemany(statement, [values(row, skip=_WAITS) for row in rows]) and None)


async def an_occasion(
    journal: SqliteJournal, id: str, *states: str, at: float = OLD, key: str = "", event: str = ""
) -> None:
    occasion = Occasion(
        event_id=id, event=event or "batch.completed", task_id=id, revision=0, at=at, key=key or id, context="{}"
    )
    await journal.occasions.add(occasion, [])
    await put(journal, *[a_delivery(f"dlv_{id}_{number}", id, state, id) for number, state in enumerate(states)])


async def a_notice(journal: SqliteJournal, id: str, at: float) -> None:
    notice = Notice(id=id, at=at, kind="endpoint.disabled", about="ep_1", text="it failed for days")
    statement = insert("notices", Notice)
    await journal.write(lambda connection: connection.execute(statement, values(notice)) and None)


async def forget(journal: SqliteJournal) -> int:
    total = 0
    while count := await journal.forget(CUT, 3):
        total += count
    return total


async def keys(journal: SqliteJournal, sql: str) -> list[Any]:
    return await journal.read(lambda connection: [row[0] for row in connection.execute(sql)])


async def test_every_table_has_its_word(tmp_path: Path, journal: SqliteJournal) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {name for name in names if not name.startswith(("_", "sqlite_"))}
    assert ours == GROWING | KEPT.keys() | BOUNDED, "a new table: does it grow for ever?"


@pytest.mark.parametrize("state", ["waiting", "due", "leased", "parked", "dead"])
async def test_what_has_not_arrived_keeps_its_record(journal: SqliteJournal, state: str) -> None:
    await a_task(journal, "task_1")
    await put(journal, a_delivery("dlv_1", "task_1", state), a_delivery("dlv_2", "task_1", "done"))
    for scope in ("dlv_1", "dlv_2", "task_1/c"):
        await journal.notes.put(scope, "n", b"x", OLD)
    await an_occasion(journal, "evt_batch", "done", state)
    await journal.notes.put("dlv_evt_batch_1", "n", b"x", OLD)
    await journal.notes.put("evt_batch/c", "n", b"x", OLD)
    await forget(journal)
    assert await keys(journal, "SELECT kind FROM history") == ["task.accepted"]
    assert await keys(journal, "SELECT scope FROM notes ORDER BY scope") == [
        "dlv_1",
        "dlv_evt_batch_1",
        "evt_batch/c",
        "task_1/c",
    ]
    assert await keys(journal, "SELECT event_id FROM occasions") == ["evt_batch"]
    assert len(await journal.deliveries.of_task("evt_batch")) == 2


@pytest.mark.parametrize("unfinished", [{"over": False}, {"operation": "unconfirmed"}, {"operation": "queued"}])
async def test_what_is_unfinished_keeps_its_record(journal: SqliteJournal, unfinished: dict[str, Any]) -> None:
    await a_task(journal, "task_1", **unfinished)
    await journal.notes.put("task_1/c", "message", b"x", OLD)
    assert await forget(journal) == 0


async def test_what_is_old_and_over_goes(journal: SqliteJournal) -> None:
    for number in range(5):
        await a_task(journal, f"task_{number}")
        await put(journal, a_delivery(f"dlv_{number}", f"task_{number}", ("done", "unrouted")[number % 2]))
        await journal.notes.put(f"dlv_{number}", "session", b"x", OLD)
        await journal.notes.put(f"task_{number}/c", "message", b"x", OLD)
        await an_occasion(journal, f"evt_{number}", "done", "done")
        await journal.notes.put(f"dlv_evt_{number}_0", "n", b"x", OLD)
        await journal.notes.put(f"evt_{number}/c", "n", b"x", OLD)
        await a_notice(journal, f"ntc_{number}", OLD)
        await journal.receipts.add(a_receipt(f"rcv_{number}"))
    await journal.write(
        lambda c: (
            c.execute("INSERT INTO history (task_id, at, kind, data) VALUES ('evt_1', 1, 'delivery.done', '{}')")
            and None
        )
    )
    assert await forget(journal) > 0
    for table in ("receipts", "history", "notes", "notices", "occasions"):
        assert await keys(journal, f"SELECT count(*) FROM {table}") == [0], table
    assert await keys(journal, "SELECT id FROM deliveries ORDER BY id") == [f"dlv_{number}" for number in range(5)]
    assert await keys(journal, "SELECT count(*) FROM tasks") == [5]
    assert await keys(journal, "SELECT count(*) FROM operations") == [5]


def a_receipt(id: str) -> Receipt:
    return Receipt(id=id, received_at=OLD, verdict="forged", status=401)


async def test_what_is_young_stays(journal: SqliteJournal) -> None:
    await a_task(journal, "task_1", at=YOUNG)
    await put(journal, a_delivery("dlv_1", "task_1", "done"))
    await journal.notes.put("dlv_1", "n", b"x", YOUNG)
    await journal.notes.put("relay", "approvals", b"x", OLD)
    await an_occasion(journal, "evt_1", "done", at=YOUNG)
    await a_notice(journal, "ntc_1", YOUNG)
    assert await forget(journal) == 0


async def test_old_lines_behind_young_ones_of_open_tasks_go_too(journal: SqliteJournal) -> None:
    for number in range(10):
        await a_task(journal, f"task_{number}", over=number % 2 == 1)
    assert await forget(journal) == 5
    assert await keys(journal, "SELECT task_id FROM history") == [f"task_{number}" for number in range(0, 10, 2)]


async def test_events_that_are_no_finish_go_with_their_deliveries(journal: SqliteJournal) -> None:
    for number, state in enumerate(["done", "dead"]):
        task = await a_task(journal, f"task_{number}")
        update = Finish(
            task_id=task.id,
            revision=1,
            event_id=f"upd_{number}",
            event="task.updated",
            at=OLD,
            observed="{}",
            told_by="poll",
        )
        await journal.tasks.apply(Change(task=task, update=update))
        await put(journal, a_delivery(f"dlv_{number}", task.id, state, f"upd_{number}"))
    await forget(journal)
    assert await keys(journal, "SELECT event_id FROM updates") == ["upd_1"]
    assert await keys(journal, "SELECT id FROM deliveries") == ["dlv_1"]


async def test_the_last_hour_of_a_scheduled_recipe_is_remembered(journal: SqliteJournal) -> None:
    for at in (10, 20, 30):
        await an_occasion(journal, f"evt_{at}", "done", at=at, key=f"schedule/Yearly/{at}", event="schedule")
    await an_occasion(journal, "evt_old", "done", at=15, key="schedule/Weekly/15", event="schedule")
    await an_occasion(journal, "evt_new", "done", at=YOUNG, key="schedule/Weekly/2000", event="schedule")
    await forget(journal)
    assert await keys(journal, "SELECT event_id FROM occasions ORDER BY at") == ["evt_30", "evt_new"]
    assert await journal.occasions.latest("schedule/Yearly/") == 30


class NoBooks:
    """No books are compared."""

    async def check(self) -> None: ...


async def test_housekeeping_forgets_by_the_setting(journal: SqliteJournal) -> None:
    clock = VirtualClock(now=OLD + 91 * DAY)
    await a_task(journal, "task_old")
    await a_task(journal, "task_young", at=clock.now() - 89 * DAY)
    housekeeping = Housekeeping(journal, clock, 90, cast("Reconciler", NoBooks()))
    assert await housekeeping.forget() == 1
    assert await keys(journal, "SELECT task_id FROM history") == ["task_young"]


async def test_a_clock_that_leaps_years_ahead_takes_nothing_with_it_before_it_is_set_right(
    journal: SqliteJournal, caplog: pytest.LogCaptureFixture
) -> None:
    clock = VirtualClock(now=OLD + 10 * DAY)
    await a_task(journal, "task_young", at=OLD)
    housekeeping = Housekeeping(journal, clock, 90, cast("Reconciler", NoBooks()))
    clock.ahead = 5 * 365 * DAY
    assert await housekeeping.forget() == 0
    assert "1825 days passed at once" in caplog.text
    clock.ahead = 0.0
    for _ in range(2 * WARY):
        clock.advance(3600)
        assert await housekeeping.forget() == 0


async def test_a_clock_that_stays_where_it_leapt_to_is_believed_a_day_later(journal: SqliteJournal) -> None:
    clock = VirtualClock(now=OLD + 10 * DAY)
    await a_task(journal, "task_old", at=OLD)
    housekeeping = Housekeeping(journal, clock, 90, cast("Reconciler", NoBooks()))
    clock.advance(90 * DAY)
    told = []
    for _ in range(WARY + 1):
        told.append(await housekeeping.forget())
        clock.advance(3600)
    assert told == [0] * WARY + [1]
