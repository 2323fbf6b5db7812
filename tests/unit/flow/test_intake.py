"""Submission in virtual time: accepted once, sent once, held when nobody knows."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from relay.contract import ErrorBody, Task, decode
from relay.contract.pricing import RateTable
from relay.flow.estimate import Prices
from relay.flow.govern import Governor
from relay.flow.intake import Intake, Origin
from relay.flow.observe import Observer, Pace
from relay.journal import Operation, SqliteJournal, TaskRow
from relay.providers import Busy, CreateAnswer, FetchAnswer, Forged, Genuine, Hint, Refused, Standing, Told, Unclear
from relay.recipe import RecipeSet, Renderer
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio


class Scripted:
    """A provider that answers what the test says, and remembers what it was asked."""

    name = "scripted"
    webhooks = "hint"
    polls_per_minute = 120

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.honours_keys = False
        self.answer: Callable[[], Awaitable[CreateAnswer]] = accepted
        self.standing_now: Standing | Unclear = Unclear("nobody knows")
        self.asked = 0

    async def idempotent_create(self) -> bool:
        return self.honours_keys

    async def create(self, workflow: str, body: str, key: str) -> CreateAnswer:
        self.sent.append((workflow, body, key))
        return await self.answer()

    async def operate(self, kind: str, provider_id: str, target: str, body: str, key: str) -> CreateAnswer:
        self.sent.append((f"{kind} {provider_id} {target}".strip(), body, key))
        return await self.answer()

    async def standing(self) -> Standing | Unclear:
        self.asked += 1
        return self.standing_now

    async def fetch(self, provider_id: str) -> FetchAnswer:
        raise AssertionError("nobody polls here")

    def verify(self, headers: dict[str, str], body: bytes, now: float) -> Genuine | Forged:
        raise AssertionError("nobody sends webhooks here")

    def read_webhook(self, body: bytes) -> Hint:
        raise AssertionError("nobody sends webhooks here")

    def told_by_webhook(self, body: bytes) -> Told:
        raise AssertionError("nobody sends webhooks here")


async def accepted() -> CreateAnswer:
    raw = json.dumps({"id": "task_theirs", "status": "queued"})
    return Told(decode(raw, Task), raw)


def answering(answer: CreateAnswer) -> Callable[[], Awaitable[CreateAnswer]]:
    async def answered() -> CreateAnswer:
        return answer

    return answered


class Desk:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        self.provider = Scripted()
        observer = Observer(self.journal, self.clock, RecipeSet, Renderer(), Pace(), lambda: None)
        self.observer = observer
        self.governor = Governor(self.journal, self.clock, self.provider)
        prices = Prices(RateTable(), self.governor)
        self.intake = Intake(self.journal, self.clock, self.provider, observer, self.governor, prices, lease=40.0)

    async def accept(self, **more: Any) -> str:
        return (await self.intake.accept("music-video", '{"images": []}', **more)).id

    async def turn(self) -> None:
        await self.intake.step()
        await self.intake.drain()

    async def operation(self, task_id: str) -> Operation:
        (operation,) = await self.journal.tasks.operations(task_id)
        return operation

    async def task(self, task_id: str) -> TaskRow:
        task = await self.journal.tasks.get(task_id)
        assert task is not None
        return task


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.journal.close()


async def test_a_request_is_sent_once_under_its_own_key(desk: Desk) -> None:
    task_id = await desk.accept()
    await desk.turn()
    await desk.turn()
    operation = await desk.operation(task_id)
    assert desk.provider.sent == [("music-video", '{"images": []}', operation.id)]
    task = await desk.task(task_id)
    assert (operation.state, task.provider_id, task.next_poll_at is not None) == ("accepted", "task_theirs", True)


async def test_busy_keeps_it_queued_and_waits_as_asked(desk: Desk) -> None:
    task_id = await desk.accept()
    desk.provider.answer = answering(Busy("no slot", "user_concurrency_exceeded", 30.0, "slot"))
    for times in range(1, 4):
        await desk.turn()
        desk.clock.advance(29)
        await desk.turn()
        assert (await desk.operation(task_id)).state == "queued"
        assert len(desk.provider.sent) == times
        desk.clock.advance(1)
    desk.provider.answer = accepted
    await desk.turn()
    assert (await desk.operation(task_id)).state == "accepted"
    assert len({key for _, _, key in desk.provider.sent}) == 1
    kinds = [entry.kind for entry in await desk.journal.tasks.history(task_id)]
    assert kinds.count("operation.postponed") == 1, "the same reason again is not worth another line"


async def test_a_refusal_is_a_failed_task_with_its_reason(desk: Desk) -> None:
    task_id = await desk.accept()
    desk.provider.answer = answering(Refused(ErrorBody("bad_request", "images must contain 1-7 URLs"), 400))
    await desk.turn()
    task = await desk.task(task_id)
    assert (task.status, task.revision, task.next_poll_at, task.provider_id) == ("failed", 1, None, None)
    assert (await desk.operation(task_id)).state == "refused"


async def test_an_unclear_answer_is_held_where_a_repeat_would_cost(desk: Desk) -> None:
    task_id = await desk.accept()
    desk.provider.answer = answering(Unclear("the answer was lost"))
    await desk.turn()
    operation = await desk.operation(task_id)
    assert (operation.state, operation.due_at, operation.error) == ("unconfirmed", None, "the answer was lost")
    desk.clock.advance(1e6)
    await desk.turn()
    assert len(desk.provider.sent) == 1


async def test_an_unclear_answer_is_asked_again_with_the_same_key_where_that_is_free(desk: Desk) -> None:
    desk.provider.honours_keys = True
    task_id = await desk.accept()
    desk.provider.answer = answering(Unclear("the answer was lost"))
    await desk.turn()
    desk.provider.answer = accepted
    desk.clock.advance(10)
    await desk.turn()
    assert (await desk.operation(task_id)).state == "accepted"
    assert len({key for _, _, key in desk.provider.sent}) == 1


async def test_an_answer_that_comes_after_the_lease_still_counts(desk: Desk) -> None:
    """Somebody else has held the operation meanwhile; that the provider accepted it remains a fact."""
    task_id = await desk.accept()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def late() -> CreateAnswer:
        arrived.set()
        await go_on.wait()
        return await accepted()

    desk.provider.answer = late
    sending = asyncio.create_task(desk.turn())
    await arrived.wait()
    desk.clock.advance(41)
    (interrupted,) = (await desk.journal.queue.claim(desk.clock.now(), 5, 40.0, fresh=0, funds=None)).operations
    assert interrupted.state == "sending"
    await desk.intake.send(interrupted)
    assert (await desk.operation(task_id)).state == "unconfirmed"
    go_on.set()
    await sending
    assert (await desk.operation(task_id)).state == "accepted"
    assert (await desk.task(task_id)).provider_id == "task_theirs"
    assert len(desk.provider.sent) == 1


async def test_an_answer_that_cannot_be_written_down_yet_is_neither_lost_nor_asked_for_again(desk: Desk) -> None:
    task_id = await desk.accept()
    assert desk.journal._writer is not None
    connection = desk.journal._writer._connection

    async def taken() -> CreateAnswer:
        connection.execute("PRAGMA query_only = ON")
        return await accepted()

    desk.provider.answer = taken
    async with asyncio.timeout(20):
        sending = asyncio.create_task(desk.turn())
        while desk.journal.trouble is None:
            await asyncio.sleep(0)
        desk.clock.advance(1000)  # its lease is long over
        connection.execute("PRAGMA query_only = OFF")
        while desk.journal.trouble is not None:
            await asyncio.sleep(0)
        await desk.intake.step()
        while not sending.done():
            desk.clock.advance(1)
            await asyncio.sleep(0)
    assert (await desk.operation(task_id)).state == "accepted"
    assert (await desk.task(task_id)).provider_id == "task_theirs"
    assert len(desk.provider.sent) == 1


async def test_the_same_client_key_is_one_task(desk: Desk) -> None:
    first, second = await desk.accept(client_key="row 1"), await desk.accept(client_key="row 1")
    assert first == second
    await desk.turn()
    assert len(desk.provider.sent) == 1


async def test_a_row_is_one_task_and_the_second_to_ask_is_told_so(desk: Desk) -> None:
    async def ask(version: str, *, changed: bool = False) -> tuple[str, str | None, bool]:
        origin = Origin("us", row=("us//row 1", version))
        task, new = await desk.intake.accept_row("music-video", "{}", origin, changed=changed)
        return task.id, task.row_version, new

    answers = await asyncio.gather(*(ask("a") for _ in range(10)))
    (first,) = {task_id for task_id, _, _ in answers}
    assert sum(new for _, _, new in answers) == 1
    assert await ask("b") == (first, "a", False), "other content is not asked for unless it is wanted"
    second, version, new = await ask("b", changed=True)
    assert (second != first, version, new) == (True, "b", True)
    assert await ask("a") == (first, "a", False)
    assert await ask("c") == (second, "b", False), "the latest is what it is compared with"
