"""Delivery workers in virtual time: the schedule, the lease, the pinned recipe."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import Connector, ConnectorConfig, Delivery, Gone, Outcome, Reject, Retry, Wait
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.observe import Observer, Pace
from relay.flow.retry import SCHEDULE
from relay.journal import DeliveryRow, Entry, Operation, SqliteJournal, TaskRow, Unavailable
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer, parse
from relay.settings import Settings
from relay.vault import Vault, new_key
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

RECIPE = """\
name: Tell
on: task.failed
steps:
  tell: { use: probe, with: { text: "{{ task.error_code }}" } }
"""


class ProbeConfig(ConnectorConfig):
    text: str = ""


class Probe(Connector):
    """Does what the test says."""

    name = "probe"
    Config = ProbeConfig

    def __init__(self) -> None:
        self.calls: list[tuple[ProbeConfig, Delivery]] = []
        self.act: Callable[[], Any] = lambda: Outcome(url="https://landed")

    async def deliver(self, config: ProbeConfig, delivery: Delivery) -> Outcome:
        self.calls.append((config, delivery))
        result = self.act()
        if asyncio.iscoroutine(result):
            return await result
        if isinstance(result, Exception):
            raise result
        return result


class Bench:
    """A deliverer with one probe, a real journal and virtual time."""

    def __init__(
        self,
        folder: Path,
        recipe: str,
        more: dict[str, Connector] | None = None,
        connections: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        self.recipes = RecipeSet([parse(recipe, "recipe.yaml")])
        self.probe = Probe()
        renderer = Renderer()
        self.observer = Observer(self.journal, self.clock, lambda: self.recipes, renderer, Pace(), lambda: None)
        self.client = httpx.AsyncClient(trust_env=False)
        vault, connectors = Vault([new_key()]), {"probe": self.probe, **(more or {})}
        known = {"known": {"token": "t"}, **(connections or {})}
        self.woken = 0
        self.connections = Connections(self.journal, self.clock, vault, connectors, known, self.client, self._wake)
        self.deliverer = Deliverer(
            self.journal,
            self.clock,
            lambda: self.recipes,
            renderer,
            connectors,
            MediaStore(folder / "media"),
            self.client,
            Settings(),
            vault,
            self.connections,
        )

    async def fail_a_task(self, recipes: str = "[]") -> None:
        now = self.clock.now()
        task = TaskRow(
            id="task_1",
            provider="beatapi",
            workflow="music-video",
            status="queued",
            request="{}",
            created_at=now,
            updated_at=now,
            recipes=recipes,
        )
        operation = Operation(
            id="op_1", task_id="task_1", kind="create", state="queued", body="{}", created_at=now, due_at=None
        )
        await self.journal.tasks.create(
            task, operation, Entry(task_id="task_1", at=now, kind="task.accepted", data={"workflow": "music-video"})
        )
        for recipe in self.recipes:
            await self.journal.deliveries.keep_recipe(recipe.hash, recipe.name, recipe.file, recipe.source)
        raw = json.dumps({"id": "p1", "status": "failed", "error_code": "processing_failed"})
        import relay.contract as contract

        await self.observer.observe(task, Told(contract.decode(raw, contract.Task), raw), "poll")

    def _wake(self) -> None:
        self.woken += 1

    async def work(self) -> None:
        """One turn: everything that is due now, to its end."""
        await self.deliverer.step()
        await self.deliverer.drain()

    async def rows(self) -> dict[str, DeliveryRow]:
        return {row.step: row for row in await self.journal.deliveries.of_task("task_1")}

    async def row(self) -> DeliveryRow:
        return (await self.rows())["tell"]


@pytest.fixture
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, getattr(request, "param", RECIPE))
    await bench.fail_a_task()
    yield bench
    await bench.client.aclose()
    await bench.journal.close()


async def test_the_connector_gets_what_the_recipe_says(bench: Bench) -> None:
    await bench.work()
    ((config, delivery),) = bench.probe.calls
    row = await bench.row()
    assert config.text == "processing_failed"
    assert (delivery.key, delivery.attempt, delivery.event["type"]) == (row.id, 1, "task.failed")
    assert (row.state, json.loads(row.outcome or "")) == ("done", {"url": "https://landed", "detail": {}})


async def test_the_whole_schedule_is_followed_and_then_it_is_dead(bench: Bench) -> None:
    bench.probe.act = lambda: Retry("it answered 500")
    for number, wait in enumerate(SCHEDULE, start=1):
        await bench.work()
        row = await bench.row()
        assert (row.state, row.failures) == ("due", number)
        assert row.due_at is not None
        assert wait <= row.due_at - bench.clock.now() <= wait * 1.2
        bench.clock.advance(row.due_at - bench.clock.now())
    await bench.work()
    row = await bench.row()
    assert (row.state, row.failures, row.error) == ("dead", 12, "it answered 500")
    assert len({delivery.key for _, delivery in bench.probe.calls}) == 1
    assert [delivery.attempt for _, delivery in bench.probe.calls] == list(range(1, 13))


@pytest.mark.parametrize(("asked", "least", "most"), [(1.0, 5, 6), (60.0, 60, 60), (10 * 86400.0, 86400, 86400)])
async def test_retry_after_only_lengthens_and_at_most_to_a_day(
    bench: Bench, asked: float, least: float, most: float
) -> None:
    bench.probe.act = lambda: Retry("it answered 429", after=asked)
    await bench.work()
    row = await bench.row()
    assert row.due_at is not None
    assert least <= row.due_at - bench.clock.now() <= most


async def test_waiting_is_no_failure_and_no_attempt(bench: Bench) -> None:
    answers = iter([Wait("others go first", after=3.0), Wait("others go first", after=100.0), Outcome()])
    bench.probe.act = lambda: next(answers)
    for wait in (3.0, 100.0):
        await bench.work()
        row = await bench.row()
        assert (row.state, row.failures, row.attempts) == ("due", 0, 0)
        assert row.due_at == bench.clock.now() + wait
        bench.clock.advance(wait)
    await bench.work()
    row = await bench.row()
    assert (row.state, row.attempts) == ("done", 1)
    kinds = [entry.kind for entry in await bench.journal.tasks.history("task_1")]
    assert kinds[-3:] == ["delivery.waiting", "delivery.waiting", "delivery.done"]


async def test_waiting_has_an_end(bench: Bench) -> None:
    bench.probe.act = lambda: Wait("never ready", after=3600.0)
    for _ in range(200):
        await bench.work()
        row = await bench.row()
        if row.due_at is None:
            break
        bench.clock.advance(row.due_at - bench.clock.now())
    assert (row.state, row.error, row.failures) == ("dead", "never ready", len(SCHEDULE) + 1)


@pytest.mark.parametrize("error", [Reject("the file is too large"), Gone("it answered 410")])
async def test_what_can_never_work_is_dead_at_once(bench: Bench, error: Exception) -> None:
    bench.probe.act = lambda: error
    await bench.work()
    row = await bench.row()
    assert (row.state, row.error, len(bench.probe.calls)) == ("dead", str(error), 1)


async def test_a_connectors_bug_is_retried_and_named_without_its_text(bench: Bench) -> None:
    bench.probe.act = lambda: RuntimeError("token t was wrong")
    await bench.work()
    row = await bench.row()
    assert (row.state, row.error) == ("due", "the connector probe failed: RuntimeError")


@pytest.mark.parametrize("stumbles", [False, True])
async def test_a_long_attempt_keeps_its_lease(bench: Bench, stumbles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = asyncio.Event()
    renew = bench.journal.deliveries.renew

    async def stumble(held: Mapping[str, int], until: float) -> int:
        monkeypatch.setattr(bench.journal.deliveries, "renew", renew)
        raise Unavailable("the disk is full")

    if stumbles:
        monkeypatch.setattr(bench.journal.deliveries, "renew", stumble)

    async def slowly() -> Outcome:
        await landing.wait()
        return Outcome()

    bench.probe.act = slowly
    await bench.deliverer.step()
    await until(lambda: bool(bench.probe.calls))
    for _ in range(12):
        fence = (await bench.row()).due_at
        if stumbles and bench.journal.deliveries.renew is stumble:
            bench.clock.advance(14)
            await until(lambda: bench.journal.deliveries.renew is renew)
        await until(lambda: bench.clock.until_next() is not None)
        bench.clock.advance(14)
        await until_changed(bench, fence)
        assert await bench.journal.deliveries.claim(bench.clock.now(), lambda: 10, 40) == []
    landing.set()
    await bench.deliverer.drain()
    assert (await bench.row()).state == "done"


async def test_a_result_after_the_lease_was_lost_does_not_count(bench: Bench) -> None:
    async def stolen() -> Outcome:
        bench.clock.advance(0)
        await bench.journal.deliveries.claim(bench.clock.now() + 1000, lambda: 10, 40)
        return Outcome(url="https://too-late")

    bench.probe.act = stolen
    await bench.work()
    row = await bench.row()
    assert (row.state, row.outcome, row.attempts) == ("leased", None, 2)


async def unwritable(journal: SqliteJournal, state: str) -> None:
    """Let every write fail (``ON``), or none (``OFF``)."""
    assert journal._writer is not None
    journal._writer._connection.execute(f"PRAGMA query_only = {state}")


async def test_what_landed_while_the_journal_could_not_be_written_is_not_sent_again(bench: Bench) -> None:
    async def landed() -> Outcome:
        await unwritable(bench.journal, "ON")
        return Outcome(url="https://landed")

    bench.probe.act = landed
    await bench.deliverer.step()
    await until(lambda: bench.journal.trouble is not None)
    bench.clock.advance(1000)  # its lease is long over when the disk has room again
    await unwritable(bench.journal, "OFF")
    await until(lambda: bench.journal.trouble is None)
    await bench.deliverer.step()
    async with asyncio.timeout(10):
        while (await bench.row()).state != "done":
            bench.clock.advance(1)
            await asyncio.sleep(0)
    await bench.deliverer.drain()
    assert len(bench.probe.calls) == 1


async def test_a_clock_that_jumps_sends_nothing_twice(bench: Bench) -> None:
    landing = asyncio.Event()

    async def slowly() -> Outcome:
        await landing.wait()
        return Outcome()

    bench.probe.act = slowly
    await bench.deliverer.step()
    await until(lambda: bool(bench.probe.calls))
    bench.clock._now += 3600
    await bench.deliverer.step()
    landing.set()
    await bench.deliverer.drain()
    assert len(bench.probe.calls) == 1
    assert (await bench.row()).state == "done"


async def test_a_connector_that_cannot_keep_a_note_waits_and_nothing_is_counted(bench: Bench) -> None:
    async def noting() -> Outcome:
        await unwritable(bench.journal, "ON")
        try:
            await bench.probe.calls[-1][1].notes.put("at", "1")
        finally:
            await unwritable(bench.journal, "OFF")
        return Outcome()

    bench.probe.act = noting
    await bench.work()
    row = await bench.row()
    assert (row.state, row.attempts, row.failures) == ("due", 0, 0)
    told = (await bench.journal.tasks.history("task_1"))[-1]
    assert told.kind == "delivery.waiting"
    assert "the journal cannot be written" in told.data["reason"]


LIMITED = RECIPE.replace("use: probe,", "use: probe, retry: { attempts: 2 },")


@pytest.mark.parametrize("bench", [LIMITED], indirect=True)
async def test_a_recipe_may_give_up_sooner(bench: Bench) -> None:
    bench.probe.act = lambda: Retry("no")
    await bench.work()
    bench.clock.advance(10)
    await bench.work()
    assert (await bench.row()).state == "dead"


@pytest.mark.parametrize(
    ("bench", "error"),
    [
        (RECIPE.replace("use: probe", "use: prob"), "there is no connector named 'prob'; there are probe"),
        (RECIPE.replace("text:", "txt:"), "does not fit probe: Object contains unknown field `txt`"),
        (RECIPE.replace("task.error_code", "task.eror_code"), "did you mean 'error_code'?"),
        (RECIPE.replace('"{{ task.error_code }}"', "7"), "Expected `str`, got `int`"),
    ],
    indirect=["bench"],
)
async def test_a_wrong_recipe_is_a_dead_letter_that_says_what_is_wrong(bench: Bench, error: str) -> None:
    await bench.work()
    row = await bench.row()
    assert row.state == "dead"
    assert error in (row.error or "")
    assert bench.probe.calls == []


@pytest.mark.parametrize("bench", [RECIPE.replace("use: probe,", "use: probe, connection: nope,")], indirect=True)
async def test_a_connection_that_is_not_there_yet_is_waited_for(bench: Bench) -> None:
    await bench.work()
    row = await bench.row()
    assert row.state == "due"
    assert "beatrelay connections add nope" in (row.error or "")


async def test_a_recipe_edited_meanwhile_does_not_change_what_was_planned(bench: Bench) -> None:
    bench.recipes = RecipeSet([parse(RECIPE.replace("task.error_code", "task.id"), "recipe.yaml")])
    await bench.work()
    assert bench.probe.calls[0][0].text == "processing_failed"


FAILING = """\
name: Tell
on: task.failed
steps:
  tell: { use: probe, retry: { attempts: 1 } }
  after_that: { use: probe, after: tell }
on_failure:
  - use: probe
    with: { text: "{{ delivery.step }}: {{ delivery.error }}, {{ delivery.attempts }} time" }
"""


@pytest.mark.parametrize("bench", [FAILING], indirect=True)
async def test_somebody_is_told_of_a_dead_letter_and_what_waits_for_it_stays(bench: Bench) -> None:
    answers = iter([Retry("it answered 500"), Outcome()])
    bench.probe.act = lambda: next(answers)
    await bench.work()
    await bench.work()
    assert [config.text for config, _ in bench.probe.calls] == ["", "tell: it answered 500, 1 time"]
    states = {step: row.state for step, row in (await bench.rows()).items()}
    assert states == {"tell": "dead", "after_that": "waiting", "tell!0": "done"}


@pytest.mark.parametrize("bench", [FAILING], indirect=True)
async def test_nobody_is_told_that_the_telling_failed(bench: Bench) -> None:
    bench.probe.act = lambda: Reject("nothing works")
    for _ in range(4):
        await bench.work()
    states = {step: row.state for step, row in (await bench.rows()).items()}
    assert states == {"tell": "dead", "after_that": "waiting", "tell!0": "dead"}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def until_changed(bench: Bench, due_at: float | None) -> None:
    async with asyncio.timeout(10):
        while (await bench.row()).due_at == due_at:
            await asyncio.sleep(0)
