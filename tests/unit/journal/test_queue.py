"""Whose turn it is: priorities, then clients, then their batches; a lane keeps its order."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.journal import Change, Claimed, Entry, Funds, KeyRow, Operation, SqliteJournal, TaskRow

pytestmark = pytest.mark.anyio


class Queue:
    def __init__(self, folder: Path) -> None:
        self.journal = SqliteJournal.open(folder / "journal.db")
        self._made = 0

    async def put(self, client: str, batch: str = "", *, cost: int | None = None, **more: object) -> str:
        self._made += 1
        name = f"{client}{batch}{self._made}"
        task = TaskRow(
            id=name,
            provider="p",
            workflow="music-video",
            status="queued",
            request="{}",
            client=client,
            batch=batch,
            created_at=1.0,
            updated_at=1.0,
        )
        operation = Operation(
            id=f"op_{self._made:04}",
            task_id=name,
            kind="create",
            state="queued",
            body="{}",
            created_at=1.0,
            due_at=1.0,
            client=client,
            batch=batch,
            cost=cost,
        )
        for field, value in more.items():
            setattr(operation, field, value)
        await self.journal.tasks.create(task, operation, Entry(task_id=name, at=1.0, kind="task.accepted"))
        return name

    async def claim(self, fresh: int = 100, funds: Funds | None = None, now: float = 2.0) -> Claimed:
        return await self.journal.queue.claim(now, 100, 30.0, fresh=fresh, funds=funds)

    async def names(self, fresh: int = 100) -> list[str]:
        return [operation.task_id for operation in (await self.claim(fresh)).operations]


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    await queue.journal.close()


async def test_clients_take_turns_and_so_do_their_batches(queue: Queue) -> None:
    for _ in range(4):
        await queue.put("a", "x")
    for _ in range(2):
        await queue.put("a", "y")
    for _ in range(2):
        await queue.put("b")
    assert await queue.names() == ["ax1", "b7", "ay5", "b8", "ax2", "ay6", "ax3", "ax4"]


async def test_turns_go_on_where_they_were_left(queue: Queue) -> None:
    for _ in range(2):
        await queue.put("a")
        await queue.put("b")
    assert [await queue.names(1) for _ in range(4)] == [["a1"], ["b2"], ["a3"], ["b4"]]


async def test_a_newcomer_goes_before_a_backlog(queue: Queue) -> None:
    for _ in range(3):
        await queue.put("a")
    assert await queue.names(1) == ["a1"]
    await queue.put("b")
    assert await queue.names() == ["b4", "a2", "a3"]


async def test_a_key_never_has_more_than_its_share_under_way_and_others_go_on(queue: Queue) -> None:
    key = KeyRow(id="a", name="a", digest="d", hint="brk_", scopes="submit", created_at=1.0, share=2)
    await queue.journal.keys.add(key)
    for _ in range(4):
        await queue.put("a")
    await queue.put("b")
    assert await queue.names() == ["a1", "b5", "a2"]
    assert await queue.names() == [], "two of its own are under way"
    task = await queue.journal.tasks.get("a1")
    assert task is not None
    (operation,) = await queue.journal.tasks.operations("a1")
    operation.state, operation.due_at = "accepted", None
    task.provider_id, task.status = "theirs", "processing"
    await queue.journal.tasks.apply(Change(task=task, operation=operation))
    assert await queue.names() == [], "it runs at the provider now"
    again = await queue.journal.tasks.get("a1")
    assert again is not None
    again.status = "succeeded"
    await queue.journal.tasks.apply(Change(task=again))
    assert await queue.names() == ["a3"]


async def test_a_higher_priority_goes_first_and_can_be_changed(queue: Queue) -> None:
    await queue.put("a", priority=-9)
    await queue.put("a")
    await queue.put("b", priority=9)
    late = await queue.put("c", priority=-9)
    assert await queue.journal.queue.reprioritise(late, 5)
    assert await queue.names() == ["b3", "c4", "a2", "a1"]
    assert not await queue.journal.queue.reprioritise(late, 1), "it was sent already"


async def test_funds_are_never_overdrawn_and_nobody_jumps_the_queue(queue: Queue) -> None:
    await queue.put("a", cost=60)
    await queue.put("a", cost=60)
    await queue.put("a", cost=1)
    claimed = await queue.claim(funds=Funds(100, "credits"))
    assert [operation.task_id for operation in claimed.operations] == ["a1"]
    assert claimed.short is not None
    assert claimed.short.task_id == "a2"
    assert (await queue.claim(funds=Funds(0, "credits"))).operations == []
    other = await queue.claim(funds=Funds(0, "usd"))
    assert len(other.operations) == 2, "an amount of another unit measures nothing"


async def test_what_may_have_been_sent_comes_first_and_needs_no_new_slot(queue: Queue) -> None:
    await queue.put("a")
    await queue.put("b")
    await queue.claim(1)
    assert (await queue.claim(0, now=31.0)).operations == []
    claimed = (await queue.claim(0, now=32.0)).operations
    assert [(operation.task_id, operation.state, operation.attempts) for operation in claimed] == [("a1", "sending", 2)]


async def test_what_is_not_due_keeps_nobody_waiting(queue: Queue) -> None:
    await queue.put("a", due_at=50.0)
    await queue.put("a")
    assert await queue.names() == ["a2"]
    due = await queue.journal.queue.due()
    assert (due.again, due.fresh) == (32.0, 50.0)


async def test_the_load_counts_what_runs_or_may_run(queue: Queue) -> None:
    await queue.put("a", cost=7)
    await queue.put("b", cost=5, unit="usd")
    await queue.put("c", cost=100)
    await queue.claim(2)
    load = await queue.journal.queue.load(0.0, 0.0)
    assert (load.running, load.sending, load.unsure, load.all) == (0, 2, 0, 2)
    assert load.spent == {"credits": 7, "usd": 5}
    assert (await queue.journal.queue.load(3.0, 0.0)).spent == {}
    assert await queue.journal.queue.waiting() == 1


async def test_why_it_waits_is_told_once(queue: Queue) -> None:
    first, second = await queue.put("a"), await queue.put("b")
    store = queue.journal.queue
    assert await store.told(2.0, "queue.paused", "no money", 1) == 1
    assert await store.told(3.0, "queue.paused", "no money", 10) == 1
    assert await store.told(4.0, "queue.paused", "no money", 10) == 0
    assert await store.untold(5.0, "queue.resumed", "no money", 10) == 2
    for task_id in (first, second):
        kinds = [entry.kind for entry in await queue.journal.tasks.history(task_id)]
        assert kinds == ["task.accepted", "queue.paused", "queue.resumed"]


async def test_claiming_walks_the_index_and_not_the_table(queue: Queue) -> None:
    from relay.journal import sqlite_queue as sql

    questions = {
        sql._HEAD: (0, "a", "", 2.0),
        sql._NEXT_LANE: (0, "a", ""),
        sql._FIRST_LANE: (0,),
        sql._NEXT_PRIORITY: (9,),
        sql._LOAD: {"since": 0.0, "seen": 0.0},
        sql._SPENT: (0.0,),
    }
    for question, arguments in questions.items():
        plan = await queue.journal.read(
            lambda connection, q=question, a=arguments: connection.execute(f"EXPLAIN QUERY PLAN {q}", a).fetchall()
        )
        steps = [row["detail"] for row in plan]
        assert not [
            step for step in steps if step.startswith("SCAN") and "USING" not in step and "CONSTANT" not in step
        ]
        assert not [step for step in steps if "TEMP B-TREE FOR ORDER" in step]
