"""What a restored journal holds back, statement by statement."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from relay.journal import (
    BatchRow,
    DeliveryRow,
    Entry,
    Held,
    Operation,
    Restored,
    Settlement,
    SheetRow,
    SqliteJournal,
    TaskRow,
    WatchedRow,
    adapt,
)

pytestmark = pytest.mark.anyio
RESTORED = Restored(at=5000.0, taken_at=0.0)
SAID = "restored from a copy taken at 1970-01-01T00:00:00Z"


def a_task(id: str, **more: Any) -> TaskRow:
    basis = {"provider": "beatapi", "workflow": "music-video", "status": "queued", "request": "{}"}
    return msgspec.convert({"id": id, "created_at": 1.0, "updated_at": 1.0, **basis, **more}, TaskRow)


async def an_operation(journal: SqliteJournal, state: str, kind: str = "create", **more: Any) -> None:
    """One task with one operation, both named after its state."""
    basis = {"body": "{}", "created_at": 1.0, "due_at": 1.0 if state in ("queued", "sending") else None}
    operation = msgspec.convert(
        {"id": f"op_{state}", "task_id": f"t_{state}", "kind": kind, "state": state, **basis, **more}, Operation
    )
    task = a_task(f"t_{state}", provider_id=f"p_{state}" if kind != "create" else None)
    await journal.tasks.create(task, operation, Entry(task_id=task.id, at=1.0, kind="task.accepted"))


def a_delivery(
    id: str, state: str, *waits_for: str, recipe: str = "r", lane: str = "", revision: int = 1
) -> DeliveryRow:
    return DeliveryRow(
        id=id,
        task_id="t",
        revision=revision,
        event_id=f"evt_{revision}",
        recipe=recipe,
        recipe_hash="h",
        step=id,
        use="archive" if recipe == "archive" else "http",
        connection=None,
        lane=lane or id,
        state="waiting" if waits_for else state,  # type: ignore[arg-type]  (one of the states)
        created_at=1.0,
        updated_at=1.0,
        due_at=1.0 if state in ("due", "leased") and not waits_for else None,
        waits_for=list(waits_for),
    )


async def put(journal: SqliteJournal, rows: Sequence[DeliveryRow]) -> None:
    await journal.tasks.create(
        a_task("t"),
        Operation(id="op", task_id="t", kind="create", state="accepted", body="{}", created_at=1.0, due_at=None),
        Entry(task_id="t", at=1.0, kind="task.accepted"),
    )
    await journal.deliveries.add(list(rows), [])


async def restored(folder: Path, journal: SqliteJournal) -> tuple[Held, SqliteJournal]:
    """Close the journal, take it for a copy, and open it as a relay would."""
    await journal.close()
    held = adapt(folder / "journal.db", RESTORED, folder / "journal.db")
    return held, SqliteJournal.open(folder / "journal.db")


async def test_what_may_have_been_sent_since_is_unconfirmed_and_says_why(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    for state in ("queued", "accepted", "refused", "abandoned", "cancelled"):
        await an_operation(journal, state)
    await an_operation(journal, "sending", "edit", sent_at=3.0)
    await an_operation(journal, "unconfirmed", sent_at=2.0, error="no answer")
    held, journal = await restored(tmp_path, journal)
    assert (held.operations, held.unconfirmed) == (2, 1)
    found = {one.id: one for one in await journal.tasks.unconfirmed()}
    assert set(found) == {"op_queued", "op_sending", "op_unconfirmed"}
    assert all(SAID in (one.error or "") for one in found.values())
    assert (found["op_unconfirmed"].error or "").startswith("no answer; ")
    assert {one.due_at for one in found.values()} == {None}
    assert (await journal.queue.claim(9e9, 10, 1.0, fresh=10, funds=None)).operations == []
    for name in ("queued", "sending"):
        *_, last = await journal.tasks.history(f"t_{name}")
        assert (last.kind, last.data["operation"]) == ("operation.unconfirmed", f"op_{name}")
    edited = await journal.tasks.get("t_sending")
    assert edited is not None
    assert edited.next_poll_at is not None, "the truth may tell what became of an edit"
    for state in ("accepted", "refused", "abandoned", "cancelled"):
        (operation,) = await journal.tasks.operations(f"t_{state}")
        assert (operation.state, operation.error) == (state, None)
    await journal.close()


async def test_what_may_have_arrived_since_is_a_dead_letter_and_the_store_goes_on(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    kept = a_delivery("archive", "due", recipe="archive", lane="archive")
    first = a_delivery("first", "due", "archive")
    second = a_delivery("second", "due", "first")
    rows = [kept, first, second, a_delivery("alone", "due"), a_delivery("held", "parked"), a_delivery("done", "done")]
    await put(journal, rows)
    (claimed,) = [
        one.delivery for one in await journal.deliveries.claim(2.0, lambda: 10, 60.0) if one.delivery.id == "alone"
    ]
    held, journal = await restored(tmp_path, journal)
    assert held.deliveries == 4
    found = {row.id: row for row in await journal.deliveries.of_task("t")}
    assert {name: row.state for name, row in found.items()} == {
        "archive": "due",
        "first": "dead",
        "second": "waiting",
        "alone": "dead",
        "held": "dead",
        "done": "done",
    }
    assert SAID in (found["first"].error or "")
    assert found["alone"].fence > claimed.fence, "whoever held it before settles nothing"
    said = [entry.data["delivery"] for entry in await journal.tasks.history("t") if entry.kind == "delivery.held"]
    assert sorted(said) == ["alone", "first", "held"]
    await land(journal, "archive")
    assert {row.state for row in await journal.deliveries.of_task("t")} == {"done", "dead", "waiting"}
    await journal.deliveries.again(["first"], 9e9)
    await land(journal, "first")
    assert (await journal.deliveries.get("second") or found["second"]).state == "due", "a replay leads on"
    await journal.close()


async def land(journal: SqliteJournal, id: str) -> None:
    """Whatever is due is tried; ``id`` arrives."""
    for row in [one.delivery for one in await journal.deliveries.claim(9e9, lambda: 10, 60.0)]:
        if row.id == id:
            row.state, row.due_at, row.updated_at = "done", None, 9e9
            assert await journal.deliveries.settle(Settlement(delivery=row))


async def test_a_later_revision_does_not_slip_out_behind_a_held_one(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await put(journal, [a_delivery("old", "due", lane="slack"), a_delivery("new", "due", lane="slack", revision=2)])
    assert [row.state for row in await journal.deliveries.of_task("t")] == ["due", "waiting"]
    _, journal = await restored(tmp_path, journal)
    assert [row.state for row in await journal.deliveries.of_task("t")] == ["dead", "dead"]
    await journal.close()


async def test_the_rest_is_counted_and_remembered(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    assert journal.restored is None
    await an_operation(journal, "accepted")
    await journal.write(
        lambda connection: connection.execute("UPDATE tasks SET provider_id = 'p', status = 'processing'") and None
    )
    batch = BatchRow(id="bat", client="c", name="n", sheet="", digest="", state="running", columns="{}", created_at=1.0)
    row = {
        "batch_id": "bat",
        "identity": "i",
        "version": "v",
        "workflow": "music-video",
        "request": "{}",
        "facts": "{}",
    }
    rows = [{**row, "number": 1, "state": "new"}, {**row, "number": 2, "state": "invalid"}]
    rows.append({**row, "number": 3, "state": "new", "task_id": "t_accepted"})
    await journal.batches.add(batch, msgspec.convert(rows, list[SheetRow]))
    for state in ("taking", "waiting"):
        seen = {**row, "sheet": "s", "id": state, "state": state}
        await journal.watched.put([msgspec.convert(seen, WatchedRow)])
    held, journal = await restored(tmp_path, journal)
    assert (held.open_tasks, held.rows) == (1, 1)
    assert journal.restored == RESTORED
    errors = {one.id: one.error for one in await journal.watched.rows("s")}
    assert (SAID in errors["taking"], errors["waiting"]) == (True, "")
    await journal.close()


async def test_all_of_it_is_one_transaction(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await an_operation(journal, "queued")
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON restores BEGIN SELECT raise(ABORT, 'the disk is full'); END"
        )
    with pytest.raises(sqlite3.IntegrityError, match="the disk is full"):
        adapt(tmp_path / "journal.db", RESTORED, tmp_path / "journal.db")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        assert connection.execute("SELECT state FROM operations").fetchall() == [("queued",)]
