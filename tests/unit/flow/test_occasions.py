"""Recipes on what is no finish, and the rest of the language, through the real planner, journal and renderer."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Outcome, Reject, Retry
from relay.contract import Task, decode
from relay.flow.occasions import Batch, Herald
from relay.flow.plan import Labels, fits, wants
from relay.flow.schedule import Hours
from relay.journal import DeliveryRow, MediaRow
from relay.providers import Told
from relay.recipe import Match, RecipeSet, Renderer, parse

from .test_deliver import Bench

pytestmark = pytest.mark.anyio


class Line(Bench):
    """The bench of the deliverer, with several recipes and whatever the test tells of the task."""

    def __init__(self, folder: Path, *recipes: str) -> None:
        super().__init__(folder, recipes[0])
        self.recipes = RecipeSet([parse(text, f"{number}.yaml") for number, text in enumerate(recipes)])
        self.herald = Herald(self.journal, self.clock, lambda: self.recipes, Renderer(), lambda: None)
        self.hours = Hours(self.journal, self.clock, lambda: self.recipes, self.herald)

    async def tell(self, **told: Any) -> None:
        task = await self.journal.tasks.get("task_1")
        assert task is not None
        raw = json.dumps({"id": "p1", **told})
        await self.observer.observe(task, Told(decode(raw, Task), raw), "poll")

    async def store(self, position: int) -> None:
        await self.journal.deliveries.add_media(
            MediaRow(
                id=f"med_{position}",
                task_id="task_1",
                revision=2,
                position=position,
                source_url="https://x",
                name=f"{position}.mp4",
                path=f"{position}.mp4",
                mime_type="video/mp4",
                size=position,
                sha256="0" * 64,
                stored_at=0,
            )
        )

    async def work_off(self) -> list[str]:
        """Everything that is due, to its end; returns what the probe was told, in order."""
        for _ in range(8):
            await self.work()
        return [config.text for config, _ in self.probe.calls]


@pytest.fixture
async def lines(tmp_path: Path) -> AsyncIterator[Any]:
    made: list[Line] = []

    async def make(*recipes: str) -> Line:
        made.append(Line(tmp_path / str(len(made)), *recipes))
        return made[-1]

    yield make
    for line in made:
        await line.client.aclose()
        await line.journal.close()


async def begin(line: Line, recipes: str = "[]") -> None:
    """A task that fails, as the bench has it."""
    await line.fail_a_task(recipes)


FOLLOW = """\
name: Follow
on: task.updated
steps:
  tell: { use: probe, with: { text: "{{ task.status }} {{ row | length }} {{ event.type }} {{ media | length }}" } }
"""


async def test_every_telling_word_is_an_update_and_a_repeated_one_is_none(lines: Any) -> None:
    line = await lines(FOLLOW)
    await begin(line)
    await line.tell(status="running")
    await line.tell(status="running", request_id="req_2")
    assert sorted(await line.work_off()) == ["failed 0 task.updated 0", "running 0 task.updated 0"]
    events = [delivery.event for _, delivery in line.probe.calls]
    assert {(event["type"], event["task"]["id"]) for event in events} == {("task.updated", "task_1")}


DEAD = """\
name: {name}
on: delivery.dead
steps:
  tell:
    use: probe
    with: {{ text: "{name}: {{{{ delivery.recipe }}}} of {{{{ task.id }}}}: {{{{ delivery.error }}}}" }}
"""
BROKEN = (
    "name: Broken\non: task.failed\nsteps: { one: { use: probe, retry: { attempts: 1 }, with: { text: broken } } }\n"
)


async def test_a_dead_letter_is_told_to_other_recipes_and_never_to_its_own_kind(lines: Any) -> None:
    line = await lines(BROKEN, DEAD.format(name="A"), DEAD.format(name="B"))
    line.probe.act = lambda: Reject("no such place")
    await begin(line)
    told = await line.work_off()
    assert told[0] == "broken"
    assert sorted(told[1:]) == [f"{name}: Broken of task_1: no such place" for name in "AB"]
    states = {(row.recipe, row.state) for row in await line.journal.deliveries.of_task("task_1")}
    assert states == {("Broken", "dead"), ("A", "dead"), ("B", "dead")}


async def test_a_dead_letter_is_told_whichever_recipes_were_named(lines: Any) -> None:
    line = await lines(BROKEN, DEAD.format(name="A"))
    line.probe.act = lambda: Reject("no such place")
    await begin(line, recipes='["Broken"]')
    assert [text[:9] for text in await line.work_off()] == ["broken", "A: Broken"]


async def test_a_recipe_that_cannot_be_planned_is_a_dead_letter_that_others_hear_of(lines: Any) -> None:
    line = await lines(BROKEN.replace("on:", 'when: "{{ row.nope }}"\non:'), DEAD.format(name="A"))
    await begin(line)
    (told,) = await line.work_off()
    assert told.startswith("A: Broken of task_1: ")
    assert "'nope' is not there" in told


BATCH = """\
name: Sum
on: batch.completed
match: { batch: June }
steps:
  tell: { use: probe, with: { text: "{{ batch.name }}: {{ batch.done }} done, {{ batch.failed }} failed" } }
"""


async def test_a_batch_is_told_once_and_only_to_whom_it_matches(lines: Any) -> None:
    line = await lines(BATCH)
    june, july = (Batch(f"bat_{number}", name, 198, 2, 14850) for number, name in enumerate(("June", "July")))
    assert await line.herald.batch_completed(june)
    assert not await line.herald.batch_completed(june)
    assert await line.herald.batch_completed(july)
    assert await line.work_off() == ["June: 198 done, 2 failed"]
    assert line.probe.calls[0][1].event["batch"]["credits"] == 14850


HOURLY = """\
name: Weekly
on: { schedule: "0 9 * * mon", tz: Europe/Berlin }
steps:
  tell: { use: probe, with: { text: "{{ event.created_at | date('%a %H:%M', 'Europe/Berlin') }}" } }
"""
WEEK = 7 * 86400.0


async def test_a_schedule_fires_at_its_hour_once_and_makes_up_for_one_that_was_missed(lines: Any) -> None:
    line = await lines(HOURLY)
    await line.hours.step()
    assert await line.work_off() == []
    line.clock.advance(WEEK)
    await line.hours.step()
    await line.hours.step()
    assert await line.work_off() == ["Mon 09:00"]
    at = line.probe.calls[0][1].event["created_at"]
    line.clock.advance(at + WEEK + 1800 - line.clock.now())
    again = Hours(line.journal, line.clock, lambda: line.recipes, line.herald)  # as after a restart
    await again.step()
    assert len(await line.work_off()) == 2
    line.clock.advance(WEEK + 7200)
    await Hours(line.journal, line.clock, lambda: line.recipes, line.herald).step()
    assert len(await line.work_off()) == 2, "a fire that is two hours late is left out"


EACH = """\
name: Each
on: task.succeeded
steps:
  save: { use: probe, for_each: task.output.media, with: { text: "{{ item.name }} of {{ media | length }}" } }
  tell: { use: probe, after: save, with: { text: "{{ steps.save | length }} saved: {{ steps.save[1].url }}" } }
"""


async def test_a_step_for_each_file_is_a_delivery_for_each_and_the_next_waits_for_all(lines: Any) -> None:
    line = await lines(EACH)
    await begin(line)
    await line.store(0)
    await line.store(1)
    files = [{"type": "video", "url": f"https://x/{number}"} for number in range(2)]
    await line.tell(status="succeeded", output={"media": files})
    answers = {1: Retry("no"), 2: Outcome(url="https://second")}

    def act() -> object:
        config, delivery = line.probe.calls[-1]
        return answers[delivery.attempt] if config.text.startswith("1.mp4") else Outcome()

    line.probe.act = act
    await archived(line)
    assert sorted(await line.work_off()) == ["0.mp4 of 2", "1.mp4 of 2"]
    line.clock.advance(10)
    assert (await line.work_off())[2:] == ["1.mp4 of 2", "2 saved: https://second"]
    for config, delivery in line.probe.calls[:3]:
        assert delivery.media is not None
        assert config.text == f"{delivery.media.name} of 2"
    assert {row.step for row in await line.journal.deliveries.of_task("task_1") if row.revision == 2} == {
        "archive",
        "save[0]",
        "save[1]",
        "tell",
    }


async def archived(line: Line) -> None:
    """The archive's delivery is done: its connector is not part of this bench."""
    from relay.journal import Settlement

    (briefing,) = await line.journal.deliveries.claim(line.clock.now(), lambda: 10, 40)
    row = briefing.delivery
    row.state, row.due_at = "done", None
    assert await line.journal.deliveries.settle(Settlement(delivery=row))


async def test_without_files_the_next_step_does_not_wait_for_ever(lines: Any) -> None:
    line = await lines(EACH.replace("task.succeeded", "task.failed").replace(": {{ steps.save[1].url }}", ""))
    await begin(line)
    assert await line.work_off() == ["0 saved"]


@pytest.mark.parametrize(
    ("retry", "tries"),
    [
        ("{ schedule: [1, 2] }", 3),
        ("{ schedule: [1], attempts: 5 }", 5),
        ("{ schedule: [100], attempts: 50, give_up_after: 290 }", 3),
    ],
)
async def test_a_recipe_has_its_own_schedule_of_tries(lines: Any, retry: str, tries: int) -> None:
    line = await lines(BROKEN.replace("{ attempts: 1 }", retry))
    line.probe.act = lambda: Retry("it answered 500")
    await begin(line)
    row: DeliveryRow | None = None
    for _ in range(tries):
        await line.work()
        (row,) = await line.journal.deliveries.of_task("task_1")
        if row.due_at is not None:
            line.clock.advance(row.due_at - line.clock.now())
    assert row is not None
    assert (row.state, row.failures) == ("dead", tries)


@pytest.mark.parametrize(
    ("match", "fit"),
    [
        (Match(), True),
        (Match(tags=["a", "x"]), True),
        (Match(tags=["x"]), False),
        (Match(batch=["june"]), True),
        (Match(batch=["june"], client=["y"]), False),
        (Match(tags=["b"], client=["k1", "y"]), True),
    ],
)
def test_a_task_fits_with_one_of_each_list(match: Match, fit: bool) -> None:
    labels = Labels(frozenset({"a", "b"}), frozenset({"june"}), frozenset({"k1"}))
    assert fits(match, labels) is fit
    assert fits(match, Labels()) is (match == Match())


def test_a_named_recipe_is_wanted_whatever_it_matches_and_no_other() -> None:
    named, other = (parse(BATCH.replace("Sum", name), f"{name}.yaml") for name in ("Sum", "Other"))
    labels = Labels(batch=frozenset({"July"}), recipes=frozenset({"Sum"}))
    assert (wants(named, labels), wants(other, labels)) == (True, False)
    assert not wants(named, Labels(batch=frozenset({"July"})))
