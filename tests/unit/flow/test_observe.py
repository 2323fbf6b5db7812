"""The single door: what counts as news, and when a task has finished anew."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.contract import Task, decode
from relay.flow.observe import Observer, Pace, classify, differs
from relay.journal import Entry, Operation, Source, SqliteJournal, TaskRow
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer, parse
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

RECIPE = """\
name: Tell
on: [task.succeeded, task.failed, task.requires_action]
when: "{{ row.wanted | default(true) }}"
steps:
  first: { use: http }
  second: { use: http, after: first }
"""


class Door:
    """An observer with a real journal and virtual time."""

    def __init__(self, folder: Path, recipe: str = RECIPE) -> None:
        self.clock = VirtualClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        recipes = RecipeSet([parse(recipe, "recipe.yaml")])
        self.observer = Observer(self.journal, self.clock, lambda: recipes, Renderer(), Pace(), lambda: None)

    async def accepted(self, row: str = "{}") -> TaskRow:
        now = self.clock.now()
        task = TaskRow(
            id="task_ours",
            provider="beatapi",
            workflow="music-video",
            status="queued",
            request="{}",
            row=row,
            created_at=now,
            updated_at=now,
        )
        operation = Operation(
            id="op_1", task_id=task.id, kind="create", state="queued", body="{}", created_at=now, due_at=now
        )
        await self.journal.tasks.create(task, operation, Entry(task_id=task.id, at=now, kind="task.accepted"))
        (claimed,) = (await self.journal.queue.claim(now, 1, 60, fresh=1, funds=None)).operations
        claimed.state, claimed.due_at = "accepted", None
        await self.observer.observe(task, told("queued"), "create", claimed)
        return await self.known()

    async def known(self) -> TaskRow:
        task = await self.journal.tasks.get("task_ours")
        assert task is not None
        return task

    async def tell(self, status: str, source: Source = "poll", **more: Any) -> TaskRow:
        self.clock.advance(10)
        await self.observer.observe(await self.known(), told(status, **more), source)
        return await self.known()

    async def finishes(self) -> list[tuple[int, str]]:
        return [(finish.revision, finish.event) for finish in await self.journal.tasks.finishes("task_ours")]

    async def kinds(self) -> list[str]:
        return [entry.kind for entry in await self.journal.tasks.history("task_ours")]


def told(status: str, **more: Any) -> Told:
    document = {"id": "task_theirs", "status": status, "request_id": "req_1", **more}
    raw = json.dumps(document)
    return Told(decode(raw, Task), raw)


def video(name: str = "v", at: int | None = 100) -> dict[str, Any]:
    output = {"media": [{"type": "video", "url": f"https://x/{name}.mp4", "mime_type": "video/mp4"}]}
    return {"output": output, "completed_at": at}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(tmp_path)
    await door.accepted()
    yield door
    await door.journal.close()


async def test_a_poll_that_tells_nothing_new_leaves_no_history(door: Door) -> None:
    before = await door.kinds()
    task = await door.tell("queued", request_id="req_another", poll_after_seconds=10)
    assert await door.kinds() == before
    assert task.next_poll_at is not None
    assert 5 <= task.next_poll_at - door.clock.now() <= 10


async def test_each_step_is_told_once_and_the_finish_is_numbered(door: Door) -> None:
    await door.tell("processing")
    await door.tell("succeeded", **video())
    await door.tell("succeeded", **video())
    assert await door.finishes() == [(1, "task.succeeded")]
    assert (await door.kinds()).count("task.observed") == 3


async def test_the_archive_comes_first_and_the_steps_wait(door: Door) -> None:
    await door.tell("succeeded", **video())
    rows = {row.step: row for row in await door.journal.deliveries.of_task("task_ours")}
    assert {name: row.state for name, row in rows.items()} == {
        "archive": "due",
        "first": "waiting",
        "second": "waiting",
    }


async def test_a_finish_without_media_has_no_archive(door: Door) -> None:
    await door.tell("failed", error_code="processing_failed")
    states = {row.step: row.state for row in await door.journal.deliveries.of_task("task_ours")}
    assert states == {"first": "due", "second": "waiting"}


async def test_a_finish_that_no_recipe_wants_is_unrouted(tmp_path: Path) -> None:
    door = Door(tmp_path)
    await door.accepted(row='{"wanted": "no"}')
    await door.tell("failed")
    (row,) = await door.journal.deliveries.of_task("task_ours")
    assert (row.state, row.due_at, row.step) == ("unrouted", None, "unrouted")
    assert await door.journal.deliveries.claim(door.clock.now() + 1e9, lambda: 10, 40) == []
    await door.journal.close()


async def test_a_when_that_cannot_be_evaluated_is_a_dead_letter_not_a_silence(tmp_path: Path) -> None:
    door = Door(tmp_path, RECIPE.replace("row.wanted | default(true)", "row.nope"))
    await door.accepted()
    await door.tell("failed")
    (dead,) = await door.journal.deliveries.of_task("task_ours")
    assert (dead.step, dead.state) == ("when", "dead")
    assert "'nope' is not there" in (dead.error or "")
    await door.journal.close()


@pytest.mark.parametrize("second", [video("w", 100), video("v", 200)])
async def test_a_video_composed_anew_is_a_second_finish(door: Door, second: dict[str, Any]) -> None:
    await door.tell("succeeded", **video())
    await door.tell("composing")
    task = await door.tell("succeeded", **second)
    assert await door.finishes() == [(1, "task.succeeded"), (2, "task.succeeded")]
    assert task.revision == 2


async def test_a_second_finish_is_seen_even_if_nobody_saw_the_way_there(door: Door) -> None:
    await door.tell("succeeded", **video())
    await door.tell("succeeded", **video("w", 300))
    assert len(await door.finishes()) == 2


async def test_a_status_that_lags_behind_is_no_second_video(door: Door) -> None:
    await door.tell("succeeded", "webhook", **video(at=None))
    await door.tell("processing")
    await door.tell("succeeded", **video())
    assert await door.finishes() == [(1, "task.succeeded")]
    assert "task.contradicted" in await door.kinds()


async def test_a_webhooks_word_is_confirmed_by_a_poll(door: Door) -> None:
    task = await door.tell("succeeded", "webhook", **video(at=None))
    assert task.confirmed is False
    task = await door.tell("succeeded", **video())
    assert (task.confirmed, task.revision) == (True, 1)
    assert "task.confirmed" in await door.kinds()


async def test_a_storyboard_asks_for_a_person_once_until_it_is_edited(door: Door) -> None:
    await door.tell("storyboard_ready")
    await door.tell("requires_action")
    await door.tell("editing")
    await door.tell("requires_action")
    await door.tell("composing")
    await door.tell("succeeded", **video())
    assert await door.finishes() == [
        (1, "task.requires_action"),
        (2, "task.requires_action"),
        (3, "task.succeeded"),
    ]


async def test_an_unknown_status_is_shown_and_is_not_an_end(door: Door) -> None:
    task = await door.tell("polishing")
    assert (task.status, task.next_poll_at is not None) == ("polishing", True)
    assert await door.finishes() == []


@pytest.mark.parametrize(("status", "least", "most"), [("requires_action", 60, 72), ("succeeded", 600, 720)])
async def test_what_waits_is_asked_rarely(door: Door, status: str, least: float, most: float) -> None:
    task = await door.tell(status)
    assert task.next_poll_at is not None
    assert least <= task.next_poll_at - door.clock.now() <= most


async def test_a_failed_task_is_never_asked_again(door: Door) -> None:
    assert (await door.tell("failed")).next_poll_at is None


async def test_a_succeeded_task_is_asked_for_a_day_and_then_left_alone(door: Door) -> None:
    await door.tell("succeeded", **video())
    asked = 0
    while (task := await door.known()).next_poll_at is not None:
        door.clock.advance(task.next_poll_at - door.clock.now())
        await door.observer.observe(task, told("succeeded", **video()), "poll")
        asked += 1
        assert asked < 20
    assert 5 <= asked <= 10


async def test_losing_a_race_is_no_error(door: Door) -> None:
    stale = await door.known()
    await door.tell("processing")
    task = await door.observer.observe(stale, told("succeeded", **video()), "poll")
    assert (task.status, await door.finishes()) == ("succeeded", [(1, "task.succeeded")])


def test_classes_and_differences() -> None:
    kinds = {status: classify(status) for status in ("queued", "failed", "succeeded", "storyboard_ready", "odd")}
    assert kinds == {
        "queued": None,
        "failed": "failed",
        "succeeded": "succeeded",
        "storyboard_ready": "action",
        "odd": None,
    }
    assert not differs('{"id":"a","request_id":"1"}', '{"request_id":"2", "id":"a"}')
    assert differs('{"id":"a","x":1}', '{"id":"a","x":2}')
