"""The journal's promises, on the real engine."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from relay.journal import (
    Change,
    Conflict,
    DeliveryRow,
    Entry,
    Finish,
    JournalError,
    LanePolicies,
    LanePolicy,
    MediaRow,
    Operation,
    Receipt,
    Settlement,
    SqliteJournal,
    TaskRow,
)

pytestmark = pytest.mark.anyio


def task(id: str = "task_1", **more: object) -> TaskRow:
    basis = {"provider": "beatapi", "workflow": "music-video", "status": "queued", "request": "{}"}
    return msgspec.convert({"id": id, "created_at": 1.0, "updated_at": 1.0, **basis, **more}, TaskRow)


def operation(task_id: str = "task_1") -> Operation:
    return Operation(
        id=f"op_{task_id}", task_id=task_id, kind="create", state="queued", body="{}", created_at=1.0, due_at=1.0
    )


def entry(kind: str = "task.accepted", task_id: str = "task_1") -> Entry:
    return Entry(task_id=task_id, at=1.0, kind=kind, data={"why": "test"})


def receipt(id: str = "rcv_1", **more: object) -> Receipt:
    basis = {"received_at": 5.0, "verdict": "accepted", "status": 200, "event_id": "evt_1", "event": "task.succeeded"}
    return msgspec.convert({"id": id, "provider_task_id": "p1", **basis, **more}, Receipt)


def delivery(id: str, *, waits_for: list[str] | None = None, due_at: float | None = 1.0) -> DeliveryRow:
    waits = waits_for or []
    return DeliveryRow(
        id=id,
        task_id="task_1",
        revision=1,
        event_id="evt_1",
        recipe="r",
        recipe_hash="h",
        step=id,
        use="http",
        connection=None,
        state="waiting" if waits else "due",
        created_at=1.0,
        updated_at=1.0,
        due_at=None if waits else due_at,
        blockers=len(waits),
        waits_for=waits,
    )


async def bound(journal: SqliteJournal, provider_id: str = "p1", next_poll_at: float | None = 100.0) -> TaskRow:
    """A task that the provider has accepted."""
    await journal.tasks.create(task(), operation(), entry())
    (claimed,) = (await journal.queue.claim(1.0, 10, 30.0, fresh=10, funds=None)).operations
    known = await known_task(journal)
    known.provider_id, known.next_poll_at = provider_id, next_poll_at
    claimed.state, claimed.due_at = "accepted", None
    await journal.tasks.apply(Change(task=known, operation=claimed))
    return await known_task(journal)


async def known_task(journal: SqliteJournal) -> TaskRow:
    known = await journal.tasks.get("task_1")
    assert known is not None
    return known


async def test_everything_written_survives_a_restart(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await journal.tasks.create(task(row='{"a":1}'), operation(), entry())
    await journal.close()
    journal = SqliteJournal.open(tmp_path / "journal.db")
    assert (await known_task(journal)).row == '{"a":1}'
    assert [line.kind for line in await journal.tasks.history("task_1")] == ["task.accepted"]
    await journal.close()


async def test_commits_are_durable_by_setting(journal: SqliteJournal, tmp_path: Path) -> None:
    mode = await journal.write(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0])
    level = await journal.write(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    assert (mode, level) == ("wal", 2)
    fleeting = await journal.write(
        lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0], lasting=False
    )
    again = await journal.write(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    assert (fleeting, again) == (1, 2), "a lease alone is not worth a flush; what follows it is flushed"
    assert (tmp_path / "journal.db").stat().st_mode & 0o077 == 0


async def test_a_second_relay_on_the_same_journal_is_refused(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="another relay is using"):
        SqliteJournal.open(tmp_path / "journal.db")


async def test_a_file_that_is_not_a_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    file.write_bytes(b"this is somebody's diary, not a database" * 100)
    before = file.read_bytes()
    with pytest.raises(JournalError, match="cannot be used as a journal"):
        SqliteJournal.open(file)
    assert file.read_bytes() == before


async def test_a_journal_of_a_newer_relay_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await SqliteJournal.open(path).close()
    with closing(sqlite3.connect(path)) as newer:
        step = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('beatrelay', 'm999_later', '')"
        newer.execute(step)
        newer.commit()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"written by a newer beatrelay .*m999_later.* install that version again"):
        SqliteJournal.open(path)
    assert path.read_bytes() == before


async def test_a_reader_sees_a_running_relays_journal(journal: SqliteJournal, tmp_path: Path) -> None:
    await journal.tasks.create(task(), operation(), entry())
    reader = SqliteJournal.inspect(tmp_path / "journal.db")
    assert (await known_task(reader)).id == "task_1"
    with pytest.raises(JournalError, match="reading only"):
        await reader.tasks.note(entry())
    await reader.close()


async def test_one_bad_write_does_not_take_its_neighbours_down(journal: SqliteJournal) -> None:
    import asyncio

    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO no_such_table VALUES (1)")

    writes = [journal.tasks.note(entry("first")), journal.write(bad), journal.tasks.note(entry("third"))]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[1], JournalError)
    assert {line.kind for line in await journal.tasks.history("task_1")} == {"first", "third"}


async def test_the_same_client_key_makes_one_task(journal: SqliteJournal) -> None:
    first = await journal.tasks.create(task(client_key="k"), operation(), entry())
    again = await journal.tasks.create(task("task_2", client_key="k"), operation("task_2"), entry())
    assert again.id == first.id
    assert await journal.tasks.get("task_2") is None


async def test_a_change_on_an_old_version_is_a_conflict_and_changes_nothing(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.tasks.apply(Change(task=msgspec.structs.replace(known, status="processing")))
    late = Change(task=msgspec.structs.replace(known, status="failed"), history=[entry("late")])
    with pytest.raises(Conflict):
        await journal.tasks.apply(late)
    assert (await known_task(journal)).status == "processing"
    assert "late" not in [line.kind for line in await journal.tasks.history("task_1")]


async def test_a_webhook_makes_the_poll_due_and_leaves_a_hint(journal: SqliteJournal) -> None:
    await bound(journal)
    received = await journal.receipts.add(receipt())
    known = await known_task(journal)
    assert (received.new, received.task_id) == (True, "task_1")
    assert (known.next_poll_at, known.hint_receipt, known.woken_at) == (5.0, "rcv_1", 5.0)


async def test_a_stale_webhook_wakes_but_is_no_hint(journal: SqliteJournal) -> None:
    await bound(journal)
    await journal.receipts.add(receipt(verdict="stale", status=202))
    known = await known_task(journal)
    assert (known.next_poll_at, known.hint_receipt) == (5.0, None)


async def test_the_same_event_again_only_counts(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.receipts.add(receipt())
    claimed = (await journal.tasks.claim_polls(10.0, 5, 30.0))[0]
    await journal.tasks.polled(claimed, 50.0, failed=False)
    again = await journal.receipts.add(receipt("rcv_2", received_at=11.0))
    assert not again.new
    assert (await known_task(journal)).next_poll_at == 50.0
    assert [(one.id, one.seen) for one in await journal.receipts.of_task(known.provider_id or "")] == [("rcv_1", 2)]


async def test_a_fresh_webhook_counts_even_after_a_stale_one_of_the_same_event(journal: SqliteJournal) -> None:
    await bound(journal)
    await journal.receipts.add(receipt(verdict="stale", status=202))
    assert (await journal.receipts.add(receipt("rcv_2"))).new
    assert (await known_task(journal)).hint_receipt == "rcv_2"


async def test_a_webhook_faster_than_the_answer_to_the_create_is_picked_up(journal: SqliteJournal) -> None:
    assert (await journal.receipts.add(receipt())).task_id is None
    known = await bound(journal)
    assert (known.next_poll_at, known.hint_receipt) == (5.0, "rcv_1")


async def test_a_webhook_during_a_poll_keeps_its_poll(journal: SqliteJournal) -> None:
    await bound(journal)
    (claimed,) = await journal.tasks.claim_polls(100.0, 5, 30.0)
    await journal.receipts.add(receipt(received_at=101.0))
    await journal.tasks.polled(claimed, None, failed=False)
    assert (await known_task(journal)).next_poll_at == 101.0
    await journal.tasks.apply(Change(task=msgspec.structs.replace(claimed, next_poll_at=None, status="succeeded")))
    known = await known_task(journal)
    assert (known.status, known.next_poll_at, known.hint_receipt) == ("succeeded", 101.0, "rcv_1")


async def test_a_claimed_poll_is_handed_out_once_until_its_lease_ends(journal: SqliteJournal) -> None:
    await bound(journal)
    assert len(await journal.tasks.claim_polls(100.0, 5, 30.0)) == 1
    assert await journal.tasks.claim_polls(101.0, 5, 30.0) == []
    assert len(await journal.tasks.claim_polls(130.0, 5, 30.0)) == 1


async def test_an_interrupted_operation_is_handed_out_as_sending(journal: SqliteJournal) -> None:
    await journal.tasks.create(task(), operation(), entry())
    (first,) = (await journal.queue.claim(1.0, 5, 30.0, fresh=5, funds=None)).operations
    (second,) = (await journal.queue.claim(31.0, 5, 30.0, fresh=0, funds=None)).operations
    assert (first.state, second.state) == ("queued", "sending")
    first.state, first.due_at = "accepted", None
    with pytest.raises(Conflict):
        await journal.tasks.apply(Change(task=await known_task(journal), operation=first))


async def test_a_step_waits_for_all_it_comes_after(journal: SqliteJournal) -> None:
    known = await bound(journal)
    rows = [delivery("a"), delivery("b"), delivery("c", waits_for=["a", "b"])]
    finish = Finish(
        task_id="task_1", revision=1, event_id="evt_1", event="task.succeeded", at=1.0, observed="{}", told_by="poll"
    )
    await journal.tasks.apply(Change(task=known, finish=finish, deliveries=rows))
    first, second = await claimed_rows(journal, 2.0)
    await settle(journal, first)
    assert await journal.deliveries.claim(3.0, lambda: 10, 30.0) == []
    await settle(journal, second)
    assert [row.id for row in await claimed_rows(journal, 4.0)] == ["c"]


async def settle(journal: SqliteJournal, row: DeliveryRow) -> bool:
    done = msgspec.structs.replace(row, state="done", due_at=None, updated_at=2.0)
    return await journal.deliveries.settle(Settlement(delivery=done))


async def test_only_the_holder_of_the_lease_may_settle(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.tasks.apply(Change(task=known, deliveries=[delivery("a")]))
    (slow,) = await claimed_rows(journal, 2.0)
    assert await journal.deliveries.renew({"a": slow.fence, "b": 1}, 50.0) == 1
    assert await journal.deliveries.claim(40.0, lambda: 10, 30.0) == []
    (other,) = await claimed_rows(journal, 50.0)
    assert (other.fence, other.attempts) == (2, 2)
    assert await journal.deliveries.renew({"a": slow.fence}, 90.0) == 0
    assert not await settle(journal, slow)
    assert await settle(journal, other)
    assert not await settle(journal, other)


async def claimed_rows(journal: SqliteJournal, now: float) -> list[DeliveryRow]:
    """What is handed out, by id."""
    claimed = await journal.deliveries.claim(now, lambda: 10, 30.0)
    return sorted((briefing.delivery for briefing in claimed), key=lambda row: row.id)


async def test_a_claim_goes_behind_the_settlements_beside_it_and_shares_their_commit(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.tasks.apply(Change(task=known, deliveries=[delivery("a"), delivery("b")]))
    one_at_a_time = LanePolicies({}, default=LanePolicy(max_concurrency=1))
    (first,) = await journal.deliveries.claim(2.0, lambda: 10, 30.0, one_at_a_time)
    gate, asked = threading.Event(), list[str]()

    def free() -> int:
        asked.append(threading.current_thread().name)
        return 10

    held = asyncio.ensure_future(journal.write(lambda _: gate.wait(10)))
    assert journal._writer is not None
    before = journal._writer.commits
    next_one = asyncio.ensure_future(journal.deliveries.claim(3.0, free, 30.0, one_at_a_time))
    settled = asyncio.ensure_future(settle(journal, first.delivery))
    await asyncio.sleep(0)
    assert asked == [], "what ends until the last moment makes room"
    gate.set()
    await held
    (second,) = await next_one
    assert await settled
    assert {first.delivery.id, second.delivery.id} == {"a", "b"}
    assert asked == ["journal-writer"]
    assert journal._writer.commits - before <= 2


async def settle_together(journal: SqliteJournal, *settlements: Settlement) -> list[bool | BaseException]:
    """Settle in one transaction: the writer is held up until all of them wait."""
    gate = threading.Event()
    held = asyncio.ensure_future(journal.write(lambda _: gate.wait(10)))
    waiting = asyncio.gather(*map(journal.deliveries.settle, settlements), return_exceptions=True)
    await asyncio.sleep(0)
    gate.set()
    await held
    return await waiting


def done(row: DeliveryRow, **data: object) -> Settlement:
    after = msgspec.structs.replace(row, state="done", due_at=None, updated_at=2.0)
    return Settlement(delivery=after, history=[Entry(task_id=row.task_id, at=2.0, kind="delivery.done", data=data)])


async def test_what_is_settled_together_is_settled_each_for_itself(journal: SqliteJournal) -> None:
    known = await bound(journal)
    rows = [delivery("a"), delivery("b"), delivery("c"), delivery("d", waits_for=["a"]), delivery("e", waits_for=["b"])]
    await journal.tasks.apply(Change(task=known, deliveries=rows))
    a, b, c = await claimed_rows(journal, 2.0)
    lost = msgspec.structs.replace(b, fence=b.fence - 1)
    assert await settle_together(journal, done(a), done(lost), done(c)) == [True, False, True]
    states = {row.id: row.state for row in await journal.deliveries.of_task("task_1")}
    assert states == {"a": "done", "b": "leased", "c": "done", "d": "due", "e": "waiting"}
    kept = [entry for entry in await journal.tasks.history("task_1") if entry.kind == "delivery.done"]
    assert len(kept) == 2


async def test_what_cannot_be_written_down_takes_no_neighbour_down(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.tasks.apply(Change(task=known, deliveries=[delivery("a"), delivery("b")]))
    a, b = await claimed_rows(journal, 2.0)
    wrong, right = await settle_together(journal, done(a, thing=object()), done(b))
    assert isinstance(wrong, TypeError)
    assert right is True
    assert {row.id: row.state for row in await journal.deliveries.of_task("task_1")} == {"a": "leased", "b": "done"}


async def test_a_restart_hands_back_what_a_dead_relay_held(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    known = await bound(journal)
    await journal.tasks.apply(Change(task=known, deliveries=[delivery("a"), delivery("later", due_at=9e12)]))
    far = 9e11
    await journal.deliveries.claim(far, lambda: 1, far)
    await journal.close()
    journal = SqliteJournal.open(tmp_path / "journal.db")
    now = 4e9  # later than the clock of any machine that runs this, earlier than the lease's end
    assert [row.id for row in await claimed_rows(journal, now)] == ["a"]
    assert len(await journal.tasks.claim_polls(now, 10, 30.0)) == 1
    await journal.close()


async def test_the_same_delivery_is_never_planned_twice(journal: SqliteJournal) -> None:
    known = await bound(journal)
    await journal.tasks.apply(Change(task=known, deliveries=[delivery("a")]))
    twin = msgspec.structs.replace(delivery("b"), step="a")
    with pytest.raises(JournalError):
        await journal.tasks.apply(Change(task=await known_task(journal), deliveries=[twin]))


async def test_media_and_recipes_are_kept(journal: SqliteJournal) -> None:
    row = MediaRow(
        id="med_1",
        task_id="task_1",
        revision=1,
        position=0,
        source_url="https://x",
        name="a.mp4",
        path="task_1/r1-0.mp4",
        mime_type="video/mp4",
        size=3,
        sha256="00",
        stored_at=1.0,
    )
    await journal.deliveries.add_media(row)
    await journal.deliveries.add_media(msgspec.structs.replace(row, id="med_2"))
    assert [media.id for media in await journal.deliveries.media_of("task_1", 1)] == ["med_2"]
    await journal.deliveries.keep_recipe("h", "name", "file.yaml", "name: x")
    assert await journal.deliveries.recipe("h") == ("file.yaml", "name: x")


async def test_the_pulse_tells_what_is_overdue(journal: SqliteJournal) -> None:
    await bound(journal)
    await journal.tasks.apply(Change(task=await known_task(journal), deliveries=[delivery("a", due_at=7.0)]))
    pulse = await journal.pulse()
    assert (pulse.oldest_due_poll, pulse.oldest_due_delivery, pulse.open_tasks) == (100.0, 7.0, 1)
    assert (pulse.pending_deliveries, pulse.dead_deliveries, pulse.unconfirmed) == (1, 0, 0)


async def test_every_table_of_the_design_is_there(journal: SqliteJournal) -> None:
    names = await journal.read(
        lambda connection: {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    )
    assert names >= {
        "receipts",
        "tasks",
        "operations",
        "history",
        "deliveries",
        "media",
        "batches",
        "rows",
        "endpoints",
        "connections",
        "api_keys",
    }


async def test_a_note_is_there_after_a_restart_and_only_in_its_scope(tmp_path: Path) -> None:
    first = SqliteJournal.open(tmp_path / "journal.db")
    await first.notes.put("dlv_1", "session", b"one", 1.0)
    await first.notes.put("dlv_1", "session", b"two", 2.0)
    await first.close()
    second = SqliteJournal.open(tmp_path / "journal.db")
    assert await second.notes.get("dlv_1", "session") == b"two"
    assert await second.notes.get("dlv_2", "session") is None
    await second.close()


async def test_who_asked_for_a_recipe_by_name_and_is_not_over(journal: SqliteJournal) -> None:
    for number, (status, recipes) in enumerate(
        [("queued", '["Tell", "Keep"]'), ("processing", '["Tell"]'), ("succeeded", '["Tell"]'), ("queued", "[]")]
    ):
        row = task(f"task_{number}", status=status, recipes=recipes)
        await journal.tasks.create(row, operation(row.id), entry(task_id=row.id))
    assert [await journal.tasks.asking_for(name) for name in ("Tell", "Keep", "tell")] == [2, 1, 0]
